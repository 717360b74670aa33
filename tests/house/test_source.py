"""What the decisions forbid stands nowhere in the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from earlybird import wiring

SOURCE = Path(wiring.__file__).parent
COMMITTERS = {"infra/db.py", "schema/env.py", "migrations/service.py"}
"""Beside the one transaction: the lock on schema versions, and the lock under which one step runs at a time."""

MOVERS = {"audit/service/__init__.py"}
SET_STATE = re.compile(r"\bSET\s((?!\bWHERE\b|\bFROM\b).)*?(?<![\w.])state\s*=", re.DOTALL)


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        if "versions" not in path.parts:
            yield str(path.relative_to(SOURCE)), ast.parse(path.read_text(encoding="utf-8"))


def writes_state(tree: ast.Module) -> bool:
    """Whether code assigns an attribute `state`, or a statement sets a column of that name."""
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Attribute) and target.attr == "state" for target in targets):
            return True
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SET_STATE.search(node.value):
            return True
    return False


def commits(tree: ast.Module) -> bool:
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return any(isinstance(call, ast.Attribute) and call.attr in {"commit", "begin"} for call in calls)


def test_only_the_database_room_commits() -> None:
    assert {name for name, tree in modules() if commits(tree)} <= COMMITTERS


def test_only_the_mover_writes_a_state() -> None:
    assert {name for name, tree in modules() if writes_state(tree)} <= MOVERS


def test_the_search_finds_what_it_looks_for() -> None:
    assert writes_state(ast.parse("row.state = 'x'"))
    assert writes_state(ast.parse("run(s, 'UPDATE orders SET state_at = :now, state = 1')"))
    assert not writes_state(ast.parse("run(s, \"UPDATE orders o SET site_id = 1 FROM a WHERE state = 'out'\")"))
    assert not writes_state(ast.parse("if row.state == 'out': pass"))
    assert commits(ast.parse("session.commit()"))
