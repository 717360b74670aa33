"""What is known of the backups: where each lies, and whether a drill has proven it."""
