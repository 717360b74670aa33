"""Every SELECT of the audit storey: the trail, its seals, their verification."""
