"""What a step is: one file of migrations/steps, read into this record.

A file must say NUMBER, NAME, TITLE, REASON, TOUCHES, WARNING and have `phases`, `apply` and `verify`; the rest has
defaults. How a step is written: docs/howto/reversible-steps.md.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from earlybird.kernel.ctx import Ctx


class Kind(StrEnum):
    """What a step does."""

    ties = "ties"
    """Ties rows together, or fills them in."""
    enforces = "enforces"
    """Holds new rows to a rule at once, then the old ones."""
    builds = "builds"
    """Builds something beside the data, outside transactions."""
    structural = "structural"
    """Is how the program is built: verified, never reverted."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of one run of a step; its number is unique within the step, and negative in a plan."""

    step_id: UUID
    run_id: UUID
    number: int
    order: Iterator[int] = field(default_factory=itertools.count, compare=False)
    """Numbers what the batch keeps, in the order in which it happened; see `series`."""
    built: Counter[str] = field(default_factory=Counter, compare=False)
    """What a plan builds that is no row, and leaves no residue: how many per table."""
    notes: list[dict[str, Any]] = field(default_factory=list, compare=False)
    """What a plan tells beside rows: how big an index gets, whom building it would wait for."""


SERIES = 1_000
"""Numbers of a series: the batches of one phase of one run share it, as they touch different rows."""


def series(of: int) -> Iterator[int]:
    """Return the numbers for what a batch of the given series keeps."""
    return itertools.count(of * SERIES)


@dataclass(frozen=True, slots=True)
class Stake:
    """Money that hangs on a step: what would go wrong with it if the step were reverted."""

    amount_minor: int
    currency: str
    sentence: str
    """What happens to the money, in words that go on after the amount."""


def nothing_at_stake(session: Session) -> list[Stake]:
    """Return no money: the step moves none."""
    del session
    return []


@dataclass(frozen=True, slots=True)
class Step:
    """A reversible data step."""

    number: int
    name: str
    title: str
    reason: str
    touches: tuple[str, ...]
    """The tables it changes."""
    warning: str
    """What reverting it means."""
    phases: Callable[[Session], list[list[Any]]]
    """Cut the work into chunks, small ones where they can be joined: those of a phase may run at once, phases come one
    by one."""
    apply: Callable[[Session, Ctx, Batch, Any], None]
    """Do one chunk and keep its residue; make only what is not there; never commit."""
    verify: Callable[[Session], list[dict[str, Any]]]
    """List what is wrong (`id`, `what`), by another way of asking."""
    kind: Kind = Kind.ties
    join: Callable[[Sequence[Any]], Any] | None = None
    """Make one chunk of neighbouring ones of a phase; without it each chunk is a batch of its own."""
    locks: Mapping[str, str] = field(default_factory=dict)
    """Table → the strongest lock it is given, where that is more than row locks, e.g. "ShareRowExclusiveLock"."""
    opens_a_hole: str | None = None
    """What stands open while the step is reverted; reverting then demands its typed name and a reason."""
    switches: Mapping[str, Any] = field(default_factory=dict)
    """Policy rows it switches on → what they are while the step is reverted."""
    loosens: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Columns taken from rows the step made, where the rows themselves must stay because later facts hang on them."""
    follows: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Tables filled by triggers without a foreign key → (column, the table it names); rows go with what they name."""
    passing: tuple[str, ...] = ()
    """Tables whose rows come and go by themselves (work lists): what became of them is not asked."""
    stakes: Callable[[Session], list[Stake]] = nothing_at_stake
    unclear: Callable[[Session], list[dict[str, Any]]] | None = None
    """List what could not be decided: `id`, `what`, `candidates`."""
    revert: Callable[[Session, Ctx], dict[str, int]] | None = None
    """Take away what is no row (a constraint), before rows are put back; repeatable."""
    reverted: Callable[[Session, Ctx], None] | None = None
    """Tidy up when all rows are put back."""
    build: Callable[[Connection, Any], dict[str, int]] | None = None
    """Do one chunk outside any transaction, on an autocommit connection, in place of `apply`, which plan rolls back."""
    tear_down: Callable[[Connection], dict[str, int]] | None = None
    """Take away what `build` built, outside any transaction; repeatable."""
    built: Callable[[Session], dict[str, int]] | None = None
    """Count what `tear_down` would take away, per table."""

    @property
    def is_structural(self) -> bool:
        """Whether there is nothing to revert."""
        return self.kind is Kind.structural
