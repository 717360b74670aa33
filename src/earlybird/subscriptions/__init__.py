"""Standing wishes: patterns, pauses, overrides, and what is due on a date."""
