"""What was delivered, as plan and door would have written it: one line at a time, or whole months at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from earlybird.catalog.models import Product
from earlybird.customers.service import logins_later
from earlybird.kernel import ids
from make.business import Firm

ON = date(2026, 1, 5)


@dataclass
class Delivered:
    """A delivery line; `events` counts what was said about it."""

    delivery_id: UUID
    line_id: UUID
    customer_id: UUID
    service_on: date
    price: Decimal
    quantity: Decimal
    events: int = 0


LINE = """
WITH o AS (
    INSERT INTO orders (id, seller_id, site_id, customer_id, source, service_on, shift, state)
    VALUES (:order_id, :firm, :site, :customer, :source, :on, :shift, 'delivered')
), ol AS (
    INSERT INTO order_lines (id, order_id, customer_id, service_on, shift, source, product_id, product_name, unit,
        quantity, base_quantity, unit_price, currency, amount_minor, tax_class_id)
    VALUES (:order_line_id, :order_id, :customer, :on, :shift, :source, :product, :name, :unit, :ordered, :ordered,
        :price, :currency, 0, :tax_class)
), d AS (
    INSERT INTO deliveries (id, order_id, customer_id, planned_on, shift, state)
    VALUES (:delivery_id, :order_id, :customer, :on, :shift, 'delivered')
)
INSERT INTO delivery_lines (id, delivery_id, order_line_id, customer_id, service_on, ordered_quantity)
VALUES (:line_id, :delivery_id, :order_line_id, :customer, :on, :ordered)
"""


def delivered(
    session: Session,
    firm: Firm,
    customer_id: UUID,
    product: Product,
    quantity: str = "1",
    *,
    on: date = ON,
    price: str = "60",
    source: str = "one_time",
    shift: str = "morning",
    currency: str = "INR",
) -> Delivered:
    """One order of up to 1000 with one line, delivered with `quantity` (nothing is said at the door for none)."""
    line = Delivered(ids.new_id(), ids.new_id(), customer_id, on, Decimal(price), Decimal(0))
    session.execute(
        text(LINE),
        {"order_id": ids.new_id(), "order_line_id": ids.new_id(), "delivery_id": line.delivery_id,
         "line_id": line.line_id, "firm": firm.id, "site": firm.site_id, "customer": customer_id, "on": on,
         "source": source, "shift": shift, "product": product.id, "name": product.name, "unit": product.unit_code,
         "ordered": 1000, "price": line.price, "currency": currency, "tax_class": product.tax_class_id},
    )  # fmt: skip
    if Decimal(quantity):
        said(session, line, quantity)
    return line


def said(session: Session, line: Delivered, delta: str | Decimal, kind: str | None = None) -> UUID:
    """A further event about the line: by how much its delivered quantity changed."""
    line.events += 1
    line.quantity += Decimal(delta)
    key = ids.new_id()
    at = datetime.combine(line.service_on, time(1), UTC)
    event = {"id": key, "client": str(key), "delivery": line.delivery_id, "line": line.line_id, "at": at,
             "customer": line.customer_id, "on": line.service_on, "revision": line.events, "delta": Decimal(delta),
             "kind": kind or ("confirm" if line.events == 1 else "correct"), "event_line": ids.new_id()}  # fmt: skip
    session.execute(
        text(
            "INSERT INTO delivery_events (id, client_id, delivery_id, customer_id, service_on, kind, device_at, "
            "received_at, actor_kind, actor_name, authority, via) VALUES (:id, :client, :delivery, :customer, :on, "
            ":kind, :at, :at, 'user', 'Prakash', 3, 'driver_app')"
        ),
        event,
    )
    session.execute(
        text(
            "INSERT INTO delivery_event_lines (id, event_id, delivery_line_id, customer_id, service_on, revision, "
            "delta_quantity) VALUES (:event_line, :id, :line, :customer, :on, :revision, :delta)"
        ),
        event,
    )
    session.execute(
        text("UPDATE delivery_lines SET delivered_quantity = delivered_quantity + :delta WHERE id = :line"), event
    )
    return UUID(str(event["event_line"]))


MANY = """
CREATE TEMPORARY TABLE made ON COMMIT DROP AS
SELECT new_id() AS order_id, new_id() AS delivery_id, new_id() AS event_id, c.id AS customer_id, c.code, d AS on
FROM customers c, generate_series(CAST(:first AS date), CAST(:last AS date), interval '1 day') AS g(t),
     LATERAL (SELECT g.t::date AS d) AS x
WHERE c.business_id = :firm;
CREATE TEMPORARY TABLE made_lines ON COMMIT DROP AS
SELECT new_id() AS order_line_id, new_id() AS line_id, m.*, p.id AS product_id, p.name, p.unit_code, p.tax_class_id,
       r.unit_price, (1 + abs(hashtext(m.code || p.name)) % 4) * 0.5 AS quantity
FROM made m JOIN products p ON p.business_id = :firm JOIN prices r ON r.product_id = p.id;
INSERT INTO orders (id, seller_id, site_id, customer_id, source, service_on, shift, state)
SELECT order_id, :firm, :site, customer_id, 'subscription', made.on, 'morning', 'delivered' FROM made;
INSERT INTO order_lines (id, order_id, customer_id, service_on, shift, source, product_id, product_name, unit,
    quantity, base_quantity, unit_price, currency, amount_minor, tax_class_id)
SELECT order_line_id, order_id, customer_id, m.on, 'morning', 'subscription', product_id, name, unit_code, quantity,
    quantity, unit_price, :currency, round(unit_price * quantity * 100), tax_class_id FROM made_lines m;
INSERT INTO deliveries (id, order_id, customer_id, planned_on, shift, state)
SELECT delivery_id, order_id, customer_id, made.on, 'morning', 'delivered' FROM made;
INSERT INTO delivery_lines (id, delivery_id, order_line_id, customer_id, service_on, ordered_quantity,
    delivered_quantity)
SELECT line_id, delivery_id, order_line_id, customer_id, m.on, quantity, quantity FROM made_lines m;
INSERT INTO delivery_events (id, client_id, delivery_id, customer_id, service_on, kind, device_at, received_at,
    actor_kind, actor_name, authority, via)
SELECT event_id, event_id::text, delivery_id, customer_id, made.on, 'confirm', made.on, made.on, 'user', 'Prakash', 3,
    'driver_app' FROM made;
INSERT INTO delivery_event_lines (event_id, delivery_line_id, customer_id, service_on, revision, delta_quantity)
SELECT event_id, line_id, customer_id, m.on, 1, quantity FROM made_lines m;
"""


def delivered_many(session: Session, firm: Firm, first: date, last: date) -> None:
    """Every customer of the firm got half to two litres of every product on every day."""
    facts = {"first": first, "last": last, "firm": firm.id, "site": firm.site_id, "currency": firm.currency}
    session.execute(text("DROP TABLE IF EXISTS pg_temp.made, pg_temp.made_lines"))
    for statement in MANY.split(";\n"):
        if statement.strip():
            session.execute(text(statement), facts)


def customers_many(session: Session, firm: Firm, count: int) -> None:
    """So many active households, with codes C-000001 and on, none of whom signs in."""
    logins_later(session, "customers of the tests")
    session.execute(
        text(
            "INSERT INTO customers (business_id, site_id, code, name, state) SELECT :firm, :site, "
            "'C-' || lpad(n::text, 6, '0'), 'Household ' || n, 'active' FROM generate_series(1, :count) n"
        ),
        {"firm": firm.id, "site": firm.site_id, "count": count},
    )
