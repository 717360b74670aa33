"""One way in: each operation exists once, under one path; the paths of the old apps are the only other names.

It is how the program is built: verified, never reverted. Whoever adds a path for the old apps writes it here.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy.orm import Session

from earlybird.kernel.ctx import Ctx
from earlybird.migrations import building
from earlybird.migrations.building import Operation
from earlybird.migrations.protocol import Batch, Kind

NUMBER = 28
NAME = "one_path_each"
TITLE = "One way in"
REASON = "Of two paths to one operation one is forgotten when a rule changes."
KIND = Kind.structural
TOUCHES = ()
WARNING = "Nothing can be reverted: it is how the program is built."

Path = tuple[str, str]

ALIASES: dict[Path, Path] = {
    ("POST", "/auth/login"): ("POST", "/api/auth/login"),
    ("POST", "/auth/refresh"): ("POST", "/api/auth/refresh"),
    ("POST", "/auth/logout"): ("POST", "/api/auth/logout"),
    ("GET", "/auth/me"): ("GET", "/api/auth/me"),
    ("POST", "/api/delivery-boy/mark-delivered"): ("POST", "/api/sync"),
    ("POST", "/api/shared-delivery-link/{link_id}/mark-delivered"): ("POST", "/api/sync"),
}
"""The paths that the old apps know → the operation they lead to. There is no other list."""


def phases(session: Session) -> list[list[None]]:
    """Return nothing to do."""
    del session
    return []


def apply(session: Session, ctx: Ctx, batch: Batch, chunk: None) -> dict[str, int]:
    """Do nothing: there is no chunk to do."""
    del session, ctx, batch, chunk
    return {}


def verify(session: Session) -> list[dict[str, Any]]:
    """List what can be reached by two paths, and what the list of aliases and the program say differently."""
    del session
    return [{"id": where, "what": what} for where, what in twins(building.operations())]


def twins(found: Sequence[Operation]) -> Iterator[tuple[str, str]]:
    """Yield each path that should not be there beside another, and why."""
    yield from _aliases(found)
    shapes = Counter((one.method, _shape(one.path)) for one in found)
    named = Counter(one.operation_id for one in found if one.operation_id)
    served = defaultdict(list)
    for one in found:
        if (one.method, one.path) not in ALIASES:
            served[one.served_by].append(one)
        if shapes[one.method, _shape(one.path)] > 1:
            yield _named(one), "another path differs from it by no more than the name of a parameter or a slash"
        if one.operation_id and named[one.operation_id] > 1:
            yield _named(one), f"the description calls another operation {one.operation_id} too"
    for ones in served.values():
        for one in ones[1:]:
            yield _named(one), f"the same operation is reached by {_named(ones[0])}"


def _aliases(found: Sequence[Operation]) -> Iterator[tuple[str, str]]:
    """Yield what the list of aliases and the program say differently."""
    stand = {(one.method, one.path) for one in found}
    for one in found:
        is_listed = (one.method, one.path) in ALIASES
        if one.is_deprecated != is_listed:
            yield _named(one), "marked as old, and on no list" if one.is_deprecated else "listed as old, and not marked"
    for alias, target in ALIASES.items():
        if alias not in stand:
            yield " ".join(alias), "the list of aliases names it, and nothing serves it"
        if target not in stand or target in ALIASES:
            yield " ".join(alias), f"the list of aliases leads to {' '.join(target)}, which is no operation"


def _named(one: Operation) -> str:
    return f"{one.method} {one.path}"


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path).rstrip("/")
