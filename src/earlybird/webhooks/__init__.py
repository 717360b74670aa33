"""Webhooks out: what happened, told to other software, signed."""
