"""What PostgreSQL does for the statements the product really sends: caught on the way, explained, then let through."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

PLANNED = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|TABLE|CREATE TEMP\w* TABLE \w+ ON COMMIT DROP AS)\b")


@dataclass(slots=True)
class Caught:
    """The plans of the statements sent while the block ran."""

    plans: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def whole_reads(self, big: set[str], partial: set[str]) -> list[str]:
        """Return what reads one of these tables whole: by itself, or an index from end to end without a limit.

        A partial index may be read from end to end: it holds what waits, not what was.
        """
        return [
            f"{node['Node Type']} of {node['Relation Name']}: {' '.join(statement.split())[:300]}"
            for statement, plan in self.plans
            for node, is_cut in nodes(plan)
            if node.get("Relation Name") in big
            and (
                "Seq Scan" in node["Node Type"]
                or (
                    node["Node Type"] in {"Index Scan", "Index Only Scan"}
                    and not (is_cut or "Index Cond" in node or node["Index Name"] in partial)
                )
            )
        ]

    def indexes(self) -> set[str]:
        """Return the names of the indexes used."""
        return {node["Index Name"] for _, plan in self.plans for node, _ in nodes(plan) if "Index Name" in node}


def nodes(plan: dict[str, Any], *, is_cut: bool = False) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield every node of a plan, and whether a LIMIT above stops it early."""
    yield plan, is_cut
    is_cut = (is_cut or plan["Node Type"] == "Limit") and plan["Node Type"] not in {"Sort", "Aggregate", "Hash"}
    for below in plan.get("Plans", ()):
        yield from nodes(below, is_cut=is_cut)


@contextmanager
def caught(session: Session) -> Iterator[Caught]:
    """Explain, just before it is run, each statement that the session sends."""
    found = Caught()
    connection = session.connection()

    def explain(conn: Any, _: Any, statement: str, parameters: Any, *__: Any) -> None:
        if PLANNED.match(statement):
            with conn.connection.dbapi_connection.cursor() as cursor:
                cursor.execute("EXPLAIN (FORMAT JSON) " + statement, parameters)
                found.plans.append((statement, cursor.fetchone()[0][0]["Plan"]))

    event.listen(connection, "before_cursor_execute", explain)
    try:
        yield found
    finally:
        event.remove(connection, "before_cursor_execute", explain)


def explained(session: Session, ask: Callable[[], object]) -> Caught:
    """Return the plans of what a call sends."""
    with caught(session) as found:
        ask()
    return found
