"""Take over an EarlyBird business from its mongoexport."""
