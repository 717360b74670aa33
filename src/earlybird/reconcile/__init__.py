"""Questions that must answer none."""
