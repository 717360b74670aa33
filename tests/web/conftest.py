"""The application over a clean month with three planted leaks, and ways into it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text
from starlette.testclient import TestClient

from conftest import scratch
from earlybird.identity.service import grants, people
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from earlybird.main import create_app
from earlybird.reconcile import service as reconcile
from make.entrance import CTX, link
from make.month import NOW, month

LEAKS = (
    "SET LOCAL session_replication_role = replica",
    (
        "DELETE FROM charges h USING delivery_event_lines e, delivery_lines d, order_lines o WHERE e.id = h.event_line_id "
        "AND d.id = e.delivery_line_id AND o.id = d.order_line_id AND o.source = 'one_time'"
    ),
    "UPDATE customers SET name = '<b>Meena</b>' WHERE code = 'C-0001'",
    (
        "INSERT INTO legacy_bills (source, party, month, customer_id, delivered_minor, one_time_minor, first_view_minor, "
        "second_view_minor, paid_minor, currency) SELECT 'earlybird', code, '2025-11', id, 500000, 120050, 379950, 400000, "
        "379950, 'INR' FROM customers WHERE code = 'C-0002'"
    ),
)


@pytest.fixture(scope="module")
def business(server: Embedded) -> Iterator[Engine]:
    with scratch(server) as url:
        engine = db.connect(url)
        with db.transaction(engine) as session:
            month(session)
        with db.transaction(engine) as session:
            for statement in LEAKS:
                session.execute(text(statement))
        with db.transaction(engine) as session:
            grants.seed(session, CTX)
            people.create_owner(session, CTX, "asha@example.com")
            reconcile.keep(session, CTX, reconcile.ask(session, CTX))
        yield engine
        engine.dispose()


@pytest.fixture
def outside(business: Engine) -> TestClient:
    return TestClient(
        create_app(business, lambda: NOW), follow_redirects=False, headers={"Sec-Fetch-Site": "same-origin"}
    )


@pytest.fixture
def inside(business: Engine, outside: TestClient) -> TestClient:
    assert outside.post(f"/sign-in/{link(business)}").status_code == 303
    return outside
