"""One file per step, named for what it does."""
