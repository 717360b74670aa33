"""What is known of planned stops and of what was told about them."""
