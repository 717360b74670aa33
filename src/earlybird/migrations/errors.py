"""What keeps a step from running."""

from __future__ import annotations

from earlybird.kernel.errors import Conflict, Invalid, NotFound, Unavailable


class NoSuchStep(NotFound):
    """There is no such step; `earlybird steps list` shows them."""


class StepNotVerified(Conflict):
    """The step's own check found something wrong; what this run had changed was taken back."""


class StepNotApplied(Conflict):
    """The step changed nothing that could be taken back."""


class NothingToRevert(Conflict):
    """The step is how the program is built; there is nothing to revert."""


class StepPaused(Conflict):
    """The step was paused; the same command goes on."""


class StepCancelled(Conflict):
    """The step was cancelled; what it had changed was taken back."""


class OlderTransaction(Unavailable):
    """An index waits for every transaction that is older, and one was open too long; the same command goes on."""


class StepBusy(Unavailable):
    """Live work kept what the step needs for too long; what is done stands, the same command goes on."""


class NameNotTyped(Invalid):
    """Reverting this step opens a hole: type its name (--confirm NAME) and give the reason (--reason)."""


class ReasonMissing(Invalid):
    """Reverting this step opens a hole: give the reason (--reason)."""


class StepNotRunning(Conflict):
    """No run of this step is on its way."""


class BuildingUnknown(Unavailable):
    """This part of the program does not know how the whole is built; ask by earlybird steps verify."""
