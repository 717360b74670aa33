"""A town for each test."""

from make.doors import place, town

__all__ = ["place", "town"]
