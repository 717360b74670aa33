"""What nobody but a person can decide: ambiguous links, rows that did not come in, proposed amounts."""
