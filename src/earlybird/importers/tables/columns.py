"""Columns of a table, and the judging of its rows by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from earlybird.importers.errors import TableUnreadable
from earlybird.importers.tables import cells
from earlybird.importers.tables.home import Home
from earlybird.importers.tables.reading.files import Cell


@dataclass(frozen=True, slots=True)
class Column:
    """One column: how its cells are read, whether one must be there, and what it means."""

    name: str
    read: cells.Read
    meaning: str
    required: bool = False
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row is refused: the column that breaks the rule, and the rule."""

    field: str | None
    rule: str


@dataclass(slots=True)
class Row:
    """One row: its line in the file, its cells as they came, and what they say."""

    line: int
    cells: Sequence[Cell]
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one kind of table."""

    all: tuple[Column, ...]

    @property
    def known(self) -> dict[str, Column]:
        """Every name a column may have."""
        return {name: column for column in self.all for name in (column.name, *column.also)}

    def place(self, header: Sequence[str]) -> list[tuple[int, Column]]:
        """Return which cell belongs to which column; two names of one column are one too many."""
        known = self.known
        places: dict[str, tuple[int, Column]] = {}
        for place, name in enumerate(header):
            if name in known:
                column = known[name]
                if column.name in places:
                    other = header[places[column.name][0]]
                    raise TableUnreadable(f"Columns {other!r} and {name!r} are the same column.", field=name)
                places[column.name] = (place, column)
        return list(places.values())

    def missing(self, header: Iterable[str]) -> list[str]:
        """List the required columns that the header names by none of their names."""
        there = set(header)
        return [c.name for c in self.all if c.required and not there & {c.name, *c.also}]

    def read(self, row: Row, places: Sequence[tuple[int, Column]], home: Home) -> list[Problem]:
        """Put what the cells say into the row's facts; return the rules they break."""
        problems = []
        for place, column in places:
            cell = row.cells[place] if place < len(row.cells) else None
            try:
                if cell is None or cell == "" or (column.read is not cells.text and cells.is_blank(cell)):
                    blank = True
                else:
                    blank = column.required and cells.is_blank(cell)
                if blank and column.required:
                    problems.append(Problem(column.name, "A value is needed."))
                elif not blank:
                    row.facts[column.name] = column.read(cell, home)
            except cells.Unfit as failure:
                problems.append(Problem(column.name, str(failure)))
        return problems


def differences(told: Mapping[str, Any], stands: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return what a row tells otherwise than it stands; what it does not tell is no difference."""
    return {name: told[name] for name in names if told.get(name) is not None and told[name] != stands.get(name)}
