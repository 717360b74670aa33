"""The proof explains every rupee delivered and every rupee asked, now and as of any past day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from earlybird.infra.db import value
from earlybird.kernel.ctx import Ctx
from earlybird.reconcile import leakage
from make.month import NOW


def whole(session: Session, ctx: Ctx, as_of: date | None = None) -> leakage.Line:
    lines = leakage.prove(session, ctx.at(NOW), as_of=as_of)
    for line in lines:
        assert line.delivered_minor + line.over_minor == (
            line.billed_minor + line.waived_minor + line.excluded_minor + line.not_yet_due_minor + line.lost_minor
        )
    [found] = leakage.total(lines)
    return found


def test_a_clean_business_loses_nothing_and_asks_nothing_more(books: Session, ctx: Ctx) -> None:
    found = whole(books, ctx)
    assert (found.lost_minor, found.over_minor) == (0, 0)
    assert found.charged_minor == found.delivered_minor == value(books, "SELECT sum(amount_minor) FROM charges")
    assert found.billed_minor == value(books, "SELECT sum(amount_minor) FROM invoice_lines WHERE charge_id IS NOT NULL")
    assert found.waived_minor == 18000
    assert found.not_yet_due_minor > 0
    december, january = leakage.by_month(leakage.prove(books, ctx.at(NOW)))
    assert (december.month, december.not_yet_due_minor) == (date(2025, 12, 1), 0)
    assert (january.billed_minor, january.not_yet_due_minor) == (0, january.delivered_minor)


ONE_LINE = "(SELECT e.id FROM delivery_event_lines e JOIN customers c ON c.id = e.customer_id WHERE c.code = 'C-0004' AND e.service_on = '2025-12-21')"


@pytest.mark.parametrize(
    ("planted", "lost", "over"),
    [
        (f"DELETE FROM charges WHERE event_line_id = {ONE_LINE}", 24000, 0),
        (
            f"DELETE FROM invoice_lines WHERE charge_id = (SELECT id FROM charges WHERE event_line_id = {ONE_LINE})",
            24000,
            0,
        ),
        (f"UPDATE charges SET amount_minor = 20000 WHERE event_line_id = {ONE_LINE}", 4000, 0),
        (f"UPDATE charges SET amount_minor = 25000 WHERE event_line_id = {ONE_LINE}", 0, 1000),
        (f"DELETE FROM delivery_event_lines WHERE id = {ONE_LINE}", 0, 24000),
        ("DELETE FROM waivers", 18000, 0),
        ("DELETE FROM charges h USING delivery_event_lines e WHERE e.id = h.event_line_id AND e.revision = 2", 0, 6000),
    ],
)
def test_a_planted_leak_shows_with_its_money(books: Session, ctx: Ctx, planted: str, lost: int, over: int) -> None:
    books.execute(text(planted))
    found = whole(books, ctx)
    assert (found.lost_minor, found.over_minor) == (lost, over)


def test_a_fact_of_a_moment_ago_is_not_yet_due_and_later_it_is_lost(books: Session, ctx: Ctx) -> None:
    books.execute(text("UPDATE delivery_events SET received_at = :now WHERE service_on = '2026-01-14'"), {"now": NOW})
    books.execute(text("DELETE FROM charges WHERE service_on >= '2026-01-01'"))
    books.execute(text("DELETE FROM delivery_event_lines WHERE service_on BETWEEN '2026-01-01' AND '2026-01-13'"))
    books.execute(text("DELETE FROM charges WHERE id <> (SELECT id FROM charges ORDER BY id LIMIT 1)"))
    books.execute(text("UPDATE charges SET id = '00000000-0000-7000-8000-000000000000'"))
    fresh = [x for x in leakage.prove(books, ctx.at(NOW)) if x.month == date(2026, 1, 1)]
    [found] = leakage.total(fresh)
    assert found.lost_minor == 0
    assert found.not_yet_due_minor == found.delivered_minor > 0
    later = [x for x in leakage.prove(books, ctx.at(NOW + timedelta(minutes=3))) if x.month == date(2026, 1, 1)]
    [found] = leakage.total(later)
    assert found.lost_minor == found.delivered_minor > 0


def test_one_time_orders_switched_off_are_left_out_not_lost(books: Session, ctx: Ctx) -> None:
    books.execute(
        text("DELETE FROM charges h USING delivery_event_lines e, delivery_lines d, order_lines o "
             "WHERE e.id = h.event_line_id AND d.id = e.delivery_line_id AND o.id = d.order_line_id AND o.source = 'one_time'")
    )  # fmt: skip
    assert whole(books, ctx).lost_minor == 3 * 9033
    books.execute(text("INSERT INTO policies VALUES ('charge_one_time_orders', 'false', now(), 'Asha')"))
    found = whole(books, ctx)
    assert (found.lost_minor, found.excluded_minor) == (0, 3 * 9033)


def test_a_past_day_counts_only_what_was_known_by_its_end_in_the_business_zone(books: Session, ctx: Ctx) -> None:
    before = whole(books, ctx, date(2025, 12, 31))
    assert before.billed_minor == before.lost_minor == before.over_minor == 0
    assert before.not_yet_due_minor + before.waived_minor == before.delivered_minor == before.charged_minor
    assert before.delivered_minor == value(
        books, "SELECT sum(amount_minor) FROM charges WHERE charged_at < '2025-12-31T18:30Z'"
    )
    assert whole(books, ctx, date(2026, 1, 1)).billed_minor == whole(books, ctx).billed_minor
    assert whole(books, ctx, date(2026, 1, 14)) == whole(books, ctx)
    assert leakage.prove(books, ctx, as_of=date(2025, 11, 1)) == []


def test_a_tap_just_before_midnight_was_not_yet_due_at_midnight(books: Session, ctx: Ctx) -> None:
    books.execute(
        text("UPDATE delivery_events SET received_at = '2026-01-10T18:29:30Z' WHERE service_on = '2026-01-10'")
    )
    books.execute(text("UPDATE charges SET charged_at = '2026-01-10T18:30:10Z' WHERE service_on = '2026-01-10'"))
    books.execute(text("DELETE FROM charges WHERE service_on > '2026-01-10'"))
    books.execute(
        text(
            "UPDATE charges SET id = overlay(new_id()::text PLACING '000000000000' FROM 1 FOR 13)::uuid WHERE NOT EXISTS (SELECT FROM invoice_lines l WHERE l.charge_id = charges.id)"
        )
    )
    books.execute(text("DELETE FROM charges WHERE service_on < '2026-01-01' "))
    found = leakage.total(x for x in leakage.prove(books, ctx, as_of=date(2026, 1, 10)) if x.month == date(2026, 1, 1))[
        0
    ]
    assert found.lost_minor == 0
    assert found.charged_minor < found.delivered_minor
