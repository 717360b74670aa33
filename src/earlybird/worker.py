"""The queue's way in: runs what is due in the background."""
