"""What can be wrong with a job that somebody names."""

from earlybird.kernel.errors import Conflict, NotFound


class NoSuchJob(NotFound):
    """There is no job of that name; `earlybird jobs list` names them all."""


class RunsAlready(Conflict):
    """The job is running at this moment; wait until it has finished."""
