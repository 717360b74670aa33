"""How the program is built, as only its upper storeys know it: they hand it in, the structural steps ask.

The wiring tells every operation it serves, the schema every version it can go to; both are asked when a step is
verified, not before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from earlybird.migrations.errors import BuildingUnknown


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path: who serves it, whether it is the old apps' path, and its name in the description."""

    method: str
    path: str
    served_by: str
    is_deprecated: bool = False
    operation_id: str | None = None
    """None where the description leaves it out: a page for people."""


@dataclass(frozen=True, slots=True)
class Version:
    """One schema version: which it follows, and whether it does something on each way."""

    name: str
    follows: tuple[str, ...]
    goes_up: bool
    goes_down: bool


_operations: list[Callable[[], Sequence[Operation]]] = []
_versions: list[Callable[[], Sequence[Version]]] = []


def tell(
    *,
    operations: Callable[[], Sequence[Operation]] | None = None,
    versions: Callable[[], Sequence[Version]] | None = None,
) -> None:
    """Say who knows every operation, or every schema version; the last word counts."""
    if operations is not None:
        _operations[:] = [operations]
    if versions is not None:
        _versions[:] = [versions]


def operations() -> Sequence[Operation]:
    """Return every operation there is; raise BuildingUnknown where nobody told."""
    if not _operations:
        raise BuildingUnknown
    return _operations[0]()


def versions() -> Sequence[Version]:
    """Return every schema version, in no order; raise BuildingUnknown where nobody told."""
    if not _versions:
        raise BuildingUnknown
    return _versions[0]()
