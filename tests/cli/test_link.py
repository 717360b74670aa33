"""`earlybird link`: the address is shown once, opens with its PIN, and dies at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

import make
from conftest import NOW
from earlybird.infra import db
from earlybird.infra.security import Keys
from earlybird.infra.settings import Settings
from earlybird.main import create_app

Run = Callable[..., CompletedProcess[str]]


def test_a_link_is_made_opened_listed_and_revoked(
    fresh: Engine, earlybird: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARLYBIRD_SECRET_KEY", "0123456789abcdef" * 4)
    with db.transaction(fresh) as session:
        firm = make.business(session)
        order = make.planned(session, firm, make.customer(session, firm).id, [make.product(session, firm).id])
    of_order = ("--order", str(order.order_id))
    made = earlybird("link", "create", *of_order, "--pin", "4711", "--uses", "1", "--until", "2026-01-15T20:00+05:30",
                     "--json")  # fmt: skip
    assert made.returncode == 0, made.stderr
    facts = json.loads(made.stdout)
    site, _, token = facts["url"].rpartition("/l/")
    assert (site, facts["expires_at"]) == ("http://127.0.0.1:8000", "2026-01-15T14:30:00+00:00")
    api = TestClient(create_app(fresh, lambda: NOW, keys=Keys.read(Settings())))
    assert api.post("/api/link/open", json={"token": token, "pin": "1174"}).status_code == 404
    opened = api.post("/api/link/open", json={"token": token, "pin": "4711"}).json()
    bearer = {"Authorization": f"Bearer {opened['access_token']}"}
    assert len(api.get("/api/link/round", headers=bearer).json()["stops"]) == 1
    listed = earlybird("link", "list", "--json")
    assert token not in listed.stdout
    assert [(row["state"], row["use_count"]) for row in json.loads(listed.stdout)] == [("used_up", 1)]
    assert earlybird("link", "revoke", facts["id"], "--reason", "phone lost").returncode == 0
    assert api.get("/api/link/round", headers=bearer).status_code == 401
    assert earlybird("link", "create").returncode == 1
    assert earlybird("link", "create", *of_order, "--actions", "see,drive").returncode == 2
    assert earlybird("link", "renew", facts["id"]).returncode == 1
