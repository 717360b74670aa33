"""A write sent again under its key: what is waited for, answered again, refused, and what survives a crash."""

from __future__ import annotations

import signal
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from fastapi.testclient import TestClient

from earlybird.infra import idempotency
from earlybird.infra.settings import Settings
from earlybird.main import create_app
from make.doors import Town
from make.month import NOW
from make.served import served, until


def area(town: Town, name: str = "Malleshwaram") -> dict[str, str]:
    return {"site_id": str(town.firm.site_id), "name": name}


def names(town: Town) -> list[str]:
    return [
        row["name"] for row in town.rows("SELECT name FROM areas WHERE site_id = :s ORDER BY name", s=town.firm.site_id)
    ]


def told(town: Town) -> int:
    """How many entries of the audit speak of this town's areas."""
    of_here = "SELECT 1 FROM audit_entries WHERE entity_id IN (SELECT id FROM areas WHERE site_id = :s)"
    return len(town.rows(of_here, s=town.firm.site_id))


def failure(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def keep(town: Town, method: str, path: str, body: Any = None, *, key: str = "one", by: str = "admin") -> Any:
    return town.ask(by, method, path, body, Idempotency_Key=key)


def test_a_replay_is_the_first_answer_to_the_byte_and_says_so(town: Town) -> None:
    first, again = (keep(town, "POST", "/api/areas", area(town)) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert (first.content, first.headers["etag"]) == (again.content, again.headers["etag"])
    assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (None, "true")
    assert names(town) == ["Malleshwaram"]
    assert told(town) == 1


def test_no_content_is_replayed_too(town: Town) -> None:
    made = keep(town, "POST", "/api/areas", area(town)).json()["id"]
    first, again = (keep(town, "DELETE", f"/api/areas/{made}", key="two") for _ in range(2))
    assert (first.status_code, again.status_code, again.content) == (204, 204, b"")
    assert again.headers["idempotent-replayed"] == "true"


def test_another_body_path_query_or_method_under_the_key_is_refused(town: Town) -> None:
    made = keep(town, "POST", "/api/areas", area(town)).json()["id"]
    for method, path, body in [
        ("POST", "/api/areas", area(town, "Jayanagar")),
        ("POST", "/api/areas?x=1", area(town)),
        ("PATCH", f"/api/areas/{made}", {"name": "Jayanagar"}),
        ("DELETE", f"/api/areas/{made}", None),
    ]:
        assert failure(keep(town, method, path, body)) == (422, "KeyReused"), (method, path)
    assert names(town) == ["Malleshwaram"]


def test_the_key_belongs_to_its_caller_alone(town: Town) -> None:
    mine, theirs = (keep(town, "POST", "/api/orders", town.wish(), by=who) for who in ("meena", "ravi"))
    assert mine.json()["customer_id"] != theirs.json()["customer_id"]
    assert "idempotent-replayed" not in theirs.headers


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "k\x7f"])
def test_a_key_that_is_none_is_refused(town: Town, key: str) -> None:
    assert failure(keep(town, "POST", "/api/areas", area(town), key=key)) == (422, "KeyMalformed")
    assert names(town) == []


def test_a_refused_write_frees_its_key(town: Town) -> None:
    assert keep(town, "POST", "/api/areas", {"site_id": str(UUID(int=0)), "name": "Nowhere"}).status_code in {404, 422}
    assert keep(town, "POST", "/api/areas", {"name": ""}).status_code == 422
    assert keep(town, "POST", "/api/areas", area(town), by="meena").status_code == 403
    assert town.rows("SELECT 1 FROM kept_answers") == []
    done = keep(town, "POST", "/api/areas", area(town))
    assert (done.status_code, "idempotent-replayed" in done.headers) == (201, False)


def test_a_secret_is_shown_once_and_never_kept(town: Town) -> None:
    wish = {"name": "till", "role": "support", "actions": ["orders.read"]}
    first = keep(town, "POST", "/api/keys", wish)
    assert first.status_code == 201, first.text
    again = keep(town, "POST", "/api/keys", wish)
    assert failure(again) == (409, "AnswerShownOnce")
    assert first.json()["key"] not in again.text
    assert town.rows("SELECT body, status FROM kept_answers") == [{"body": None, "status": 201}]
    assert len(town.rows("SELECT 1 FROM api_keys WHERE revoked_at IS NULL")) == 1


def test_a_public_write_takes_no_key(town: Town) -> None:
    twice = [town.ask(None, "POST", "/api/auth/login", {"email": "a@b.example", "password": "x"}, Idempotency_Key="k")
             for _ in range(2)]  # fmt: skip
    assert [answer.status_code for answer in twice] == [401, 401]
    assert town.rows("SELECT 1 FROM kept_answers") == []


def test_while_the_first_runs_longer_than_the_wait_the_second_is_told_so(town: Town) -> None:
    assert keep(town, "POST", "/api/areas", area(town, "A")).status_code == 201
    caller = town.rows("SELECT caller FROM kept_answers")[0]["caller"]
    app = create_app(town.engine, lambda: NOW, keys=town.keys, settings=Settings(write_wait_ms=50))
    hurried = TestClient(app, headers={"Authorization": f"Bearer {town.token('admin')}", "Idempotency-Key": "two"})
    with town.engine.connect() as first:
        first.exec_driver_sql(
            "INSERT INTO kept_answers (caller, key, fingerprint, made_at) VALUES (%s, 'two', 'x', now())", (caller,)
        )
        assert failure(hurried.post("/api/areas", json=area(town))) == (409, "StillRunning")
        first.rollback()
    assert hurried.post("/api/areas", json=area(town)).status_code == 201
    assert names(town) == ["A", "Malleshwaram"]


def test_a_key_is_good_for_two_days(town: Town) -> None:
    keep(town, "POST", "/api/areas", area(town))
    assert idempotency.forget(town.engine, town.ctx().at(NOW + timedelta(hours=48))) == 0
    assert idempotency.forget(town.engine, town.ctx().at(NOW + timedelta(hours=48, seconds=1))) == 1


def test_killed_between_effect_and_answer_or_before_it_the_retry_has_one_effect(town: Town, tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {town.token('admin')}", "Idempotency-Key": "k"}

    def send(port: int, key: str, body: dict[str, str]) -> socket.socket:
        """Send a write and do not look at what comes back."""
        facts = {**headers, "Idempotency-Key": key, "Host": "x"}
        content = httpx.Request("POST", "http://x/api/areas", json=body)
        head = "".join(f"{name}: {value}\r\n" for name, value in {**dict(content.headers), **facts}.items())
        line = socket.create_connection(("127.0.0.1", port))
        line.sendall(f"POST /api/areas HTTP/1.1\r\n{head}\r\n".encode() + content.content)
        return line

    url = town.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with served(town, tmp_path) as (server, port), psycopg.connect(url) as blocker:
        lines = [send(port, "after", area(town, "Effect"))]
        until(lambda: "Effect" in names(town))
        blocker.execute("LOCK TABLE audit_entries IN EXCLUSIVE MODE")
        lines.append(send(port, "before", area(town, "Before")))
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        until(lambda: town.rows(waiting))
        server.send_signal(signal.SIGKILL)
        server.wait()
        for line in lines:
            line.close()
        blocker.rollback()
    until(lambda: not town.rows(waiting))
    with served(town, tmp_path) as (_, port), httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        replayed = {}
        for key, name in (("before", "Before"), ("after", "Effect")):
            answer = client.post("/api/areas", json=area(town, name), headers=headers | {"Idempotency-Key": key})
            assert (answer.status_code, answer.json()["name"]) == (201, name)
            replayed[key] = answer.headers.get("idempotent-replayed")
    assert replayed == {"before": None, "after": "true"}
    assert names(town) == ["Before", "Effect"]
    assert told(town) == 2
