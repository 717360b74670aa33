"""What becomes of a run, and what can be wrong with a job."""

from enum import StrEnum


class Outcome(StrEnum):
    """How a run went; one whose worker died is `died` as soon as somebody looks."""

    running = "running"
    done = "done"
    failed = "failed"
    died = "died"


class Standing(StrEnum):
    """How a job stands: it waits for its next due instant, runs, failed at the last, or missed one."""

    waiting = "waiting"
    running = "running"
    failed = "failed"
    missed = "missed"
