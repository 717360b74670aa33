"""Endpoints over HTTP: the secret is shown once, and only admins come near them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook
from starlette.testclient import TestClient

from earlybird.identity.service import grants
from earlybird.infra.db import transaction
from earlybird.infra.settings import Settings
from earlybird.main import create_app
from make.entrance import token
from webhooks.conftest import Dairy, Receiver


@pytest.fixture
def client(dairy: Dairy) -> Callable[[str], TestClient]:
    with transaction(dairy.engine) as session:
        grants.seed(session, dairy.ctx)
    app = create_app(dairy.engine, lambda: dairy.ctx.now, keys=dairy.keys, settings=Settings(webhooks_private=True))

    def of(role: str) -> TestClient:
        with transaction(dairy.engine) as session:
            bearer = token(session, dairy.keys, dairy.ctx.now, role)
        return TestClient(app, headers={"Authorization": f"Bearer {bearer}"})

    return of


def made(client: TestClient, url: str, **over: Any) -> dict[str, Any]:
    answer = client.post("/api/webhooks", json={"url": url, "events": ["order.placed", "order.placed"]} | over)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_secret_is_shown_once_and_signs(
    client: Callable[[str], TestClient], dairy: Dairy, receiver: Receiver
) -> None:
    admin = client("admin")
    endpoint = made(admin, receiver.url)
    assert endpoint["events"] == ["order.placed"]
    path = f"/api/webhooks/{endpoint['id']}"
    sent = admin.post(f"{path}/test")
    assert sent.status_code == 202
    dairy.send()
    told = Webhook(endpoint["secret"]).verify(receiver.got[0][1], receiver.got[0][0])
    assert (told["type"], receiver.ids()) == ("webhook.test", [sent.json()["event_id"]])
    rotated = admin.post(f"{path}/rotate").json()["secret"]
    tries = admin.get(f"{path}/attempts").json()["items"]
    assert [(t["event"], t["status"], t["state"]) for t in tries] == [("webhook.test", 204, "delivered")]
    for shown in (admin.get("/api/webhooks"), admin.get(path), admin.get(f"{path}/attempts")):
        assert shown.status_code == 200
        assert endpoint["secret"] not in shown.text
        assert rotated not in shown.text
    again = admin.post(f"{path}/replay", json={"event_id": sent.json()["event_id"]})
    assert (again.status_code, again.json()) == (202, {"events": 1})


def test_a_creation_sent_again_under_one_key_makes_one_endpoint_and_does_not_repeat_the_secret(
    client: Callable[[str], TestClient], receiver: Receiver
) -> None:
    admin = client("admin")
    facts = {"url": receiver.url, "events": ["order.placed"]}
    first, second = (admin.post("/api/webhooks", json=facts, headers={"Idempotency-Key": "k1"}) for _ in range(2))
    assert first.status_code == 201
    assert second.status_code >= 400
    assert first.json()["secret"] not in second.text
    assert len(admin.get("/api/webhooks").json()["items"]) == 1


def test_an_endpoint_is_changed_only_as_it_was_seen_and_then_ended(
    client: Callable[[str], TestClient], receiver: Receiver
) -> None:
    admin = client("admin")
    path = f"/api/webhooks/{made(admin, receiver.url)['id']}"
    seen = admin.get(path).headers["etag"]
    changed = admin.patch(path, json={"state": "disabled", "description": "night"}, headers={"If-Match": seen})
    assert (changed.status_code, changed.json()["state"], changed.json()["description"]) == (200, "disabled", "night")
    assert admin.patch(path, json={"state": "active"}, headers={"If-Match": seen}).status_code == 412
    assert admin.post(f"{path}/test").status_code == 409
    assert admin.delete(path).status_code == 204
    assert {admin.get(path).status_code, admin.post(f"{path}/rotate").status_code} == {404}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"url": "ftp://a.in", "events": ["order.placed"]}, "/url"),
        ({"url": "https://a.in", "events": ["order.eaten"]}, "/body/events/0"),
        ({"url": "https://a.in", "events": []}, "/body/events"),
        ({"url": "https://a.in", "events": ["order.placed"], "secret": "x"}, "/body/secret"),
    ],
)
def test_what_breaks_a_rule_is_named(client: Callable[[str], TestClient], body: dict[str, Any], pointer: str) -> None:
    refused = client("admin").post("/api/webhooks", json=body)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)


@pytest.mark.parametrize("role", ["support", "customer", "driver", "merchant", "warehouse", "marketing", "supplier"])
def test_nobody_else_comes_near(client: Callable[[str], TestClient], receiver: Receiver, role: str) -> None:
    path = f"/api/webhooks/{made(client('admin'), receiver.url)['id']}"
    outsider = client(role)
    answers = [
        outsider.get("/api/webhooks"), outsider.get(path), outsider.get(f"{path}/attempts"), outsider.delete(path),
        outsider.post("/api/webhooks", json={"url": receiver.url, "events": ["order.placed"]}),
        outsider.post(f"{path}/rotate"), outsider.post(f"{path}/test"), outsider.post(f"{path}/replay", json={}),
        outsider.patch(path, json={"state": "disabled"}),
    ]  # fmt: skip
    assert {answer.status_code for answer in answers} == {403}


def test_the_command_lists_and_replays(
    dairy: Dairy, receiver: Receiver, earlybird: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    endpoint, secret = dairy.subscribe(receiver.url)
    listed = earlybird("webhooks", "list", "--json")
    assert (listed.returncode, str(endpoint) in listed.stdout, secret in listed.stdout) == (0, True, False)
    replayed = earlybird("webhooks", "replay", "--since", "2026-01-01", now=dairy.ctx.now)
    assert (replayed.returncode, replayed.stdout) == (0, "0 events will be sent again.\n")
    unknown = earlybird("webhooks", "replay", "--event", str(endpoint))
    assert unknown.returncode == 1
