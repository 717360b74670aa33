"""What the work list refuses."""

from earlybird.kernel.errors import Conflict, Invalid, NotFound


class NoSuchItem(NotFound):
    """Nothing of that id is on the work list."""


class AlreadyDecided(Conflict):
    """That was decided; undo the decision first."""


class NotDecided(Conflict):
    """Nobody decided that, or the decision was undone."""


class NotOpen(Invalid):
    """That cannot be chosen for this kind of item."""


class TargetMissing(Invalid):
    """A link names what it belongs to: `target_id`."""


class TargetNotWanted(Invalid):
    """Only a link names a `target_id`."""


class NoCandidate(Invalid):
    """It may be linked to one of its candidates, or to another order of the same customer or login."""


class ReasonWanted(Invalid):
    """Say why: a reason is kept with every decision."""


class ChangedSince(Conflict):
    """What the decision wrote was changed since; it cannot be undone as it was."""
