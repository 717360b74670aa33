"""What can be wrong with a message."""

from earlybird.kernel.errors import Invalid


class FactMissing(Invalid):
    """A message of this kind needs a fact that was not given."""
