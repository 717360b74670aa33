"""The calendar of standing orders: per date and shift how much, why, at what price, and until when it may change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.catalog import queries as catalog
from earlybird.catalog.rules import Dated, in_force
from earlybird.identity.rules import reach
from earlybird.infra.db import rows
from earlybird.kernel.clock import business_day, cutoff_at, days
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.money import Money
from earlybird.subscriptions import rules
from earlybird.subscriptions.errors import NoSuchSubscription, SpanTooLong
from earlybird.subscriptions.queries.standing import customer_served, visible
from earlybird.subscriptions.rules import Entry, Standing, Version
from earlybird.subscriptions.states import OverrideKind, Pattern, Rule, StandingShift, SubscriptionState
from earlybird.territory import queries as territory
from earlybird.territory.states import Shift

LONGEST_DAYS = 92
USUAL_DAYS = 28

ORDERS = """
SELECT s.id, s.state, s.starts_on, s.stops_on, s.customer_id, c.site_id, t.zone, b.currency,
       least(CASE WHEN c.state IN ('paused', 'stopped') THEN coalesce(c.state_from, DATE '0001-01-01') END,
             CAST(c.archived_at AT TIME ZONE t.zone AS date)) AS gone_from
FROM subscriptions s
JOIN customers c ON c.id = s.customer_id
JOIN sites t ON t.id = c.site_id
JOIN businesses b ON b.id = c.business_id"""


def calendar(
    session: Session,
    ctx: Ctx,
    *,
    subscription_id: UUID | None = None,
    customer_id: UUID | None = None,
    first: date | None = None,
    last: date | None = None,
) -> dict[str, Any]:
    """Return what is due when and why: of one standing order, or of all of a customer that have not ended by then.

    From `first` (today) to `last` (28 days in all), both included, at most 92 days.
    """
    if subscription_id is not None:
        which = "s.id = :subscription_id"
        found = _orders(session, ctx, which, {"subscription_id": subscription_id})
        if not found:
            raise NoSuchSubscription(field="subscription_id", subscription_id=subscription_id)
        customer_id, zone = found[0]["customer_id"], found[0]["zone"]
        first, last = _span(ctx, zone, first, last)
    else:
        assert customer_id is not None  # noqa: S101  # one of the two
        zone = customer_served(session, ctx, customer_id)["zone"]
        first, last = _span(ctx, zone, first, last)
        which = (
            "s.customer_id = :customer_id AND s.starts_on <= :last AND (s.stops_on > :first "
            "OR s.stops_on IS NULL AND s.state <> 'stopped')"
        )
        found = _orders(session, ctx, which, {"customer_id": customer_id, "first": first, "last": last})
    sheet = _Sheet(session, ctx, found, first, last)
    return {
        "customer_id": customer_id,
        "first_on": first,
        "last_on": last,
        "zone": zone,
        "days": [
            {
                "service_on": day,
                "closed": sheet.closed.get(day),
                "lines": [line for order in found for line in sheet.lines(order, day)],
            }
            for day in days(first, last)
        ],
    }


def _orders(session: Session, ctx: Ctx, which: str, facts: dict[str, Any]) -> list[dict[str, Any]]:
    return rows(session, f"{ORDERS} WHERE {which} AND {visible(ctx)} ORDER BY s.id", reach(ctx) | facts)


def _span(ctx: Ctx, zone: str, first: date | None, last: date | None) -> tuple[date, date]:
    first = first or business_day(ctx.now, zone)
    last = last or first + timedelta(days=USUAL_DAYS - 1)
    if not first <= last < first + timedelta(days=LONGEST_DAYS):
        raise SpanTooLong(field="to", first=first, last=last)
    return first, last


class _Sheet:
    """Everything that decides the days of some standing orders of one customer, read with one statement a table."""

    def __init__(
        self, session: Session, ctx: Ctx, orders: Sequence[Mapping[str, Any]], first: date, last: date
    ) -> None:
        facts = {"ids": [str(order["id"]) for order in orders], "first": first, "last": last}
        self.now = ctx.now
        self.versions = _by_order(
            session,
            "SELECT v.*, p.name AS product_name, p.unit_code FROM subscription_versions v JOIN products p "
            "ON p.id = v.product_id WHERE v.subscription_id = ANY(CAST(:ids AS uuid[])) ORDER BY v.valid_from",
            facts,
        )
        self.pauses = _by_order(
            session,
            "SELECT id, subscription_id, starts_on, ends_on FROM subscription_pauses WHERE cancelled_at IS NULL "
            "AND subscription_id = ANY(CAST(:ids AS uuid[])) AND starts_on <= :last "
            "AND (ends_on IS NULL OR ends_on >= :first) ORDER BY starts_on",
            facts,
        )
        self.entries = _by_order(
            session,
            "SELECT id, subscription_id, service_on, kind, quantity, shift FROM subscription_overrides "
            "WHERE superseded_at IS NULL AND subscription_id = ANY(CAST(:ids AS uuid[])) "
            "AND service_on BETWEEN :first AND :last",
            facts,
        )
        self.closed: dict[date, str] = {}
        self.hours: dict[Shift, tuple[Any, int]] = {}
        self.prices: dict[tuple[UUID, bool], list[Dated]] = {}
        self.today = first
        if orders:
            site_id = orders[0]["site_id"]
            self.today = business_day(ctx.now, orders[0]["zone"])
            found = territory.closures(session, site_id, first=first, last=last)
            self.closed = {row["closed_on"]: row["reason"] for row in found}
            plans = territory.shifts(session, site_id)
            self.hours = {Shift(row["shift"]): (row["cutoff"], row["cutoff_days_before"]) for row in plans}
            products = {version["product_id"] for found in self.versions.values() for version in found}
            self.prices = catalog.prices_of(session, orders[0]["customer_id"], sorted(products), last)

    def lines(self, order: Mapping[str, Any], day: date) -> Iterator[dict[str, Any]]:
        """Yield the lines of one standing order on one day: one per shift it is for, also where nothing is due."""
        known = self.versions[order["id"]]
        if not known:
            return
        in_force_now = [version for version in known if version["valid_from"] <= day]
        version = in_force_now[-1] if in_force_now else known[0]
        entries = {row["kind"]: row for row in self.entries[order["id"]] if row["service_on"] == day}
        standing = self._standing(order, version, entries)
        judged = standing if in_force_now else replace(standing, version=None)
        closes_at, is_open = self._cutoff(order, version, entries, day)
        said = next((row for row in _ranked(entries) if row["quantity"] is not None), None)
        for shift in rules.shifts(standing):
            quantity, base, rule = rules.quantity(judged, day, shift)
            if quantity > 0 and day in self.closed:
                quantity, rule = rules.NONE, Rule.closed
            price_id, unit_price, currency = self._price(order, version, day)
            is_money = unit_price is not None and quantity > 0
            pause = next((p for p in self.pauses[order["id"]] if _covers(p, day)), None)
            yield {
                "subscription_id": order["id"],
                "shift": shift,
                "product_id": version["product_id"],
                "product_name": version["product_name"],
                "unit_code": version["unit_code"],
                "quantity": quantity,
                "base_quantity": base,
                "rule": rule,
                "why": rules.why(judged, day, rule),
                "version_id": version["id"],
                "override_id": said["id"] if said and rule in {Rule.irregular, Rule.override} else None,
                "pause_id": pause["id"] if pause and rule is Rule.paused else None,
                "price_id": price_id,
                "unit_price": unit_price,
                "currency": currency,
                "amount_minor": Money.of(unit_price, quantity, currency).minor if is_money and unit_price else 0,
                "cutoff_at": closes_at,
                "is_changeable": is_open,
            }

    def _standing(
        self, order: Mapping[str, Any], version: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]]
    ) -> Standing:
        irregular, override = (entries.get(kind) for kind in (OverrideKind.irregular, OverrideKind.override))
        return Standing(
            state=SubscriptionState(order["state"]),
            starts_on=order["starts_on"],
            stops_on=order["stops_on"],
            customer_gone_from=order["gone_from"],
            pauses=[(pause["starts_on"], pause["ends_on"]) for pause in self.pauses[order["id"]]],
            irregular=_entry(irregular),
            override=_entry(override),
            version=Version(
                pattern=Pattern(version["pattern"]),
                quantity=version["quantity"],
                shift=StandingShift(version["shift"]),
                weekdays=version["weekdays"] or (),
                every_n=version["every_n"],
                until_on=version["until_on"],
            ),
        )

    def _price(self, order: Mapping[str, Any], version: Mapping[str, Any], day: date) -> tuple[Any, Any, str]:
        own, listed = (self.prices.get((version["product_id"], is_own), []) for is_own in (True, False))
        return in_force(own, version["agreed_price"], listed, day, currency=order["currency"])

    def _cutoff(
        self,
        order: Mapping[str, Any],
        version: Mapping[str, Any],
        entries: Mapping[str, Mapping[str, Any]],
        day: date,
    ) -> tuple[datetime | None, bool]:
        """Return the cut-off that binds the day, and whether the day may still be changed: as the service decides."""
        concerned = rules.concerned(version["shift"], *(row["shift"] for row in entries.values()))
        ends = [cutoff_at(day, *self.hours[shift], order["zone"]) for shift in concerned if shift in self.hours]
        closes_at = min(ends, default=None)
        is_open = self.today <= day if closes_at is None else self.now <= closes_at
        state = SubscriptionState(order["state"])
        return closes_at, is_open and rules.runs(state, order["starts_on"], order["stops_on"], day)


def _by_order(session: Session, sql: str, facts: Mapping[str, Any]) -> defaultdict[UUID, list[dict[str, Any]]]:
    found: defaultdict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for row in rows(session, sql, facts):
        found[row["subscription_id"]].append(row)
    return found


def _entry(row: Mapping[str, Any] | None) -> Entry | None:
    return None if row is None else Entry(row["quantity"], Shift(row["shift"]) if row["shift"] else None)


def _ranked(entries: Mapping[str, Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the irregular entry of a date before its override."""
    for kind in (OverrideKind.irregular, OverrideKind.override):
        if kind in entries:
            yield entries[kind]


def _covers(pause: Mapping[str, Any], day: date) -> bool:
    return bool(pause["starts_on"] <= day and (pause["ends_on"] is None or day <= pause["ends_on"]))
