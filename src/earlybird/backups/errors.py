"""What may be refused for want of a backup."""

from earlybird.kernel.errors import Conflict, NotFound


class NoSuchBackup(NotFound):
    """There is no such backup; `earlybird backup list` shows those that are known."""


class BackupNotProven(Conflict):
    """In production that needs a fresh and proven backup: earlybird backup, then earlybird backup drill."""
