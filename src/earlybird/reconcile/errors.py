"""What reconcile refuses."""

from earlybird.kernel.errors import NotFound


class CustomerUnknown(NotFound):
    """There is no such customer."""


class NoSuchFinding(NotFound):
    """There is no such finding."""


class NoSuchCheck(NotFound):
    """There is no question of that name; `earlybird reconcile --json` names them all."""
