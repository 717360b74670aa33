"""What reconcile refuses."""

from earlybird.kernel.errors import NotFound


class LineUnknown(NotFound):
    """There is no such delivered line."""


class CustomerUnknown(NotFound):
    """There is no such customer."""
