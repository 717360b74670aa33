"""Cut a site's day into rounds: one per driver and shift, each in its order; repeatable, never against what is done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.deliveries.service import rounds
from earlybird.deliveries.states import ROUND_MACHINE
from earlybird.infra.db import Engine, rehearsal, transaction
from earlybird.kernel.ctx import Ctx
from earlybird.routes.queries import days
from earlybird.routes.rules import cutting
from earlybird.routes.rules.cutting import Stop, Tour
from earlybird.routes.service import standing

DAYS_BACK, DAYS_AHEAD = 1, 31
"""Which days are cut by themselves: yesterday's stragglers to a month ahead."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What one cut changed: rounds opened, stops that were given a place, stops that left."""

    site_id: UUID
    service_on: date
    opened: int
    placed: int
    left: int


def cut_due(engine: Engine, ctx: Ctx) -> int:
    """Cut every day whose rounds are not what its stops say; return how many. Runs every minute."""
    today = ctx.now.date()
    with rehearsal(engine) as session:
        todo = days.due(session, first=today - timedelta(days=DAYS_BACK), last=today + timedelta(days=DAYS_AHEAD))
    for day in todo:
        with transaction(engine) as session:
            cut(session, ctx, day["site_id"], day["service_on"])
    return len(todo)


def cut(session: Session, ctx: Ctx, site_id: UUID, service_on: date) -> Cut:
    """Give every stop of a day its round and its place there; a second time changes nothing.

    Stops go to the round of their driver and shift, or where a person put that round's stops; cancelled ones leave.
    Who stands in a round keeps the order among themselves: new doors come where they are remembered, else where the
    detour is shortest, else last. What a person placed or locked stays. Constant statements, however many stops.
    """
    rounds.hold_day(session, site_id, service_on)
    standing.hold_memory(session, site_id)
    left = rounds.drop_cancelled(session, ctx, site_id, service_on)
    stops = days.stops(session, site_id, service_on)
    tours = days.tours(session, site_id, service_on)
    wanted = cutting.wanted(stops, tours)
    if wanted:
        rounds.open_rounds(session, ctx, site_id, service_on, standing.openings(session, ctx, site_id, wanted))
        tours = days.tours(session, site_id, service_on)
    new = cutting.placed(stops, tours)
    if new:
        _place(session, ctx, stops, tours, new)
    done = Cut(site_id, service_on, len(wanted), sum(map(len, new.values())), left)
    if done.placed or done.left:
        after = {"service_on": str(service_on), "opened": done.opened, "placed": done.placed, "left": done.left}
        audit.record(session, ctx, "rounds.cut", "site", site_id, after=after)
    return done


def _place(
    session: Session, ctx: Ctx, stops: Sequence[Stop], tours: Sequence[Tour], new: Mapping[UUID, Sequence[Stop]]
) -> None:
    """Write the rounds that get stops, give late stops their round's driver, and let the memory learn."""
    by_id = {tour.id: tour for tour in tours}
    going = {stop.delivery_id for row in new.values() for stop in row}
    present: dict[UUID | None, list[Stop]] = defaultdict(list)
    for stop in stops:
        if stop.delivery_id not in going and stop.state != "cancelled":
            present[stop.round_id].append(stop)
    orders = {key: cutting.arranged(present[key], row, by_id[key]) for key, row in new.items()}
    moved: dict[UUID | None, list[UUID]] = defaultdict(list)
    held = set()
    for key, row in new.items():
        for stop in row:
            if by_id[key].driver_id != stop.driver_id and stop.state in cutting.OPEN:
                moved[by_id[key].driver_id].append(stop.delivery_id)
            if stop.driver_id != by_id[key].usual_driver_id or by_id[key].driver_id != stop.driver_id:
                held.add(stop.delivery_id)
    rounds.place_stops(
        session, ctx, {key: [stop.delivery_id for stop in row] for key, row in orders.items()}, held=held
    )
    for driver_id, deliveries in moved.items():
        rounds.assign(session, ctx, deliveries, driver_id)
    again = [key for key, row in new.items()
             if by_id[key].state == "done" and any(stop.state in cutting.OPEN for stop in row)]  # fmt: skip
    audit.move_many(session, ctx, "rounds", ROUND_MACHINE, "reopen", again, reason="a late stop")
    standing.learn(session, ctx, orders, tours)
