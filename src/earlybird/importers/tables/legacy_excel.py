"""The spreadsheet the old EarlyBird took customers from: household, door, driver, standing order and old balance.

One row is one household. Quantities are packets; a packet is the product's pack. `day_1` … `day_31` are
dates of the current month; 0 means none. The old balance becomes an opening document, dated before the month.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.identity.states import Role
from earlybird.importers.earlybird import settle
from earlybird.importers.tables import cells, customers, people, subscriptions
from earlybird.importers.tables.columns import Column, Columns, Problem, Row
from earlybird.importers.tables.home import Home
from earlybird.importers.tables.kinds import Kind, Piece, Written, as_json
from earlybird.importers.tables.products import Shelf
from earlybird.importers.tables.reading import Cell
from earlybird.infra.db import lock, rows, run
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Failure
from earlybird.kernel.money import scale
from earlybird.subscriptions import service as standing
from earlybird.territory import queries as territory
from earlybird.territory.states import Shift

NAME = "legacy-excel"
STAFF = {"delivery_boy": Role.driver, "marketing_boy": Role.marketing}
Staff = dict[str, dict[str, UUID | None]]
"""By column and folded name; None where several have the name."""

HOUSEHOLD = {
    "name": "name",
    "phone": "phone",
    "area": "area",
    "address": "address",
    "status": "status",
    "trial_from": "trial_start_date",
    "notes": "notes",
    "map_url": "map_link",
}
"""Our words for the customer's columns of the sheet."""

DAYS = tuple(f"day_{number}" for number in range(1, 32))


def pattern(cell: Cell, home: Home) -> tuple[str, list[int] | None]:
    """Return pattern and weekdays of `fixed_daily` or `weekly_pattern:0,2,4`."""
    said, _, days = cells.word(cell, home).casefold().partition(":")
    if said.strip() == "fixed_daily" and not days:
        return "daily", None
    if said.strip() == "weekly_pattern" and days:
        return "weekly", cells.weekdays(days, home)
    raise cells.Unfit("fixed_daily, or weekly_pattern and its days as weekly_pattern:0,2,4 (0 = Monday).")


COLUMNS = Columns(
    (
        Column("name", cells.text, "household", required=True),
        Column("phone", cells.phone, "as dialled in the business's country", required=True),
        Column("area", cells.word, "part of town; made where it is not there", required=True),
        Column("address", cells.text, "the door"),
        Column("delivery_boy", cells.word, "the driver; made where there is none, with a login, uninvited"),
        Column("marketing_boy", cells.word, "who brought the customer; made as the driver is"),
        Column("shift", cells.one_of("morning", "evening", "both"), "morning (default), evening or both"),
        Column("status", cells.one_of("trial", "active", "paused", "stopped"), "trial (default)"),
        Column("trial_start_date", cells.day, "first day; else the first of this month"),
        Column("product_name", cells.word, "a product that is there, by name or key"),
        Column("product_price", cells.price, "agreed price of a unit (litre), not of a packet"),
        Column("subscription_type", pattern, "fixed_daily (default) or weekly_pattern:0,2,4"),
        Column("default_qty_packets", cells.quantity, "packets each time"),
        Column("previous_balance", cells.amount, "owed from before; below zero: paid ahead"),
        Column("notes", cells.text, "for the office"),
        Column("map_link", cells.text, "link to a map"),
        *(Column(day, cells.quantity, "packets on that date of this month; 0 means none") for day in DAYS),
    )
)

ORDERS_OF = """
SELECT s.id, s.customer_id, v.product_id, s.starts_on, v.quantity, v.pattern, CAST(v.weekdays AS integer[]) AS weekdays,
       v.agreed_price, v.shift
FROM subscriptions s
JOIN LATERAL (SELECT * FROM subscription_versions v WHERE v.subscription_id = s.id
              ORDER BY v.valid_from DESC LIMIT 1) v ON true
WHERE s.customer_id = ANY(CAST(:ids AS uuid[])) AND s.state <> 'stopped'
ORDER BY s.id
"""

OVERRIDES_OF = """
SELECT subscription_id, service_on, quantity FROM subscription_overrides
WHERE subscription_id = ANY(CAST(:ids AS uuid[])) AND kind = 'override' AND superseded_at IS NULL
  AND service_on BETWEEN :first AND :last
"""

OVERRIDES = """
INSERT INTO subscription_overrides (subscription_id, service_on, kind, quantity, made_at, made_by, via)
SELECT r.subscription_id, r.service_on, 'override', r.quantity, :now, :by, :via
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (subscription_id uuid, service_on date, quantity numeric)
"""

OPENINGS_OF = """
SELECT customer_id, total_minor FROM invoices WHERE kind = 'opening' AND customer_id = ANY(CAST(:ids AS uuid[]))
"""

OPENINGS = """
CREATE TEMP TABLE made_document ON COMMIT DROP AS
SELECT new_id() AS id, new_id() AS journal_id, new_id() AS adjustment_id, r.customer_id, 'opening' AS kind,
       CAST(:before AS date) AS period_from, CAST(:before AS date) AS period_to, r.minor AS total,
       r.minor AS difference, row_number() OVER (ORDER BY r.line)::int AS position
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (customer_id uuid, minor bigint, line integer)
"""


def judge(row: Row, home: Home) -> Problem | None:
    """Hold what cells say together: days this month has, and a product for every quantity."""
    facts = row.facts
    last = monthrange(home.today.year, home.today.month)[1]
    for number, name in enumerate(DAYS, 1):
        if name in facts and number > last:
            return Problem(name, f"This month has {last} days.")
    wants = [name for name in (*DAYS, "default_qty_packets", "product_price", "subscription_type") if name in facts]
    if wants and "product_name" not in facts:
        return Problem("product_name", f"{wants[0]} needs its product.")
    return None


def write(session: Session, ctx: Ctx, home: Home, pieces: Sequence[Piece]) -> Written:
    """Make households with doors, logins, drivers, standing orders and old balances; bring known ones up to the row."""
    done = Written()
    shelf = Shelf(session, home)
    staff: Staff = {}
    for column, role in STAFF.items():
        names = [piece.facts[column] for piece in pieces if column in piece.facts]
        staff[column], count = people.have_staff(session, ctx, home, role, names)
        done.counts["logins_of_staff"] += count
    fit = [piece for piece in pieces if _is_fit(piece, shelf, staff, done)]
    households = {piece.line: Row(piece.line, piece.rows[0].cells, _household(piece.facts, staff)) for piece in fit}
    known = customers.find(session, home, list(households.values()), done)
    new = [line for line in households if line not in known and line not in done.refused]
    made = people.create_many(session, ctx, home, [households[line].facts for line in new])
    done.counts["created"] += len(made)
    told = [(households[line], stands) for line, stands in known.items() if line not in done.refused]
    customers.change(session, ctx, home, told, done)
    whose = dict(zip(new, made, strict=True)) | {line: stands["id"] for line, stands in known.items()}
    fit = [piece for piece in fit if piece.line not in done.refused]
    _open_balances(session, ctx, home, [(piece, whose[piece.line]) for piece in fit], done)
    _take_orders(session, ctx, home, [(piece, whose[piece.line]) for piece in fit], shelf, done)
    return done


def _is_fit(piece: Piece, shelf: Shelf, staff: Staff, done: Written) -> bool:
    facts = piece.facts
    if "product_name" in facts and shelf.named(facts["product_name"]) is None:
        done.refuse(piece, "product_name", shelf.rule(facts["product_name"]))
        return False
    for column, named in staff.items():
        if column in facts and named[people.folded(facts[column])] is None:
            done.refuse(piece, column, "Several have this name.")
            return False
    return True


def _household(facts: dict[str, Any], staff: Staff) -> dict[str, Any]:
    """Return what a row says of the customer, in the words of `customers.COLUMNS`."""
    found = {ours: facts.get(theirs) for ours, theirs in HOUSEHOLD.items()}
    for column, ours in (("delivery_boy", "driver_id"), ("marketing_boy", "marketer_id")):
        if column in facts:
            found[ours] = staff[column][people.folded(facts[column])]
    return {name: value for name, value in found.items() if value is not None}


def _open_balances(session: Session, ctx: Ctx, home: Home, told: Sequence[tuple[Piece, UUID]], done: Written) -> None:
    """Issue an opening document for each old balance; one that stands is not changed."""
    wanted = [(piece, key) for piece, key in told if piece.facts.get("previous_balance")]
    if not wanted:
        return
    lock(session, f"invoice series {home.business_id}")
    there = {
        row["customer_id"]: row["total_minor"]
        for row in rows(session, OPENINGS_OF, {"ids": [str(key) for _, key in wanted]})
    }
    new = []
    for piece, key in wanted:
        minor = int(piece.facts["previous_balance"] * scale(home.currency))
        if key not in there:
            new.append({"customer_id": key, "minor": minor, "line": piece.line})
        elif there[key] != minor:
            done.refuse(piece, "previous_balance", "Another opening balance stands; correct it by an adjustment.")
    if not new:
        return
    bound: dict[str, object] = {
        "business_id": home.business_id,
        "currency": home.currency,
        "now": ctx.now,
        "before": home.today.replace(day=1) - timedelta(days=1),
        "rows": as_json(new),
        "series": "OPENING",
        "kind": "opening_balance",
        "against": "opening_equity",
        "reason": "Balance carried over",
    }
    run(session, "DROP TABLE IF EXISTS pg_temp.made_document")
    run(session, OPENINGS, bound)
    made = settle.issue(session, bound)
    audit.record(session, ctx, "invoices.open", "invoice", after={"openings": made}, row_count=made)
    done.counts["openings"] += made


def _take_orders(
    session: Session,
    ctx: Ctx,
    home: Home,
    told: Sequence[tuple[Piece, UUID]],
    shelf: Shelf,
    done: Written,
) -> None:
    """Make the standing orders that are not there, with the month's dates; ask the service for what changed."""
    wanted = [(piece, key) for piece, key in told if "product_name" in piece.facts]
    there = {
        (row["customer_id"], row["product_id"]): row
        for row in rows(session, ORDERS_OF, {"ids": [str(key) for _, key in wanted]})
    }
    new: list[dict[str, Any]] = []
    of_days: list[dict[date, Decimal]] = []
    for piece, key in wanted:
        product = shelf.named(piece.facts["product_name"]) or {}
        wish = _wish(piece.facts, home, key, product)
        stands = there.get((key, product["id"]))
        if stands is None:
            new.append(wish)
            of_days.append(_days(piece.facts, home, product["pack_size"]))
        elif piece.line not in done.refused:
            _change(session, ctx, home, piece, stands, wish, _days(piece.facts, home, product["pack_size"]), done)
    made = subscriptions.create_many(session, ctx, home, new)
    entries = [
        {"subscription_id": row["id"], "service_on": day, "quantity": quantity}
        for row, days in zip(made, of_days, strict=True)
        for day, quantity in days.items()
    ]
    if entries:
        bound = {"now": ctx.now, "by": ctx.actor.name, "via": ctx.via, "rows": as_json(entries)}
        run(session, OVERRIDES, bound)
    done.counts["subscriptions"] += len(made)
    done.counts["overrides"] += len(entries)


def _wish(facts: dict[str, Any], home: Home, key: UUID, product: dict[str, Any]) -> dict[str, Any]:
    packets: Decimal | None = facts.get("default_qty_packets")
    said, weekdays = facts.get("subscription_type", ("daily", None))
    return {
        "customer_id": key,
        "site_id": home.site_id,
        "product_id": product["id"],
        "quantity": (packets or Decimal(0)) * product["pack_size"],
        "pattern": "irregular" if packets is None else said,
        "weekdays": None if packets is None else weekdays,
        "agreed_price": facts.get("product_price"),
        "shift": facts.get("shift", "morning"),
        "starts_on": facts.get("trial_start_date", home.today.replace(day=1)),
        "status": "active",
    }


def _days(facts: dict[str, Any], home: Home, pack: Decimal) -> dict[date, Decimal]:
    """Return the quantities of single dates, in the product's unit."""
    return {home.today.replace(day=number): facts[name] * pack for number, name in enumerate(DAYS, 1) if name in facts}


def _change(
    session: Session,
    ctx: Ctx,
    home: Home,
    piece: Piece,
    stands: dict[str, Any],
    wish: dict[str, Any],
    days: dict[date, Decimal],
    done: Written,
) -> None:
    """Ask the service for what the row wants otherwise, on days whose cut-off has not passed."""
    names = ("quantity", "pattern", "weekdays", "agreed_price", "shift")
    wishes = {name: wish[name] for name in names if wish[name] is not None and wish[name] != stands[name]}
    shifts = (
        list(Shift) if "both" in {wish["shift"], stands["shift"]} else [Shift(wish["shift"]), Shift(stands["shift"])]
    )
    bounds = {"ids": [str(stands["id"])], "first": min(days, default=home.today), "last": max(days, default=home.today)}
    there = {row["service_on"]: row["quantity"] for row in rows(session, OVERRIDES_OF, bounds)}
    other = {day: quantity for day, quantity in days.items() if there.get(day) != quantity}
    if not wishes and not other:
        return
    opens = territory.first_open_on(session, home.site_id, shifts, ctx.now)
    try:
        with session.begin_nested():
            if wishes:
                since = max(stands["starts_on"], opens)
                standing.change(session, ctx, stands["id"], valid_from=since, **wishes)
                done.counts["subscriptions_changed"] += 1
            for day, quantity in other.items():
                if day >= opens:
                    standing.override(session, ctx, stands["id"], service_on=day, quantity=quantity)
                    done.counts["overrides_changed"] += 1
                else:
                    done.counts["days_past"] += 1
    except Failure as failure:
        done.refuse(piece, failure.field, failure.message)


def identity(piece: Piece) -> tuple[object, ...]:
    """Return phone and name."""
    return (piece.facts["phone"], people.folded(piece.facts["name"]))


KIND = Kind("customers", COLUMNS, write, identity, judge=judge)
