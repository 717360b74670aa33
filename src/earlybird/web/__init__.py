"""Pages belong to people."""
