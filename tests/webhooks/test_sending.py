"""Telling is at least once under one id, tried again, replayed, rotated, and never into a private network."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from earlybird.infra.db import rows, transaction, value
from earlybird.infra.outward import NotReached, Outward
from earlybird.webhooks import queries, rules, service
from earlybird.webhooks.errors import BadUrl, EndpointDisabled, NoSuchEvent
from earlybird.webhooks.states import EndpointState, EventKind
from webhooks.conftest import Dairy, Receiver
from webhooks.test_events import place


def order(dairy: Dairy) -> None:
    with transaction(dairy.engine) as session:
        place(session, dairy)


def standing(dairy: Dairy) -> dict[str, Any]:
    with transaction(dairy.engine) as session:
        return rows(session, "SELECT state, tries, next_try_at FROM webhook_deliveries")[0]


def test_500s_are_tried_again_on_the_schedule_under_the_same_id_and_body(dairy: Dairy, receiver: Receiver) -> None:
    _, secret = dairy.subscribe(receiver.url)
    receiver.answers = [500, 302, 429]
    order(dairy)
    assert dairy.send() == 1
    assert dairy.send(timedelta(seconds=4)) == 0
    assert dairy.send(timedelta(seconds=5)) == 1
    assert dairy.send(timedelta(seconds=5 + 299)) == 0
    assert dairy.send(timedelta(seconds=5 + 300)) == 1
    assert standing(dairy)["state"] == "waiting"
    assert dairy.send(timedelta(seconds=5 + 300 + 1800)) == 1
    assert (standing(dairy)["state"], standing(dairy)["tries"]) == ("delivered", 4)
    assert len(set(receiver.ids())) == 1
    assert len({body for _, body in receiver.got}) == 1
    assert len({headers["webhook-timestamp"] for headers, _ in receiver.got}) == 4
    Webhook(secret).verify(receiver.got[0][1], receiver.got[0][0])


def test_after_the_last_try_there_is_a_finding_and_the_next_success_closes_it(dairy: Dairy, receiver: Receiver) -> None:
    endpoint, _ = dairy.subscribe(receiver.url)
    order(dairy)
    receiver.answers = [503] * 8
    later = timedelta(0)
    for pause in (*rules.WAITS, timedelta(0)):
        assert dairy.send(later) == 1
        later += pause
    assert standing(dairy)["state"] == "failed"
    with transaction(dairy.engine) as session:
        assert rows(session, "SELECT subject, state FROM findings") == [{"subject": str(endpoint), "state": "open"}]
        assert queries.show(session, endpoint)["failing_since_at"] is not None
        assert service.replay(session, dairy.ctx.at(dairy.ctx.now + later), endpoint_id=endpoint) == 1
    assert dairy.send(later) == 1
    with transaction(dairy.engine) as session:
        assert value(session, "SELECT state FROM findings") == "resolved"
        assert queries.show(session, endpoint)["failing_since_at"] is None


def test_410_disables_the_endpoint_and_gives_up_what_waits(dairy: Dairy, receiver: Receiver) -> None:
    endpoint, _ = dairy.subscribe(receiver.url)
    receiver.answers = [410]
    order(dairy)
    dairy.send()
    order(dairy)
    assert dairy.send(timedelta(days=2)) == 0
    with transaction(dairy.engine) as session:
        assert queries.show(session, endpoint)["state"] == "disabled"
        with pytest.raises(EndpointDisabled):
            service.replay(session, dairy.ctx, endpoint_id=endpoint)
    assert standing(dairy)["state"] == "failed"


def test_a_rotated_secret_signs_beside_the_old_one_for_a_day(dairy: Dairy, receiver: Receiver) -> None:
    endpoint, old = dairy.subscribe(receiver.url)
    with transaction(dairy.engine) as session:
        new = service.rotate(session, dairy.ctx, dairy.keys, endpoint)
    order(dairy)
    dairy.send()
    assert old != new
    assert len(receiver.got[0][0]["webhook-signature"].split(" ")) == 2
    assert receiver.verified(old) == receiver.verified(new)
    assert rules.headers("i", dairy.ctx.now, "{}", [new])["webhook-signature"].startswith("v1,")
    with transaction(dairy.engine) as session:
        service.replay(session, dairy.ctx.at(dairy.ctx.now + timedelta(hours=24)), since=dairy.ctx.now - timedelta(1))
        taken = service.take(session, dairy.ctx.at(dairy.ctx.now + timedelta(hours=24)), dairy.keys)
    assert [each.signing for each in taken] == [(new,)]
    with pytest.raises(WebhookVerificationError):
        Webhook(service.rules.new_secret()).verify(receiver.got[0][1], receiver.got[0][0])


def test_no_secret_stands_in_the_database_the_trail_or_an_answer(dairy: Dairy, receiver: Receiver) -> None:
    endpoint, secret = dairy.subscribe(receiver.url)
    with transaction(dairy.engine) as session:
        kept = rows(session, "SELECT * FROM webhook_endpoints")[0]
        assert secret.encode() not in kept["secret"]
        assert dairy.keys.open("webhooks", kept["secret"]).decode() == secret
        assert "secret" not in queries.show(session, endpoint)
        assert secret not in str(rows(session, "SELECT before, after, reason FROM audit_entries"))
        assert secret not in repr(service.take(session, dairy.ctx, dairy.keys))


def test_one_slow_endpoint_does_not_hold_up_another(dairy: Dairy, receiver: Receiver) -> None:
    dairy.subscribe("http://127.0.0.1:1/nobody")
    dairy.subscribe(receiver.url)
    for _ in range(12):
        order(dairy)
    assert dairy.send() == 20
    assert len(receiver.got) == 10
    with transaction(dairy.engine) as session:
        assert value(session, "SELECT count(*) FROM webhook_attempts WHERE error IS NOT NULL") == 10


def test_a_sender_killed_before_it_noted_sends_again_under_the_same_id(
    dairy: Dairy, receiver: Receiver, fresh_url: str, tmp_path: Path
) -> None:
    key = dairy.keys.root.hex()
    environment = {**os.environ, "EARLYBIRD_DATABASE_URL": fresh_url, "EARLYBIRD_SECRET_KEY": key,
                   "EARLYBIRD_WEBHOOKS_PRIVATE": "true"}  # fmt: skip
    _, secret = dairy.subscribe(receiver.url)
    order(dairy)
    started: list[subprocess.Popen[bytes]] = []
    ready = threading.Event()

    def kill() -> None:
        ready.wait(30)
        started[0].send_signal(signal.SIGKILL)
        started[0].wait(30)

    receiver.before = kill
    command = [sys.executable, "-m", "earlybird", "webhooks", "send"]
    started.append(subprocess.Popen(command, env=environment, cwd=tmp_path))
    ready.set()
    assert started[0].wait(60) == -signal.SIGKILL
    receiver.before = lambda: None
    assert standing(dairy)["state"] == "waiting"
    assert dairy.send(timedelta(seconds=60)) == 0
    assert dairy.send(rules.LEASE + timedelta(seconds=60)) == 1
    assert len(receiver.got) == 2
    assert len(set(receiver.ids())) == 1
    assert standing(dairy)["state"] == "delivered"
    Webhook(secret).verify(receiver.got[0][1], receiver.got[0][0])


def test_replay_sends_kept_events_again_and_to_endpoints_that_came_later(dairy: Dairy, receiver: Receiver) -> None:
    dairy.subscribe(receiver.url)
    order(dairy)
    dairy.send()
    late, _ = dairy.subscribe(receiver.url + "&late")
    since = dairy.ctx.now - timedelta(days=1)
    with transaction(dairy.engine) as session:
        event = value(session, "SELECT id FROM webhook_events")
        assert service.replay(session, dairy.ctx) == 0
        assert service.replay(session, dairy.ctx, endpoint_id=late, since=since) == 1
        assert service.replay(session, dairy.ctx, event_id=event) == 1
        assert service.replay(session, dairy.ctx, since=dairy.ctx.now + timedelta(days=1)) == 0
        with pytest.raises(NoSuchEvent):
            service.replay(session, dairy.ctx, event_id=late)
    assert dairy.send() == 2
    assert set(receiver.ids()) == {str(event)}


def test_old_events_are_forgotten_unless_they_wait(dairy: Dairy, receiver: Receiver) -> None:
    endpoint, _ = dairy.subscribe(receiver.url)
    order(dairy)
    dairy.send()
    with transaction(dairy.engine) as session:
        service.test(session, dairy.ctx, endpoint)
        assert service.forget(session, dairy.ctx.at(dairy.ctx.now + timedelta(days=29))) == 0
        assert service.forget(session, dairy.ctx.at(dairy.ctx.now + timedelta(days=31))) == 1
        assert value(session, "SELECT kind FROM webhook_events") == "webhook.test"


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/", "https://user:pw@hooks.example.com/", "https://127.0.0.1/", "https://[::1]/",
        "https://10.0.0.7/", "https://169.254.169.254/latest", "https://[::ffff:10.0.0.1]/", "https://[64:ff9b::a00:1]/",
        "https://localhost/", "https://intranet/", "https://db.internal/", "https://2130706433/", "https://0x7f.1/",
        "https://a.in/#x", "ftp://a.in/", "https://", "https://a.in:99999/", "https://a.in/\nx", "nonsense",
        "https://[fe80::1]/", "https://100.64.0.1/", "https://0.0.0.0/", "https://224.0.0.1/", "https://[2002:a00:1::]/",
    ],
)  # fmt: skip
def test_a_url_that_does_not_lead_to_the_public_internet_is_refused(url: str) -> None:
    with pytest.raises(BadUrl) as refused:
        rules.check_url(url, private=False)
    assert refused.value.field == "url"


@pytest.mark.parametrize("url", ["https://hooks.example.com/a?b=c", "https://8.8.8.8:8443/", "https://a.in"])
def test_a_public_url_is_taken(url: str) -> None:
    assert rules.check_url(url, private=False) == url


def test_a_name_that_resolves_to_a_private_address_is_never_asked(receiver: Receiver) -> None:
    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(NotReached, match="private"):
            Outward().post(receiver.url.replace("127.0.0.1", host), b"{}", {})
    assert receiver.got == []


def test_a_redirect_is_not_followed_and_the_host_is_the_one_named(receiver: Receiver) -> None:
    receiver.answers = [307]
    assert Outward(private=True).post(receiver.url.replace("127.0.0.1", "localhost"), b"{}", {}) == 307
    assert len(receiver.got) == 1
    assert receiver.got[0][0]["host"] == httpx.URL(receiver.url).netloc.decode().replace("127.0.0.1", "localhost")


def test_a_certificate_nobody_vouches_for_is_refused_and_the_pinned_address_still_proves_its_name(
    tmp_path: Path,
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.headers["Host"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(HTTPServer):
        def handle_error(self, *_: object) -> None:
            pass

    server = Quiet(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"https://localhost:{server.server_port}/"
        with pytest.raises(NotReached, match="certificate"):
            Outward(private=True).post(url, b"{}", {})
        trusting = ssl.create_default_context(cafile=str(certificate))
        assert Outward(private=True, trusted=trusting).post(url, b"{}", {}) == 200
        with pytest.raises(NotReached, match="certificate"):
            Outward(private=True, trusted=trusting).post(url.replace("localhost", "127.0.0.1"), b"{}", {})
        assert seen == [f"localhost:{server.server_port}"]
    finally:
        server.shutdown()
        server.server_close()


def test_disabling_gives_up_and_enabling_tells_what_comes_next(dairy: Dairy, receiver: Receiver) -> None:
    endpoint, _ = dairy.subscribe(receiver.url, EventKind.order_placed)
    receiver.answers = [500]
    order(dairy)
    dairy.send()
    for state in (EndpointState.disabled, EndpointState.active):
        with transaction(dairy.engine) as session:
            service.change(session, dairy.ctx, endpoint, state=state)
    assert standing(dairy)["state"] == "failed"
    order(dairy)
    assert dairy.send() == 1
