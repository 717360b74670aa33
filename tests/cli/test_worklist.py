"""earlybird worklist as a person runs it: list, show, resolve, undo, and what is refused."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

from sqlalchemy import Engine

from earlybird.infra import db
from make.month import month

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_an_amount_is_listed_decided_and_taken_back(earlybird: Run, fresh: Engine) -> None:
    with db.transaction(fresh) as session:
        month(session, 2)
        db.run(
            session,
            "INSERT INTO adjustments (business_id, customer_id, kind, amount_minor, currency, effective_on, reason) "
            "SELECT business_id, id, 'recovery', 5000, 'INR', '2025-12-31', 'never asked for' FROM customers LIMIT 1",
        )
    listed = json.loads(earlybird("worklist", "list", "--json").stdout)
    assert listed["waiting"]["amount"] == 1
    [item] = listed["items"]
    done = earlybird("worklist", "resolve", item["id"], "reject", "--reason", "too long ago")
    assert (done.returncode, "too long ago" in done.stdout) == (0, True)
    again = earlybird("worklist", "resolve", item["id"], "keep", "--reason", "x")
    assert (again.returncode, "undo" in again.stderr) == (1, True)
    undone = json.loads(earlybird("worklist", "undo", item["id"], "--reason", "she paid", "--json").stdout)
    assert (undone["is_decided"], undone["row"]["state"]) == (False, "proposed")
