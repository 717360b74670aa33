"""The price in force, and amounts rounded alike in Python and in SQL."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

import make
from earlybird.catalog import queries
from earlybird.catalog.models import Price
from earlybird.infra.db import rows
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.money import Money
from earlybird.orders import service as orders
from earlybird.orders.errors import NoPriceInForce, NoSuchProduct, NothingOrdered
from earlybird.orders.service import Wanted
from earlybird.subscriptions.errors import CutoffPassed
from earlybird.territory.states import Shift

DAY = date(2026, 1, 17)


def test_own_price_then_agreed_then_list_each_as_of_the_date(session: Session) -> None:
    firm = make.business(session)
    meena, ravi, milk = make.customer(session, firm), make.customer(session, firm), make.product(session, firm)
    session.add_all(
        Price(product_id=milk.id, scope="customer" if who else "list", customer_id=who, unit_price=Decimal(price),
              currency="INR", valid_from=since)
        for who, price, since in (
            (None, "62", date(2026, 1, 10)),
            (None, "65", date(2026, 1, 18)),
            (meena.id, "58", date(2026, 1, 15)),
            (meena.id, "59", date(2026, 1, 17)),
        )
    )  # fmt: skip
    session.flush()

    def price(who: object, on: date, agreed: str | None = None) -> tuple[Decimal | None, bool]:
        found = queries.price_on(session, milk.id, who, on, agreed=agreed and Decimal(agreed))  # type: ignore[arg-type]
        assert found is not None
        assert found["currency"] == "INR"
        return found["unit_price"], found["price_id"] is not None

    assert price(meena.id, DAY, "40") == (59, True)
    assert price(meena.id, date(2026, 1, 16)) == (58, True)
    assert price(meena.id, date(2026, 1, 14)) == (62, True)
    assert price(ravi.id, DAY, "40") == (40, False)
    assert price(ravi.id, DAY, "0") == (0, False)
    assert price(ravi.id, DAY) == (62, True)
    assert price(ravi.id, date(2026, 1, 18)) == (65, True)
    assert price(ravi.id, date(2025, 1, 1)) == (None, False)


amounts = st.lists(
    st.tuples(
        st.decimals(0, 99_999, places=3),
        st.decimals(0, 999_999, places=4),
        st.sampled_from(["INR", "CAD", "JPY", "KWD"]),
    ),
    min_size=100,
    max_size=200,
)
halves = [(Decimal("0.5"), Decimal("0.01"), "INR"), (Decimal("2.5"), Decimal(1), "JPY")]


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(amounts)
def test_an_amount_is_rounded_in_sql_as_in_money(session: Session, cases: list[tuple[Decimal, Decimal, str]]) -> None:
    cases += halves
    found = rows(
        session,
        f"SELECT {queries.amount_minor('q', 'p', 'c')} AS minor FROM unnest(CAST(:q AS numeric[]), "
        "CAST(:p AS numeric[]), CAST(:c AS text[])) WITH ORDINALITY AS t(q, p, c, n) ORDER BY n",
        {"q": [q for q, _, _ in cases], "p": [p for _, p, _ in cases], "c": [c for _, _, c in cases]},
    )
    assert [row["minor"] for row in found] == [Money.of(p, q, c).minor for q, p, c in cases]


def test_an_order_by_hand_is_priced_or_refused(session: Session, ctx: Ctx) -> None:
    firm = make.business(session)
    meena, milk, curd = make.customer(session, firm), make.product(session, firm), make.product(session, firm, "Curd")
    facts = {"service_on": DAY, "shift": Shift.morning}
    order = orders.place(
        session, ctx, meena.id, lines=[Wanted(milk.id, Decimal("1.5")), Wanted(curd.id, Decimal(1), Decimal(9))], **facts
    )  # fmt: skip
    found = rows(session, "SELECT product_name, amount_minor, price_id IS NULL AS given FROM order_lines ORDER BY 1")
    assert [tuple(row.values()) for row in found] == [("Curd", 900, True), ("Toned Milk", 9000, False)]
    assert order.state == "placed"
    with pytest.raises(NothingOrdered):
        orders.place(session, ctx, meena.id, lines=[Wanted(milk.id, Decimal(0))], **facts)
    with pytest.raises(NoSuchProduct):
        orders.place(session, ctx, meena.id, lines=[Wanted(meena.id, Decimal(1))], **facts)
    with pytest.raises(CutoffPassed):
        orders.place(session, ctx, meena.id, service_on=date(2026, 1, 15), shift=Shift.morning,
                     lines=[Wanted(milk.id, Decimal(1))])  # fmt: skip
    session.query(Price).delete()
    with pytest.raises(NoPriceInForce):
        orders.place(session, ctx, meena.id, lines=[Wanted(milk.id, Decimal(1))], **facts)
    orders.cancel(session, ctx, order.id, reason="x")
    assert rows(session, "SELECT DISTINCT cancelled_by FROM order_lines WHERE cancelled_at IS NOT NULL") == [
        {"cancelled_by": "person"}
    ]
