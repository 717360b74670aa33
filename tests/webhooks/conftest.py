"""A receiver on a real socket, and a dairy whose endpoint it is."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine
from standardwebhooks.webhooks import Webhook

import make
from earlybird.infra.db import transaction
from earlybird.infra.outward import Outward
from earlybird.infra.security import Keys
from earlybird.kernel.ctx import Ctx
from earlybird.webhooks import jobs, service
from earlybird.webhooks.states import EventKind


@dataclass
class Receiver:
    """Keeps what it is told; answers what stands first in `answers`, else 204."""

    got: list[tuple[dict[str, str], str]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    before: Callable[[], None] = lambda: None
    url: str = ""

    def verified(self, secret: str) -> list[dict[str, Any]]:
        """What was told, by the library that receivers use."""
        return [Webhook(secret).verify(body, headers) for headers, body in self.got]

    def kinds(self) -> list[str]:
        return sorted(json.loads(body)["type"] for _, body in self.got)

    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            kept.got.append((dict(self.headers), body))
            kept.before()
            self.send_response(kept.answers.pop(0) if kept.answers else 204)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}/hooks?tenant=7"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield kept
    server.shutdown()
    server.server_close()
    thread.join(5)


@dataclass
class Dairy:
    """A business, its clock, and what is sent for it."""

    engine: Engine
    ctx: Ctx
    keys: Keys
    firm: make.Firm
    customer_id: UUID
    product_id: UUID
    outward: Outward = field(default_factory=lambda: Outward(private=True))

    def subscribe(self, url: str, *events: EventKind) -> tuple[UUID, str]:
        with transaction(self.engine) as session:
            return service.subscribe(
                session, self.ctx, self.keys, url=url, events=events or tuple(EventKind), private=True
            )

    def send(self, later: timedelta = timedelta(0)) -> int:
        return jobs.send(self.engine, self.ctx.at(self.ctx.now + later), self.keys, self.outward)


@pytest.fixture
def dairy(fresh: Engine, ctx: Ctx) -> Dairy:
    """Its clock is the real one, as receivers refuse old signatures."""
    with transaction(fresh) as session:
        firm = make.business(session)
        customer, product = make.customer(session, firm).id, make.product(session, firm).id
    return Dairy(fresh, ctx.at(datetime.now(UTC)), Keys.random(), firm, customer, product)
