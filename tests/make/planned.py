"""A planned round: orders with their lines, each with a delivery, as the plan would have made them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from earlybird.kernel import ids
from make.business import Firm

ON = date(2026, 1, 15)


@dataclass(frozen=True)
class Planned:
    """An order with one planned delivery; ids of order lines and delivery lines in order."""

    order_id: UUID
    delivery_id: UUID
    code: str
    line_ids: tuple[UUID, ...]
    delivery_line_ids: tuple[UUID, ...]


def planned(
    session: Session,
    firm: Firm,
    customer_id: UUID,
    products: Sequence[UUID],
    quantities: Sequence[str] = ("2", "1"),
    *,
    on: date = ON,
    state: str = "planned",
) -> Planned:
    """One order for one customer with a line per quantity."""
    order_id, delivery_id = ids.new_id(), ids.new_id()
    made = Planned(
        order_id,
        delivery_id,
        ids.code("O", order_id),
        tuple(sorted(ids.new_id() for _ in quantities)),
        tuple(ids.new_id() for _ in quantities),
    )
    facts = {"order_id": order_id, "delivery_id": delivery_id, "seller": firm.id, "site": firm.site_id,
             "customer": customer_id, "on": on, "state": state, "code": made.code}  # fmt: skip
    session.execute(
        text(
            "INSERT INTO orders (id, seller_id, site_id, customer_id, code, source, service_on, shift, state) "
            "VALUES (:order_id, :seller, :site, :customer, :code, 'one_time', :on, 'morning', :state)"
        ),
        facts,
    )
    session.execute(
        text(
            "INSERT INTO deliveries (id, order_id, customer_id, planned_on, shift, state) "
            "VALUES (:delivery_id, :order_id, :customer, :on, 'morning', :state)"
        ),
        facts,
    )
    for place, quantity in enumerate(quantities):
        line = facts | {
            "line_id": made.line_ids[place],
            "delivery_line_id": made.delivery_line_ids[place],
            "product": products[place % len(products)],
            "quantity": Decimal(quantity),
        }
        session.execute(
            text(
                "INSERT INTO order_lines (id, order_id, customer_id, service_on, shift, source, product_id, "
                "product_name, unit, quantity, base_quantity, unit_price, currency, amount_minor) VALUES (:line_id, "
                ":order_id, :customer, :on, 'morning', 'one_time', :product, 'Milk', 'L', :quantity, :quantity, 60, "
                "'INR', CAST(:quantity * 6000 AS bigint))"
            ),
            line,
        )
        session.execute(
            text(
                "INSERT INTO delivery_lines (id, delivery_id, order_line_id, customer_id, service_on, "
                "ordered_quantity) VALUES (:delivery_line_id, :delivery_id, :line_id, :customer, :on, :quantity)"
            ),
            line,
        )
    return made
