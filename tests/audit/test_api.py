"""GET /api/audit: the trail for who may read it, filtered, in pages; nothing for anybody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from earlybird.identity.service import grants
from earlybird.infra.checkpoints import Checkpoint, Trust
from earlybird.infra.db import transaction
from earlybird.infra.security import Keys
from earlybird.kernel.ctx import Ctx
from earlybird.main import create_app
from make.entrance import token
from make.trail import Trail

KEYS = Keys.random()


@pytest.fixture
def trail(fresh: Engine, ctx: Ctx, tmp_path: Path) -> Trail:
    with transaction(fresh) as session:
        grants.seed(session, ctx)
    found = Trail.at(fresh, ctx, tmp_path)
    found.write(4)
    found.seal()
    found.write(2, "orders.cancel")
    return found


def client(trail: Trail, role: str) -> TestClient:
    with transaction(trail.engine) as session:
        word = token(session, KEYS, trail.ctx.now, role)
    app = create_app(trail.engine, lambda: trail.ctx.now, keys=KEYS)
    return TestClient(app, headers={"Authorization": f"Bearer {word}"})


def test_the_trail_is_searched_and_read_in_pages(trail: Trail) -> None:
    admin = client(trail, "admin")

    def ask(**wanted: Any) -> dict[str, Any]:
        answer = admin.get("/api/audit", params=wanted)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    both = ask(action="orders")["items"]
    assert [row["action"] for row in both] == ["orders.cancel"] * 2 + ["orders.place"] * 4
    assert both[-1]["position"] == 2  # the grants were seeded before
    assert both[0]["seal_no"] is None
    assert both[-1]["seal_no"] == 1
    first = ask(action="orders", limit=4)
    rest = ask(action="orders", limit=4, cursor=first["next"])
    assert [row["id"] for row in (*first["items"], *rest["items"])] == [row["id"] for row in both]
    assert rest["next"] is None
    one = both[-1]
    assert one["after"]["code"] == "EB-0"
    assert len(ask(entity="order", entity_id=one["entity_id"])["items"]) == 2
    assert ask(since="2026-01-16T00:00:00Z")["items"] == []
    assert ask(until="2026-01-15T12:00:00Z")["items"] == []
    assert ask(via="console", action="orders.cancel")["items"]
    assert admin.get("/api/audit", params={"since": "2026-01-16T00:00:00"}).status_code == 422
    assert admin.get("/api/audit", params={"entity": "Or'der"}).status_code == 422


def test_a_seal_of_the_answer_can_be_checked(trail: Trail) -> None:
    [seal] = client(trail, "admin").get("/api/audit/seals").json()
    assert Trust((trail.checkpoints.public,)).fits(Checkpoint(**seal))


@pytest.mark.parametrize("role", ["support", "customer", "driver", "merchant", "warehouse", "marketing", "supplier"])
def test_nobody_else_may_read_it(trail: Trail, role: str) -> None:
    assert client(trail, role).get("/api/audit").status_code == 403
    assert TestClient(create_app(trail.engine)).get("/api/audit").status_code == 401
