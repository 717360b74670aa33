"""Random standing orders, told twice: as rows for the database and as snapshots for the function."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from earlybird.customers.models import Customer
from earlybird.kernel import ids
from earlybird.kernel.clock import at_local, days
from earlybird.subscriptions.models import Subscription, SubscriptionOverride, SubscriptionPause, SubscriptionVersion
from earlybird.subscriptions.rules import Entry, Standing, Version, quantity
from earlybird.subscriptions.states import Pattern, StandingShift, SubscriptionState
from earlybird.territory.states import Shift
from make.business import Firm

FIRST, LAST = date(2026, 1, 1), date(2026, 1, 21)
ZONE = "Asia/Kolkata"


class Calendar:
    """Random standing orders, told twice: as rows for the database and as snapshots for the function."""

    def __init__(self, session: Session, firm: Firm, product_id: UUID, random: Random, count: int = 60) -> None:
        self.random = random
        self.firm, self.product_id = firm, product_id
        self.rows: dict[Any, list[dict[str, Any]]] = {
            table: []
            for table in (Customer, Subscription, SubscriptionVersion, SubscriptionPause, SubscriptionOverride)
        }
        self.versions: dict[UUID, list[dict[str, Any]]] = {}
        self.standing: dict[UUID, Standing] = {}
        self.entries: dict[tuple[UUID, date, str], tuple[UUID, Entry]] = {}
        for _ in range(count):
            self.add_subscription(self.add_customer())
        for table, found in self.rows.items():
            if found:
                session.execute(insert(table), found)

    def day(self, *, none: float = 0.0) -> date | None:
        spread = (LAST - FIRST).days + 10
        return None if self.random.random() < none else FIRST + timedelta(self.random.randrange(-5, spread - 5))

    def add_customer(self) -> tuple[UUID, date | None]:
        key, state = ids.new_id(), self.random.choice(["trial", "active", "active", "active", "paused", "stopped"])
        gone, archived = self.day(none=0.3), self.day(none=0.8)
        archived_at = archived and at_local(archived, time(self.random.randrange(24)), ZONE)
        self.rows[Customer].append(
            {"id": key, "business_id": self.firm.id, "site_id": self.firm.site_id, "code": key.hex, "name": "x",
             "state": state, "state_from": gone, "archived_at": archived_at}
        )  # fmt: skip
        ends = [gone or date.min] if state in ("paused", "stopped") else []
        return key, min([*ends, *([archived] if archived else [])], default=None)

    def add_subscription(self, customer: tuple[UUID, date | None]) -> None:
        random, key = self.random, ids.new_id()
        state = random.choice(["draft", "active", "active", "active", "active", "stopped"])
        starts, stops = FIRST + timedelta(random.randrange(-40, 15)), self.day(none=0.6)
        self.rows[Subscription].append(
            {"id": key, "customer_id": customer[0], "starts_on": starts, "stops_on": stops, "state": state}
        )
        self.versions[key] = []
        for valid_from in sorted({starts + timedelta(random.randrange(-3, 25)) for _ in range(random.randrange(4))}):
            self.versions[key].append(self.version(key, valid_from))
        self.rows[SubscriptionVersion] += self.versions[key]
        pauses = []
        for _ in range(random.randrange(3)):
            first, cancelled = self.day() or FIRST, random.random() < 0.3
            last = None if random.random() < 0.2 else first + timedelta(random.randrange(6))
            self.rows[SubscriptionPause].append(
                {"subscription_id": key, "starts_on": first, "ends_on": last,
                 "cancelled_at": datetime.now(UTC) if cancelled else None}
            )  # fmt: skip
            pauses += [] if cancelled else [(first, last)]
        spoken_of = [self.day() or FIRST for _ in range(6)]
        for kind in ("irregular", "override"):
            for day in set(random.sample(spoken_of, random.randrange(5))):
                self.add_entry(key, day, kind)
        self.standing[key] = Standing(SubscriptionState(state), starts, stops, customer[1], tuple(pauses))

    def version(self, key: UUID, valid_from: date) -> dict[str, Any]:
        random, pattern = self.random, self.random.choice(list(Pattern))
        return {
            "id": ids.new_id(), "subscription_id": key, "valid_from": valid_from, "product_id": self.product_id,
            "quantity": Decimal(random.randrange(0, 40)) / 8, "pattern": str(pattern),
            "weekdays": random.sample(range(7), random.randrange(8)) if pattern == Pattern.weekly else None,
            "every_n": random.randrange(1, 6) if pattern == Pattern.every_nth else None,
            "until_on": self.day(none=0.2) if pattern == Pattern.one_time else None,
            "shift": str(random.choice(list(StandingShift))),
        }  # fmt: skip

    def add_entry(self, key: UUID, day: date, kind: str) -> None:
        random = self.random
        superseded = random.random() < 0.2
        amount = random.choice([None, Decimal(0), Decimal(random.randrange(1, 40)) / 8])
        row = {"id": ids.new_id(), "subscription_id": key, "service_on": day, "kind": kind, "quantity": amount,
               "shift": random.choice([None, None, "morning", "evening"]),
               "superseded_at": datetime.now(UTC) if superseded else None}  # fmt: skip
        self.rows[SubscriptionOverride].append(row)
        if not superseded:
            self.entries[key, day, kind] = (row["id"], Entry(amount, row["shift"] and Shift(row["shift"])))

    def snapshot(self, key: UUID, day: date) -> tuple[Standing, dict[str, Any] | None]:
        """What decides a day of a standing order, and the version in force."""
        base = self.standing[key]
        row = max(
            (v for v in self.versions[key] if v["valid_from"] <= day), key=lambda v: v["valid_from"], default=None
        )
        entries = (self.entries.get((key, day, kind)) for kind in ("irregular", "override"))
        snapshot = Standing(
            base.state, base.starts_on, base.stops_on, base.customer_gone_from, base.pauses,
            *(entry and entry[1] for entry in entries),
            version=row and Version(Pattern(row["pattern"]), row["quantity"], StandingShift(row["shift"]),
                                    row["weekdays"] or (), row["every_n"], row["until_on"]),
        )  # fmt: skip
        return snapshot, row

    def expected(self) -> dict[tuple[UUID, date, str], tuple[Any, ...]]:
        """What the function says, day by day, where anything is due."""
        due = {}
        for key in self.standing:
            for day in days(FIRST, LAST):
                snapshot, row = self.snapshot(key, day)
                entries = {kind: self.entries.get((key, day, kind)) for kind in ("irregular", "override")}
                for shift in Shift:
                    amount, usual, rule = quantity(snapshot, day, shift)
                    if amount > 0:
                        said = entries.get(rule) or entries["irregular"] or entries["override"]
                        due[key, day, str(shift)] = (amount, usual, str(rule), row and row["id"], said and said[0])
        return due
