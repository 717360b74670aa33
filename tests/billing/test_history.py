"""Whatever happens in whatever order, the books add up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

import make
from conftest import SOAK
from earlybird.billing import queries
from earlybird.billing.service import adjustments, charges, credit_notes, invoices, payments
from earlybird.billing.states import AdjustmentKind
from earlybird.infra.db import rows, value
from earlybird.kernel.clock import Month, business_day
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.money import Money
from make.delivered import Delivered, delivered, said

STEP = st.one_of(
    st.tuples(st.just("deliver"), st.integers(0, 2), st.integers(0, 2), st.integers(0, 9000), st.integers(0, 75)),
    st.tuples(st.just("deliver"), st.integers(0, 2), st.integers(0, 2), st.integers(0, 9000), st.integers(0, 75)),
    st.tuples(st.just("correct"), st.integers(0, 50), st.integers(0, 9000)),
    st.tuples(st.just("correct"), st.integers(0, 50), st.integers(0, 9000)),
    st.tuples(st.just("waive"), st.integers(0, 50)),
    st.tuples(st.just("adjust"), st.integers(0, 2), st.integers(-5000, 5000)),
    st.tuples(st.just("bill")),
    st.tuples(st.just("bill")),
    st.tuples(st.just("pay"), st.integers(0, 2), st.integers(1, 900_000)),
    st.tuples(st.just("reverse"), st.integers(0, 50)),
    st.tuples(st.just("credit"), st.integers(0, 50)),
)
PRICES = ("10.0033", "60", "33.3333", "0.1250")


class Life:
    """A business living through random days, all in one rolled-back transaction."""

    def __init__(self, session: Session, ctx: Ctx, *, included: bool, rounds: bool) -> None:
        self.session, self.ctx = session, ctx
        self.firm = make.business(session, f"Firm {ctx.trace_id}", prices_include_tax=included, rounds_to_major=rounds)
        self.customers = [make.customer(session, self.firm, name).id for name in ("Anna", "Bela", "Chandra")]
        self.products = [
            make.product(session, self.firm, "Milk"),
            make.product(session, self.firm, "Ghee", tax="0.05"),
            make.product(session, self.firm, "Paneer", tax="0.18"),
        ]
        self.lines: list[Delivered] = []
        self.paid: list[str] = []
        self.included = included

    def deliver(self, customer: int, product: int, thousandths: int, day: int) -> None:
        on = date(2025, 11, 1) + timedelta(days=day)
        price = PRICES[thousandths % len(PRICES)]
        quantity = str(Decimal(thousandths) / 1000)
        self.lines.append(
            delivered(self.session, self.firm, self.customers[customer], self.products[product], quantity, on=on,
                      price=price)
        )  # fmt: skip

    def correct(self, pick: int, thousandths: int) -> None:
        if self.lines:
            line = self.lines[pick % len(self.lines)]
            delta = Decimal(thousandths) / 1000 - line.quantity
            if delta:
                said(self.session, line, delta, "return" if delta < 0 else "correct")

    def waive(self, pick: int) -> None:
        charges.charge_delivered(self.session, self.ctx)
        open_ = rows(self.session, "SELECT charge_id FROM unbilled_charges ORDER BY service_on, charge_id")
        if open_:
            charges.waive_charge(self.session, self.ctx, open_[pick % len(open_)]["charge_id"], reason="goodwill")

    def adjust(self, customer: int, amount: int) -> None:
        if amount:
            kind = list(AdjustmentKind)[abs(amount) % 5]
            asks = {AdjustmentKind.fee: 1, AdjustmentKind.recovery: 1, AdjustmentKind.discount: -1,
                    AdjustmentKind.goodwill: -1}.get(kind)  # fmt: skip
            row = adjustments.propose_adjustment(
                self.session, self.ctx, self.customers[customer], kind=kind,
                amount_minor=asks * abs(amount) if asks else amount, effective_on=date(2026, 1, 3), reason="as agreed",
            )  # fmt: skip
            if amount % 3:
                adjustments.approve_adjustment(self.session, self.ctx, row.id)

    def bill(self) -> None:
        self.ctx = self.ctx.at(self.ctx.now + timedelta(days=1))
        charges.charge_delivered(self.session, self.ctx, limit=None)
        month = Month.of(business_day(self.ctx.now, "Asia/Kolkata"))
        payers = queries.payers_to_bill(self.session, self.firm.id, since=date.min, through=month.last)
        for customer in payers:
            invoices.run_month(self.session, self.ctx, self.firm.id, month, [customer])
        assert not queries.payers_to_bill(self.session, self.firm.id, since=date.min, through=month.last)

    def pay(self, customer: int, minor: int) -> None:
        name = f"{self.ctx.trace_id}-{len(self.paid)}"
        self.paid.append(name)
        row = {"client_id": name, "customer": str(self.customers[customer]), "amount_minor": minor, "currency": "INR",
               "method": "upi", "received_on": "2026-01-10"}  # fmt: skip
        assert payments.receive(self.session, self.ctx, [(1, orjson.dumps(row).decode(), row)]).recorded == 1

    def reverse(self, pick: int) -> None:
        if self.paid:
            row = {"reverse": self.paid[pick % len(self.paid)], "reason": "bounced"}
            payments.reverse(self.session, self.ctx, [(1, orjson.dumps(row).decode(), row)])

    def credit(self, pick: int) -> None:
        found = rows(
            self.session,
            "SELECT id FROM invoices WHERE business_id = :b AND kind = 'invoice' AND state = 'issued' ORDER BY number",
            {"b": self.firm.id},
        )
        if found:
            credit_notes.credit_in_full(self.session, self.ctx, found[pick % len(found)]["id"], reason="mistaken")

    def check(self) -> None:
        charges.charge_delivered(self.session, self.ctx)
        for line in self.lines:
            charged = value(
                self.session,
                "SELECT coalesce(sum(c.amount_minor), 0) FROM charges c JOIN delivery_event_lines e "
                "ON e.id = c.event_line_id WHERE e.delivery_line_id = :id",
                {"id": line.line_id},
            )
            assert charged == Money.of(line.price, line.quantity, "INR").minor
        facts = {"b": self.firm.id, "c": self.customers, "included": self.included}

        def none(sql: str) -> None:
            assert rows(self.session, sql, facts) == []

        none("SELECT journal_id FROM postings GROUP BY 1 HAVING sum(amount_minor) <> 0")
        none(
            "SELECT l.id FROM invoice_lines l JOIN charges c ON c.id = l.charge_id WHERE l.amount_minor <> c.amount_minor"
        )
        none("SELECT l.id FROM invoice_lines l JOIN waivers w ON w.charge_id = l.charge_id")
        none(
            "SELECT i.id FROM invoices i LEFT JOIN LATERAL (SELECT coalesce(sum(amount_minor), 0) a, "
            "coalesce(sum(tax_minor), 0) t FROM invoice_lines WHERE invoice_id = i.id) l ON true LEFT JOIN LATERAL "
            "(SELECT coalesce(sum(tax_minor), 0) t, coalesce(sum(base_minor), 0) b FROM invoice_taxes "
            "WHERE invoice_id = i.id) x ON true WHERE i.business_id = :b AND (i.tax_minor <> l.t OR i.tax_minor <> x.t "
            "OR i.total_minor <> l.a + CASE WHEN :included THEN 0 ELSE l.t END + i.rounding_minor "
            "OR i.total_minor <> i.subtotal_minor + i.tax_minor + i.rounding_minor)"
        )
        none(
            "SELECT c.id FROM unnest(CAST(:c AS uuid[])) c(id) WHERE "
            "(SELECT coalesce(sum(amount_minor), 0) FROM postings p WHERE p.customer_id = c.id "
            " AND account IN ('receivable', 'customer_advance')) <> "
            "(SELECT coalesce(sum(total_minor), 0) FROM invoices i WHERE i.customer_id = c.id) - "
            "(SELECT coalesce(sum(amount_minor), 0) FROM payments y WHERE y.customer_id = c.id AND state = 'recorded')"
        )
        none(
            "SELECT series FROM invoices WHERE business_id = :b GROUP BY 1 "
            "HAVING max(number) <> count(*) OR min(number) <> 1"
        )
        none(
            "SELECT i.id FROM invoices i JOIN payment_allocations a ON a.invoice_id = i.id GROUP BY i.id "
            "HAVING sum(a.amount_minor) NOT BETWEEN 0 AND greatest(i.total_minor, 0)"
        )
        none(
            "SELECT y.id FROM payments y JOIN payment_allocations a ON a.payment_id = y.id GROUP BY y.id HAVING "
            "sum(a.amount_minor) NOT BETWEEN 0 AND CASE y.state WHEN 'reversed' THEN 0 ELSE y.amount_minor END"
        )
        open_ = dict.fromkeys(self.customers, 0)
        for row in queries.open_documents(self.session, self.customers):
            open_[row["customer_id"]] += row["open_minor"]
        for key, minor in open_.items():
            stands = queries.statement(self.session, key)
            assert minor == max(stands["receivable_minor"], 0)
            assert stands["advance_minor"] >= 0
            assert not (minor and stands["advance_minor"])
        assert charges.sweep(self.session) == 0


@settings(
    max_examples=400 if SOAK else 20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=not SOAK,
)
@given(steps=st.lists(STEP, min_size=4, max_size=24), included=st.booleans(), rounds=st.booleans())
def test_the_books_add_up_whatever_happens(
    session: Session,
    steps: list[tuple[Any, ...]],
    *,
    included: bool,
    rounds: bool,
) -> None:
    from conftest import NOW
    from earlybird.kernel.ctx import SYSTEM

    ctx = Ctx(actor=SYSTEM, now=NOW, via="test")
    with session.begin_nested() as savepoint:
        life = Life(session, ctx, included=included, rounds=rounds)
        for verb, *facts in steps:
            act: Callable[..., None] = getattr(life, verb)
            act(*facts)
        life.bill()
        life.check()
        savepoint.rollback()
