"""The plan and the door: planned stops and what happened there."""
