"""`earlybird user add` and `earlybird invite`: a way in for each, once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

import make
from earlybird.customers import service as customers
from earlybird.customers.service import Newcomer
from earlybird.identity.service import grants
from earlybird.infra import db
from make import entrance

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def firm(fresh: Engine) -> Any:
    with db.transaction(fresh) as session:
        grants.seed(session, entrance.CTX)
        return make.business(session)


def asked(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_people_get_a_role_and_a_link(earlybird: Run, fresh: Engine, firm: Any) -> None:
    made = asked(earlybird("user", "add", "--role", "delivery_boy", "--email", "P@Example.com", "--json"))
    assert (made["role"], made["email"]) == ("driver", "p@example.com")
    assert "/sign-in/" in made["invitation"]
    with db.transaction(fresh) as session:
        meena = customers.create(session, entrance.CTX, Newcomer(name="Meena"))
        code = meena.code
    theirs = asked(
        earlybird("user", "add", "--role", "customer", "--email", "m@example.com", "--customer", code, "--json")
    )
    with db.transaction(fresh) as session:
        found = db.rows(session, "SELECT id, email FROM users WHERE customer_id = :id", {"id": meena.id})
        assert [(str(row["id"]), row["email"]) for row in found] == [(theirs["user_id"], "m@example.com")]
        purposes = db.rows(session, "SELECT DISTINCT purpose FROM sign_in_links")
        assert [row["purpose"] for row in purposes] == ["invitation"]
    new = asked(earlybird("user", "add", "--role", "customer", "--email", "n@example.com", "--json"))
    with db.transaction(fresh) as session:
        home = db.value(
            session, "SELECT c.name FROM customers c JOIN users u ON u.customer_id = c.id WHERE u.id = :id",
            {"id": new["user_id"]},
        )  # fmt: skip
        assert home == "n"
    both = asked(earlybird("user", "add", "--role", "driver", "--email", "m@example.com", "--site", "Depot", "--json"))
    assert both["user_id"] == theirs["user_id"]
    for words in (
        ("--role", "owner", "--email", "x@example.com"),
        ("--role", "support", "--email", "nobody"),
        ("--role", "driver", "--email", "x@example.com", "--site", "Nowhere"),
        ("--role", "driver", "--email", "m@example.com"),
    ):
        assert earlybird("user", "add", *words).returncode == 1, words


def people(engine: Engine, count: int) -> None:
    with db.transaction(engine) as session:
        customers.create_many(
            session,
            entrance.CTX,
            [
                *(Newcomer(name=f"By mail {n}", email=f"n{n}@dairy.in", phone=f"98450{n:05}") for n in range(count)),
                Newcomer(name="By phone", phone="98459 99999"),
                Newcomer(name="Cannot be reached"),
                Newcomer(name="Made up", email="x@made.example"),
                Newcomer(name="Odd number"),
            ],
        )
        db.run(session, "UPDATE users SET phone = '111111111111111' WHERE name = 'Odd number'")


COUNTS = "SELECT user_id, count(*) AS n FROM messages WHERE kind = 'invitation' GROUP BY 1"


def test_a_wave_reaches_each_once_and_the_made_up_never(earlybird: Run, fresh: Engine, firm: Any) -> None:
    people(fresh, 5)
    tried = asked(earlybird("invite", "--dry-run", "--json"))
    assert (tried["would_invite"], tried["invited"]) == (7, 0)
    with db.transaction(fresh) as session:
        assert db.value(session, "SELECT count(*) FROM messages") == 0
        assert db.value(session, "SELECT count(*) FROM users WHERE state = 'invited'") == 0
    some = asked(earlybird("invite", "--limit", "2", "--json"))
    assert some["invited"] == some["email"] + some["sms"] == 2
    rest = asked(earlybird("invite", "--json"))
    assert (some["email"] + rest["email"], some["sms"] + rest["sms"]) == (5, 1)
    assert asked(earlybird("invite", "--json"))["invited"] == 0
    with db.transaction(fresh) as session:
        found = db.rows(session, "SELECT channel, address FROM messages ORDER BY address")
        assert len(found) == 6
        assert ("sms", "+919845999999") in {(row["channel"], row["address"]) for row in found}
        assert not [row for row in found if row["address"].endswith((".local", ".example"))]
        assert {row["n"] for row in db.rows(session, COUNTS)} == {1}
        waiting = db.rows(session, "SELECT name FROM users WHERE state = 'uninvited'")
        assert {row["name"] for row in waiting} == {"Cannot be reached", "Made up", "Odd number"}


def test_two_waves_at_once_invite_nobody_twice(earlybird: Run, fresh: Engine, firm: Any) -> None:
    people(fresh, 250)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: asked(earlybird("invite", "--json")), range(2)))
    assert sum(each["invited"] for each in done) == 251
    with db.transaction(fresh) as session:
        assert {row["n"] for row in db.rows(session, COUNTS)} == {1}


def test_a_wave_that_is_killed_is_gone_on_with(
    earlybird: Run, fresh: Engine, fresh_url: str, firm: Any, tmp_path: Path
) -> None:
    people(fresh, 450)
    environment = {**os.environ, "EARLYBIRD_DATABASE_URL": fresh_url, "EARLYBIRD_NOW": "2026-01-15T12:00:00+00:00"}
    running = subprocess.Popen(
        [sys.executable, "-m", "earlybird", "invite"], env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while running.poll() is None:
        with db.transaction(fresh) as session:
            if db.value(session, "SELECT count(*) FROM messages"):
                break
        time.sleep(0.001)
    running.send_signal(signal.SIGKILL)
    running.wait()
    asked(earlybird("invite", "--json"))
    with db.transaction(fresh) as session:
        found = db.rows(session, COUNTS)
        assert {row["n"] for row in found} == {1}
        assert len(found) == 451
