"""A depot with drivers and stops to be cut into rounds, and what has to hold of every round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

import make
from earlybird.infra.db import rows, run, value
from earlybird.kernel.ctx import Ctx
from earlybird.routes.service import cutting
from make.business import Firm

ON = date(2026, 1, 16)

WRONG = """
SELECT d.id, d.state, d.driver_id, r.driver_id AS round_driver FROM deliveries d
LEFT JOIN round_stops s ON s.delivery_id = d.id LEFT JOIN rounds r ON r.id = s.round_id
WHERE d.shift IS NOT NULL AND d.state IN ('planned', 'out') AND (
      s.delivery_id IS NULL OR d.driver_id IS DISTINCT FROM r.driver_id OR r.state IN ('cancelled')
   OR r.service_on <> d.planned_on OR r.shift <> d.shift)"""
GAPS = """
SELECT round_id FROM round_stops GROUP BY round_id
HAVING min(position) <> 1 OR max(position) <> count(*) OR count(DISTINCT position) <> count(*)"""


@dataclass
class Depot:
    """A dairy with three drivers; `stops` are named deliveries."""

    session: Session
    firm: Firm
    ctx: Ctx
    drivers: dict[str, UUID] = field(default_factory=dict)
    stops: dict[str, UUID] = field(default_factory=dict)
    doors: dict[str, UUID] = field(default_factory=dict)

    @classmethod
    def at(cls, session: Session, ctx: Ctx, firm: Firm | None = None) -> Depot:
        depot = cls(session, firm or make.business(session), ctx)
        depot.milk = make.product(session, depot.firm).id  # type: ignore[attr-defined]
        for name in ("Asha", "Bala", "Chitra"):
            depot.drivers[name] = make.driver(session, depot.firm, name).id
        return depot

    def stop(self, name: str, driver: str | None = "Asha", *, on: date = ON, place: Any = None, **over: Any) -> UUID:
        """A planned stop of that name at its own door (the same on every day), at a place or nowhere."""
        if name not in self.doors:
            self.doors[name] = make.customer(self.session, self.firm, name).id
            if place is not None:
                run(
                    self.session,
                    "UPDATE addresses SET latitude = :a, longitude = :b WHERE customer_id = :c",
                    {"a": place[0], "b": place[1], "c": self.doors[name]},
                )
        made = make.planned(self.session, self.firm, self.doors[name], [self.milk], ("2",), on=on)  # type: ignore[attr-defined]
        run(
            self.session,
            "UPDATE orders o SET address_id = a.id FROM addresses a WHERE a.customer_id = o.customer_id AND o.id = :o",
            {"o": made.order_id},
        )
        facts = {"id": made.delivery_id, "driver": self.drivers[driver] if driver else None}
        run(self.session, "UPDATE deliveries SET driver_id = :driver WHERE id = :id", facts)
        for column, wanted in over.items():
            run(self.session, f"UPDATE deliveries SET {column} = :v WHERE id = :id", {"v": wanted, "id": facts["id"]})
        self.stops[name] = made.delivery_id
        return made.delivery_id

    def cut(self, on: date = ON) -> cutting.Cut:
        self.session.flush()
        return cutting.cut(self.session, self.ctx, self.firm.site_id, on)

    def round_of(self, driver: str | None, on: date = ON) -> UUID:
        """The round the plan gives that driver's stops."""
        found: UUID = value(
            self.session,
            "SELECT id FROM rounds WHERE usual_driver_id IS NOT DISTINCT FROM CAST(:d AS uuid) AND service_on = :on "
            "AND is_cut AND shift = 'morning'",
            {"d": self.drivers[driver] if driver else None, "on": on},
        )
        return found

    def order(self, round_id: UUID) -> str:
        """The names of a round's stops in order, with spaces between."""
        names = {key: name for name, key in self.stops.items()}
        found = rows(self.session, "SELECT delivery_id FROM round_stops WHERE round_id = :r ORDER BY position",
                     {"r": round_id})  # fmt: skip
        return " ".join(names[row["delivery_id"]] for row in found)

    def ids(self, names: str) -> list[UUID]:
        return [self.stops[name] for name in names.split()]

    def set_state(self, name: str, state: str) -> None:
        """Leave out the door: this is about rounds."""
        facts = {"id": self.stops[name], "s": state}
        run(self.session, "UPDATE deliveries SET state = :s WHERE id = :id", facts)

    def check(self) -> None:
        """Each stop still to be made stands in one round of its driver, and positions run from 1."""
        self.session.flush()
        assert rows(self.session, WRONG) == []
        assert rows(self.session, GAPS) == []

    def several(self, names: str, driver: str | None = "Asha", **over: Any) -> Sequence[UUID]:
        return [self.stop(name, driver, **over) for name in names.split()]
