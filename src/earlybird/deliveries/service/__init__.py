"""The plan and the door: every change to deliveries."""
