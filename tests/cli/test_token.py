"""`earlybird token`: a token for scripts, for its time, in the trail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from conftest import NOW
from earlybird.cli.token import _life
from earlybird.identity.errors import LifeOutOfRange
from earlybird.identity.service import people, sessions
from earlybird.infra import db
from earlybird.infra.security import Keys
from earlybird.infra.settings import Settings
from earlybird.kernel.ctx import Ctx
from earlybird.main import create_app
from make.entrance import person


def test_a_token_opens_for_its_time_and_is_in_the_trail(
    fresh: Engine, earlybird: Callable[..., CompletedProcess[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARLYBIRD_SECRET_KEY", "0123456789abcdef" * 4)
    assert earlybird("init", "--owner-email", "asha@example.com").returncode == 0
    made = earlybird("token", "--user", "Asha@example.com", "--ttl", "2h")
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    clock = [NOW]
    door = TestClient(create_app(fresh, lambda: clock[0], keys=Keys.read(Settings())))
    bearer = {"Authorization": f"Bearer {token}"}
    assert door.get("/auth/me", headers=bearer).json()["email"] == "asha@example.com"
    clock[0] = NOW + timedelta(minutes=119)
    assert door.get("/auth/me", headers=bearer).status_code == 200
    assert door.post("/api/auth/password", headers=bearer, json={"password": "nine quiet lanterns"}).status_code == 403
    clock[0] = NOW + timedelta(hours=2)
    assert door.get("/auth/me", headers=bearer).status_code == 401
    with db.transaction(fresh) as session:
        trail = db.rows(session, "SELECT via, after FROM audit_entries WHERE action = 'identity.sign_in'")
    assert [(row["via"], row["after"]["kind"]) for row in trail] == [("cli", "script")]
    assert token not in str(trail)
    stranger = earlybird("token", "--user", "nobody@example.com")
    assert (stranger.returncode, stranger.stdout) == (1, "")


@pytest.mark.parametrize("ttl", ["59s", "0", "2d", "25h", "soon", "-1h", "1w", ""])
def test_a_life_out_of_range_is_refused(session: Session, ctx: Ctx, ttl: str) -> None:
    user = people.get_for_update(session, person(session, "admin"))
    with pytest.raises(LifeOutOfRange):
        sessions.open_script(session, ctx, Keys.random(), user, life=_life(ttl))
