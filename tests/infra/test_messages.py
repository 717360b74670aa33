"""The real gateways, spoken to over real sockets."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from pydantic import SecretStr

from earlybird import wiring
from earlybird.infra.ports.messages import AppriseMessages, GatewayMalformed, NoMessages, NotSent
from earlybird.infra.settings import Settings


@pytest.fixture
def mailbox() -> Iterator[tuple[int, list[str]]]:
    """A mail server for one connection after the other; what it was told."""
    told: list[str] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection, connection.makefile("rw", newline="") as line:

                def say(words: str) -> None:
                    line.write(words + "\r\n")
                    line.flush()

                say("220 here")
                is_body = False
                for heard in line:
                    told.append(heard.rstrip("\r\n"))
                    if is_body:
                        is_body = heard != ".\r\n"
                        if not is_body:
                            say("250 taken")
                    elif heard.upper().startswith("DATA"):
                        is_body = True
                        say("354 go on")
                    elif heard.upper().startswith("QUIT"):
                        say("221 bye")
                        break
                    else:
                        say("250 ok")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server.getsockname()[1], told
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(5)


@pytest.fixture
def gateway() -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """A gateway for SMS: what it was handed, by path."""
    got: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            got.append((self.path, body["message"]))
            self.send_response(200 if "refuse" not in self.path else 500)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port, got
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_each_channel_has_its_own_gateway(
    mailbox: tuple[int, list[str]], gateway: tuple[int, list[tuple[str, str]]]
) -> None:
    settings = Settings(
        message_urls=SecretStr(
            f"mailto://127.0.0.1:{mailbox[0]}/?from=dairy@milk.in&to={{to}}&mode=insecure "
            f"json://127.0.0.1:{gateway[0]}/sms/{{to}} whatsapp+json://127.0.0.1:{gateway[0]}/chat/{{to}}"
        )
    )
    messages = wiring.messages(settings)
    assert messages.channels == {"email", "sms", "whatsapp"}
    messages.send("email", "ravi@milk.in", "Your code", "482913 is your code")
    messages.send("sms", "+919000000001", "Your code", "739105 is your code")
    assert "rcpt TO:<ravi@milk.in>" in mailbox[1]
    assert "Subject: Your code" in mailbox[1]
    assert gateway[1] == [("/sms/%2B919000000001", "739105 is your code")] or gateway[1] == [
        ("/sms/+919000000001", "739105 is your code")
    ]
    messages.send("whatsapp", "+919000000002", "Delivered", "delivered on 15 Jan 2026")
    assert gateway[1][1:] == [(gateway[1][0][0].replace("sms", "chat")[:-1] + "2", "delivered on 15 Jan 2026")]
    assert "insecure" not in repr(messages)


def test_a_gateway_that_refuses_or_is_gone_says_not_sent(gateway: tuple[int, list[tuple[str, str]]]) -> None:
    with pytest.raises(NotSent):
        AppriseMessages.read(f"json://127.0.0.1:{gateway[0]}/refuse/{{to}}").send("sms", "+91900", "s", "b")
    with pytest.raises(NotSent):
        AppriseMessages.read("json://127.0.0.1:1/{to}").send("sms", "+91900", "s", "b")
    with pytest.raises(NotSent):
        AppriseMessages.read(f"json://127.0.0.1:{gateway[0]}/{{to}}").send("email", "a@b.in", "s", "b")


@pytest.mark.parametrize("urls", ["nonsense", "json://host/", "nosuch://host/{to}", "json://a/{to} json://b/{to}",
                                  "whatsapp+json://host/", "whatsapp+json://a/{to} whatsapp+json://b/{to}"])  # fmt: skip
def test_a_url_that_cannot_work_is_refused_without_being_shown(urls: str) -> None:
    with pytest.raises(GatewayMalformed) as refused:
        AppriseMessages.read(urls)
    assert urls not in str(refused.value)


def test_without_a_setting_there_is_no_gateway() -> None:
    assert wiring.messages(Settings()) == NoMessages()
