"""A town for each test that asks for one."""

from make.doors import place, town

__all__ = ["place", "town"]
