"""Money as balanced postings; each journal sums to zero."""
