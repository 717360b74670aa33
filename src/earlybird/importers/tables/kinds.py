"""What a kind of table (or a mapping of another system's) brings: its columns, and how its rows are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy.orm import Session

from earlybird.importers.tables.columns import Columns, Problem, Row
from earlybird.importers.tables.home import Home
from earlybird.kernel.ctx import Ctx


@dataclass(slots=True)
class Piece:
    """Rows that stand or fall together: one row, or all the lines of an order."""

    rows: list[Row]

    @property
    def line(self) -> int:
        """The line of the first row."""
        return self.rows[0].line

    @property
    def facts(self) -> dict[str, Any]:
        """What the first row says."""
        return self.rows[0].facts


@dataclass(slots=True)
class Written:
    """What became of pieces: counts by word, rows refused after all, and rows kept aside with a reason."""

    counts: Counter[str] = field(default_factory=Counter)
    refused: dict[int, Problem] = field(default_factory=dict)
    kept: dict[int, tuple[str, int]] = field(default_factory=dict)

    def refuse(self, piece: Piece, where: str | None, rule: str) -> None:
        """Refuse every row of a piece."""
        for row in piece.rows:
            self.refused[row.line] = Problem(where, rule)

    def add(self, other: Written) -> None:
        """Count another part in."""
        self.counts.update(other.counts)
        self.refused |= other.refused
        self.kept |= other.kept


Write = Callable[[Session, Ctx, Home, Sequence[Piece]], Written]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of table as it may be brought in.

    `together` names the column whose equal values make one piece. `identity` tells a piece from
    every other of the file, so that the same one is not brought twice. `prepare` runs first and may
    make the business fit; `finish` returns totals or findings once all is in.
    """

    name: str
    columns: Columns
    write: Write
    identity: Callable[[Piece], tuple[object, ...] | None]
    together: str | None = None
    judge: Callable[[Row, Home], Problem | None] = lambda _row, _home: None
    finish: Callable[[Session, Ctx, Home, Counter[str]], dict[str, Any]] | None = None
    measure: Callable[[Row, Home], int] | None = None
    currency: str | None = None
    opens: tuple[str, str, str] | None = None
    source: Callable[[Path], Any] | None = None


@dataclass(frozen=True, slots=True)
class Export:
    """How a kind of table is written: the statement whose columns are the table's."""

    name: str
    sql: str


def as_json(facts: Sequence[dict[str, Any]]) -> str:
    """Return rows as one bound value of a set-based statement."""
    return orjson.dumps(facts, default=str).decode()


def alone(pieces: Sequence[Piece]) -> Iterator[Row]:
    """Yield the rows of pieces that are one row each."""
    for piece in pieces:
        yield piece.rows[0]
