"""Find an order for a round: afresh by the solver, or staying close to the one it has."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.deliveries.errors import RoundIsOver
from earlybird.deliveries.queries import rounds as round_queries
from earlybird.deliveries.service import rounds
from earlybird.infra.db import Engine, rehearsal, rows, transaction
from earlybird.kernel.ctx import Ctx
from earlybird.routes.errors import ChangedMeanwhile
from earlybird.routes.queries import days, loads
from earlybird.routes.rules import cutting, sequence
from earlybird.routes.rules.cutting import Stop, Tour
from earlybird.routes.service import sequencing, standing

AT_A_TIME = 20
"""So many rounds that remember nothing yet are ordered in one run."""

NEW = """
SELECT r.id FROM rounds r JOIN standing_rounds g ON g.id = r.standing_round_id
WHERE r.state = 'planned' AND r.service_on >= :today AND g.remembered_at IS NULL AND g.archived_at IS NULL
  AND (SELECT count(*) FROM round_stops s JOIN deliveries d ON d.id = s.delivery_id JOIN orders o ON o.id = d.order_id
       LEFT JOIN addresses a ON a.id = o.address_id WHERE s.round_id = r.id AND d.state <> 'cancelled'
       AND coalesce(a.longitude, (o.address ->> 'longitude')::numeric) IS NOT NULL) BETWEEN :least AND :most
ORDER BY r.service_on, r.id LIMIT :limit"""


@dataclass(frozen=True, slots=True)
class Ordered:
    """What an order that was looked for came to: metres of the tour before and after, and how many stops moved."""

    round_id: UUID
    metres_before: int
    metres: int
    moved: int
    is_changed: bool


def order_new(engine: Engine, ctx: Ctx) -> int:
    """Order the rounds whose driver has none to remember yet, and remember what is found. Runs every minute.

    The solver runs outside of any transaction; a round that changes meanwhile waits for the next run.
    """
    facts = {"today": ctx.now.date(), "least": sequencing.SMALLEST, "most": sequence.MOST, "limit": AT_A_TIME}
    with rehearsal(engine) as session:
        todo = [row["id"] for row in rows(session, NEW, facts)]
    count = 0
    for round_id in todo:
        with rehearsal(engine) as session:
            tour, stops = days.tour(session, round_id), days.stops_of(session, round_id)
            packets = loads.packets(session, round_id)
        after = _fresh(tour, stops, packets)
        with transaction(engine) as session:
            if _write(session, ctx, tour, stops, after):
                standing.remember(session, ctx, round_id)
                count += 1
    return count


def order(session: Session, ctx: Ctx, round_id: UUID, *, is_fresh: bool) -> Ordered:
    """Find a better order for a round that is not back yet: afresh, or moving at most three stops.

    Stops that are made, and locked ones, are passed by none. A fresh order takes up to a second, before anything
    is locked.
    """
    round_queries.reached(session, ctx, round_id)
    tour, stops = days.tour(session, round_id), days.stops_of(session, round_id)
    if tour.state in rounds.OVER:
        raise RoundIsOver(state=tour.state)
    if is_fresh:
        after = _fresh(tour, stops, loads.packets(session, round_id))
    else:
        known = {stop.delivery_id: stop for stop in stops}
        found = sequence.resequenced(cutting.as_driven(stops), [], tour.course, frozen=cutting.done_first(stops))
        after = [known[visit.key] for visit in found]  # type: ignore[index]
    if not _write(session, ctx, tour, stops, after):
        raise ChangedMeanwhile
    before = [stop.delivery_id for stop in stops]
    keys = [stop.delivery_id for stop in after]
    return Ordered(
        round_id,
        sequence.length([stop.visit for stop in stops], tour.course),
        sequence.length([stop.visit for stop in after], tour.course),
        sequence.moved(before, keys),
        before != keys,
    )


def _fresh(tour: Tour, stops: list[Stop], packets: dict[UUID, int]) -> list[Stop]:
    known = {stop.delivery_id: stop for stop in stops}
    found = sequencing.fresh(cutting.as_driven(stops), tour.course, capacity=tour.capacity, loads=packets)
    return [known[visit.key] for visit in found]  # type: ignore[index]


def _write(session: Session, ctx: Ctx, tour: Tour, before: list[Stop], after: list[Stop]) -> bool:
    """Write the order found, unless the round is no longer what it was found for; return whether it stands."""
    held = round_queries.reached(session, ctx, tour.id)
    rounds.hold_day(session, held["site_id"], held["service_on"])
    if days.stops_of(session, tour.id) != before or days.tour(session, tour.id).state != tour.state:
        return False
    if after != before:
        rounds.place_stops(session, ctx, {tour.id: [stop.delivery_id for stop in after]})
        audit.record(session, ctx, "rounds.sequence", "round", tour.id, row_count=len(after))
    return True
