"""`earlybird steps` as an operator types it, on a business taken over."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from conftest import NOW
from earlybird.infra import db
from make import terminal
from migrations import content


@pytest.fixture
def operator(taken: Engine, tmp_path: Path) -> Callable[..., Any]:
    """Type a command about the business; return its exit code, and its answer as JSON where it asks for that."""
    environment = {
        **os.environ,
        "EARLYBIRD_DATABASE_URL": taken.url.render_as_string(hide_password=False),
        "EARLYBIRD_NOW": NOW.isoformat(),
        "COLUMNS": "200",
    }

    def type_in(*words: str) -> Any:
        done = terminal.run(("steps", *words), environment, tmp_path)
        assert "Traceback" not in done.stderr
        if "--json" in words and done.returncode == 0:
            return json.loads(done.stdout)
        return done.returncode, done.stdout + done.stderr

    return type_in


def test_every_verb_takes_the_words_it_is_promised_to_take(taken: Engine, operator: Callable[..., Any]) -> None:
    before = content.digests(taken)
    planned = operator("plan", "--from", "19", "--to", "22", "--dry-run", "--yes", "--reason", "a look", "--json")
    assert content.digests(taken) == before
    assert list(planned) == ["order_to_standing_order", "delivery_to_order", "login_to_customer", "order_state"]
    assert operator("apply", "--all", "--dry-run", "--json")["order_state"]["rows"] == planned["order_state"]["rows"]
    assert content.digests(taken) == before
    made = operator("apply", "--from", "19", "--to", "22", "--yes", "--reason", "the night of change", "--json")
    assert made == {name: one["rows"] for name, one in planned.items()}
    found = operator("verify", "20", "delivery_to_order", "--dry-run", "--yes", "--reason", "a look", "--json")
    assert found == {"delivery_to_order": {"wrong": 0, "first": []}}
    told = operator("history", "20", "--json")
    assert [run["verb"] for run in told] == ["apply"]
    with db.rehearsal(taken) as session:
        reasons = db.rows(session, "SELECT reason FROM audit_entries WHERE action = 'step.apply'")
    assert {row["reason"] for row in reasons} == {"the night of change"}
    applied = content.digests(taken)
    dry = operator("revert", "--from", "22", "--to", "19", "--dry-run", "--json")
    assert (list(dry), content.digests(taken)) == (list(planned)[::-1], applied)
    code, said = operator("revert", "--from", "22", "--to", "19", "--yes", "--reason", "a trial")
    assert (code, "login_to_customer" in said, content.digests(taken)) == (1, True, applied)
    words = ("--yes", "--reason", "a trial", "--confirm", "login_to_customer", "--json")
    back = operator("revert", "--from", "22", "--to", "19", *words)
    assert [one["whole"] for one in back.values()] == [True] * 4
    assert content.unlike(before, content.digests(taken)) == []
    assert {row["state"] for row in operator("status", "--json") if 19 <= row["number"] <= 22} == {"reverted"}


def test_what_cannot_be_is_refused_with_a_sentence(taken: Engine, operator: Callable[..., Any]) -> None:
    before = content.digests(taken)
    for words, code, sentence in (
        (("plan", "31"), 1, "no such step"),
        (("plan", "19", "--all"), 2, "Name steps, or --from"),
        (("plan", "--from", "19"), 2, "Name steps, or --from"),
        (("revert",), 2, "Name the steps to revert"),
        (("revert", "28", "--yes"), 1, "nothing to revert"),
        (("revert", "22", "--yes"), 1, "changed nothing that could be taken back"),
        (("pause", "22"), 1, "no run of this step"),
    ):
        found, said = operator(*words)
        assert (found, sentence.lower() in " ".join(said.lower().split())) == (code, True), (words, said)
    assert content.digests(taken) == before
