"""A lifecycle as one table: which moves exist, from where, to where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from earlybird.kernel.errors import Conflict

S = TypeVar("S", bound=StrEnum)


class MoveRefused(Conflict):
    """That move is not open from the present state."""


@dataclass(frozen=True, slots=True)
class Machine(Generic[S]):
    """States of one kind of row. `moves` maps a verb to (states it may start from, state it ends in)."""

    name: str
    start: S
    moves: Mapping[str, tuple[frozenset[S], S]]

    def target(self, state: S, move: str) -> S:
        """Return where `move` leads from `state`; refuse a move that is not open there."""
        sources, to = self.moves[move]
        if state not in sources:
            raise MoveRefused(thing=self.name, state=str(state), move=move)
        return to

    def open(self, state: S) -> list[str]:
        """List the moves that may be made from `state`."""
        return [verb for verb, (sources, _) in self.moves.items() if state in sources]

    def sources(self, move: str) -> frozenset[S]:
        """Return the states that `move` may start from."""
        return self.moves[move][0]

    def diagram(self) -> str:
        """Draw the lifecycle as Mermaid text."""
        lines = ["stateDiagram-v2", f"  [*] --> {self.start}"]
        for verb, (sources, to) in self.moves.items():
            lines += [f"  {source} --> {to}: {verb}" for source in sorted(sources)]
        return "\n".join(lines)
