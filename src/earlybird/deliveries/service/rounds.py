"""Change rounds: who drives them, which stops stand in them, in which order. Each stop stands in one round.

Every change of a site's day waits for the others of that day, the plan included. A stop still to be made has the
driver of its round; one that is made keeps who made it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.deliveries.errors import (
    NotADriver,
    NothingToPart,
    NotOfThisDay,
    NotOnThatShift,
    OrderOfOthers,
    RoundIsOver,
    StopIsLocked,
    StopNotInRound,
    SubstituteIsDriver,
)
from earlybird.deliveries.models import Round
from earlybird.deliveries.queries import rounds as queries
from earlybird.deliveries.states import MACHINE, ROUND_MACHINE, RoundState
from earlybird.infra.db import lock, rows, run
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx
from earlybird.orders.states import MACHINE as ORDER
from earlybird.territory import queries as territory
from earlybird.territory.states import Shift

OVER = frozenset({RoundState.done, RoundState.cancelled})

ASSIGN = """
UPDATE deliveries SET driver_id = :driver_id
WHERE id = ANY(CAST(:ids AS uuid[])) AND state IN ('planned', 'out') AND driver_id IS DISTINCT FROM :driver_id
RETURNING id"""

POSITIONS = """
INSERT INTO round_stops (delivery_id, round_id, position, is_held)
SELECT * FROM unnest(CAST(:deliveries AS uuid[]), CAST(:rounds AS uuid[]), CAST(:positions AS int[]),
                     CAST(:held AS bool[]))
ON CONFLICT (delivery_id) DO UPDATE SET round_id = excluded.round_id, position = excluded.position,
    is_held = excluded.is_held OR round_stops.is_held
WHERE (round_stops.round_id, round_stops.position) IS DISTINCT FROM (excluded.round_id, excluded.position)
   OR excluded.is_held AND NOT round_stops.is_held"""

CLOSE_UP = """
UPDATE round_stops s SET position = n.position FROM (
    SELECT delivery_id, row_number() OVER (PARTITION BY round_id ORDER BY position, delivery_id) AS position
    FROM round_stops WHERE round_id = ANY(CAST(:rounds AS uuid[]))) n
WHERE s.delivery_id = n.delivery_id AND s.position <> n.position"""


@dataclass(frozen=True, slots=True)
class Opening:
    """A round that is to be there: the plan puts the stops of that driver on that shift into it."""

    shift: str
    driver_id: UUID | None
    name: str
    standing_round_id: UUID | None = None


def hold_day(session: Session, site_id: UUID, service_on: date) -> None:
    """Wait until nobody else plans, cuts or changes the rounds of a site's day, and keep them out."""
    lock(session, f"plan {site_id} {service_on}")


def open_rounds(session: Session, ctx: Ctx, site_id: UUID, service_on: date, wanted: Sequence[Opening]) -> None:
    """Make the rounds of a day that are not there yet; the caller holds the day."""
    if not wanted:
        return
    made = rows(
        session,
        "INSERT INTO rounds (site_id, service_on, shift, name, driver_id, usual_driver_id, standing_round_id, "
        "state_at, made_at) SELECT :site_id, :service_on, w.shift, w.name, w.driver_id, w.driver_id, w.standing, "
        ":now, :now FROM unnest(CAST(:shifts AS text[]), CAST(:names AS text[]), CAST(:drivers AS uuid[]), "
        "CAST(:standing AS uuid[])) AS w(shift, name, driver_id, standing) RETURNING id",
        {
            "site_id": site_id,
            "service_on": service_on,
            "now": ctx.now,
            "shifts": [each.shift for each in wanted],
            "names": [each.name for each in wanted],
            "drivers": [each.driver_id for each in wanted],
            "standing": [each.standing_round_id for each in wanted],
        },
    )
    after = {"site_id": str(site_id), "service_on": str(service_on)}
    audit.record_many(session, ctx, "rounds.open", "round", [row["id"] for row in made], after=after)


def place_stops(
    session: Session, ctx: Ctx, orders: dict[UUID, Sequence[UUID]], *, held: Collection[UUID] = frozenset()
) -> None:
    """Let these rounds hold exactly these stops in this order, wherever those stood; the caller holds the day.

    `held` ones stay with the driver a person gave them to. Rounds that lose a stop close up; empty planned rounds
    are cancelled, and revived when they get one.
    """
    stops = [(delivery, round_id, n) for round_id, row in orders.items() for n, delivery in enumerate(row, start=1)]
    facts = {
        "deliveries": [delivery for delivery, _, _ in stops],
        "rounds": [round_id for _, round_id, _ in stops],
        "positions": [n for _, _, n in stops],
        "held": [delivery in held for delivery, _, _ in stops],
    }
    given_up = rows(
        session,
        "SELECT DISTINCT s.round_id FROM round_stops s JOIN unnest(CAST(:deliveries AS uuid[]), "
        "CAST(:rounds AS uuid[])) AS n(delivery_id, round_id) ON n.delivery_id = s.delivery_id "
        "WHERE s.round_id <> n.round_id",
        {"deliveries": facts["deliveries"], "rounds": facts["rounds"]},
    )
    run(session, POSITIONS, facts)
    losers = {row["round_id"] for row in given_up} - set(orders)
    close_up(session, ctx, [*losers, *orders])


def drop_cancelled(session: Session, ctx: Ctx, site_id: UUID, service_on: date) -> int:
    """Take stops that are cancelled out of the rounds of a day, which close up; return how many."""
    gone = rows(
        session,
        "DELETE FROM round_stops s USING rounds r, deliveries d WHERE r.id = s.round_id AND r.site_id = :site_id "
        "AND r.service_on = :service_on AND d.id = s.delivery_id AND d.state = 'cancelled' RETURNING s.round_id",
        {"site_id": site_id, "service_on": service_on},
    )
    close_up(session, ctx, list({row["round_id"] for row in gone}))
    return len(gone)


def close_up(session: Session, ctx: Ctx, round_ids: Collection[UUID]) -> None:
    """Let positions run from 1 without gaps; cancel planned rounds without stops, revive cancelled ones with some."""
    if not round_ids:
        return
    facts = {"rounds": "{" + ",".join(map(str, round_ids)) + "}"}
    run(session, CLOSE_UP, facts)
    for verb, has, some in (("cancel", "planned", "NOT EXISTS"), ("revive", "cancelled", "EXISTS")):
        found = rows(
            session,
            f"SELECT r.id FROM rounds r WHERE r.id = ANY(CAST(:rounds AS uuid[])) AND r.state = '{has}' AND {some} "
            "(SELECT FROM round_stops s WHERE s.round_id = r.id) ORDER BY r.id",
            facts,
        )
        audit.move_many(session, ctx, "rounds", ROUND_MACHINE, verb, [row["id"] for row in found])


def assign(session: Session, ctx: Ctx, deliveries: Collection[UUID], driver_id: UUID | None) -> None:
    """Give the stops of these that are still to be made to a driver (None: to nobody), one audit entry each."""
    if not deliveries:
        return
    queries.open_stops(session, deliveries)
    changed = rows(session, ASSIGN, {"ids": "{" + ",".join(map(str, deliveries)) + "}", "driver_id": driver_id})
    after = {"driver_id": None if driver_id is None else str(driver_id)}
    audit.record_many(session, ctx, "deliveries.assign", "delivery", [row["id"] for row in changed], after=after)


def reassign(session: Session, ctx: Ctx, round_id: UUID, *, driver_id: UUID | None) -> None:
    """Let another driver make this round today (None: nobody yet), with all its stops that are still to be made.

    Late stops meant for its usual driver follow.
    """
    row = _running(session, ctx, round_id)
    _check_driver(session, driver_id, row)
    _give(session, ctx, row, driver_id)


def swap(session: Session, ctx: Ctx, round_id: UUID, *, other_id: UUID) -> None:
    """Let the drivers of two rounds of a site's day change places; each must work the other's shift."""
    row, other = _two(session, ctx, round_id, other_id)
    mine, theirs = row.driver_id, other.driver_id
    _check_driver(session, theirs, row)
    _check_driver(session, mine, other)
    _give(session, ctx, row, theirs)
    _give(session, ctx, other, mine)


def split(
    session: Session,
    ctx: Ctx,
    round_id: UUID,
    *,
    delivery_ids: Sequence[UUID] = (),
    from_delivery_id: UUID | None = None,
    driver_id: UUID | None = None,
    name: str | None = None,
) -> UUID:
    """Part a round: these stops, or all from one on, become a round of their own, in their order; return it.

    Only stops still to be made go; some must stay behind. A round that is out is parted into two that are out.
    """
    row = _running(session, ctx, round_id)
    _check_driver(session, driver_id, row)
    stops = queries.stops(session, round_id)
    known = [stop["delivery_id"] for stop in stops]
    if from_delivery_id is not None:
        delivery_ids = [from_delivery_id, *delivery_ids]
    for delivery_id in delivery_ids:
        if delivery_id not in known:
            raise StopNotInRound(field="from_delivery_id" if delivery_id == from_delivery_id else "delivery_ids")
    wanted = set(delivery_ids)
    if from_delivery_id is not None:
        wanted |= set(known[known.index(from_delivery_id) :])
    going = [stop["delivery_id"] for stop in stops if stop["delivery_id"] in wanted and stop["state"] in _OPEN]
    staying = [delivery_id for delivery_id in known if delivery_id not in going]
    if not going or not staying:
        raise NothingToPart(field="delivery_ids")
    made = Round(
        id=ids.new_id(),
        site_id=row.site_id,
        service_on=row.service_on,
        shift=row.shift,
        name=name or f"{row.name} (2)",
        driver_id=driver_id,
        is_cut=False,
        state_at=ctx.now,
        made_at=ctx.now,
    )
    session.add(made)
    session.flush()
    after = audit.plain({"round_id": made.id, "stops": len(going), "driver_id": driver_id})
    audit.record(session, ctx, "rounds.split", "round", round_id, after=after)
    place_stops(session, ctx, {made.id: going}, held=set(going))
    assign(session, ctx, going, driver_id)
    if row.state == RoundState.out:
        audit.move(session, ctx, made, ROUND_MACHINE, "send_out", reason="parted from a round that is out")
    return made.id


def merge(session: Session, ctx: Ctx, round_id: UUID, *, other_id: UUID) -> None:
    """Take what another round of the same site, day and shift has still to make into this one, at its end.

    Its stops keep their order; what is planned for it late follows.
    """
    row, other = _two(session, ctx, round_id, other_id)
    if row.shift != other.shift:
        raise NotOfThisDay(field="other_id")
    mine = [stop["delivery_id"] for stop in queries.stops(session, round_id)]
    going = [stop["delivery_id"] for stop in queries.stops(session, other_id) if stop["state"] in _OPEN]
    audit.change(session, ctx, other, {"merged_into_id": row.id}, action="rounds.merge", entity="round")
    place_stops(session, ctx, {round_id: [*mine, *going]}, held=set(going))
    assign(session, ctx, going, row.driver_id)
    session.refresh(other)
    if other.state == RoundState.out or (other.state == RoundState.planned and queries.stops(session, other_id)):
        audit.move(session, ctx, other, ROUND_MACHINE, "finish", reason="merged into another round")


def substitute(session: Session, ctx: Ctx, round_id: UUID, *, driver_id: UUID | None) -> None:
    """Let somebody drive this round in its driver's place, who stays its driver (None: nobody any more)."""
    row = _running(session, ctx, round_id)
    _check_driver(session, driver_id, row)
    if driver_id is not None and driver_id == row.driver_id:
        raise SubstituteIsDriver(field="driver_id")
    audit.change(session, ctx, row, {"substitute_id": driver_id}, action="rounds.substitute", entity="round")


def send_out(session: Session, ctx: Ctx, round_id: UUID) -> None:
    """Let a round set out, with every stop and order of it that is planned: from now on the plan leaves them."""
    row = _held(session, ctx, round_id)
    stops = queries.open_stops(session, [stop["delivery_id"] for stop in queries.stops(session, round_id)])
    audit.move(session, ctx, row, ROUND_MACHINE, "send_out")
    session.flush()
    planned = [stop for stop in stops if stop["state"] == "planned"]
    audit.move_many(session, ctx, "deliveries", MACHINE, "send_out", [stop["delivery_id"] for stop in planned])
    audit.move_many(session, ctx, "orders", ORDER, "send_out", sorted({stop["order_id"] for stop in planned}))


def finish(session: Session, ctx: Ctx, round_id: UUID) -> None:
    """Say that a round is back; stops nobody told of stay open and may still be told."""
    row = _held(session, ctx, round_id)
    audit.move(session, ctx, row, ROUND_MACHINE, "finish")
    session.flush()


def reopen(session: Session, ctx: Ctx, round_id: UUID) -> None:
    """Let a round that is back be out again."""
    row = _held(session, ctx, round_id)
    audit.move(session, ctx, row, ROUND_MACHINE, "reopen")
    session.flush()


def reorder(session: Session, ctx: Ctx, round_id: UUID, *, delivery_ids: Sequence[UUID]) -> None:
    """Put the stops of a round into this order: all of them, each once, locked ones where they stand."""
    row = _running(session, ctx, round_id)
    stops = queries.stops(session, round_id)
    before = [stop["delivery_id"] for stop in stops]
    if sorted(before) != sorted(delivery_ids):
        raise OrderOfOthers(field="delivery_ids")
    for stop, delivery_id in zip(stops, delivery_ids, strict=True):
        if stop["is_locked"] and stop["delivery_id"] != delivery_id:
            raise StopIsLocked(field="delivery_ids", delivery_id=stop["delivery_id"])
    if before != list(delivery_ids):
        place_stops(session, ctx, {row.id: list(delivery_ids)})
        old, new = ({"order": [str(key) for key in keys]} for keys in (before, delivery_ids))
        audit.record(session, ctx, "rounds.reorder", "round", row.id, before=old, after=new)


def move_stop(session: Session, ctx: Ctx, round_id: UUID, delivery_id: UUID, *, position: int) -> None:
    """Move a stop to a position (1 is the first; beyond the last is the last); the others close up behind it."""
    order = [stop["delivery_id"] for stop in queries.stops(session, _held(session, ctx, round_id).id)]
    if delivery_id not in order:
        raise StopNotInRound(field="delivery_id")
    order.remove(delivery_id)
    order.insert(position - 1, delivery_id)
    reorder(session, ctx, round_id, delivery_ids=order)


def lock_stop(session: Session, ctx: Ctx, round_id: UUID, delivery_id: UUID, *, is_locked: bool) -> None:
    """Fasten a stop where it stands, or let it loose: no order that is found for the round lets another pass it."""
    _held(session, ctx, round_id)
    facts = {"round_id": round_id, "delivery_id": delivery_id, "is_locked": is_locked}
    where = "WHERE round_id = :round_id AND delivery_id = :delivery_id"
    if not rows(session, f"SELECT position FROM round_stops {where}", facts):
        raise StopNotInRound(field="delivery_id")
    if run(session, f"UPDATE round_stops SET is_locked = :is_locked {where} AND is_locked <> :is_locked", facts):
        verb = "rounds.lock_stop" if is_locked else "rounds.unlock_stop"
        audit.record(session, ctx, verb, "delivery", delivery_id, after={"round_id": str(round_id)})


_OPEN = frozenset({"planned", "out"})


def _held(session: Session, ctx: Ctx, round_id: UUID) -> Round:
    """Return a round the actor reaches, under lock, with its day held."""
    found = queries.reached(session, ctx, round_id)
    hold_day(session, found["site_id"], found["service_on"])
    queries.reached(session, ctx, round_id)  # it may have been given to somebody else meanwhile
    return queries.for_update(session, round_id)


def _running(session: Session, ctx: Ctx, round_id: UUID) -> Round:
    row = _held(session, ctx, round_id)
    if row.state in OVER:
        raise RoundIsOver(state=row.state)
    return row


def _two(session: Session, ctx: Ctx, round_id: UUID, other_id: UUID) -> tuple[Round, Round]:
    row = _running(session, ctx, round_id)
    other = queries.reached(session, ctx, other_id)
    if other_id == round_id or (other["site_id"], other["service_on"]) != (row.site_id, row.service_on):
        raise NotOfThisDay(field="other_id")
    return row, _running(session, ctx, other_id)


def _check_driver(session: Session, driver_id: UUID | None, row: Round) -> None:
    if driver_id is None:
        return
    if not queries.drives_at(session, driver_id, row.site_id):
        raise NotADriver(field="driver_id", driver_id=driver_id)
    if Shift(row.shift) not in territory.works(session, driver_id):
        raise NotOnThatShift(field="driver_id", driver_id=driver_id, shift=row.shift)


def _give(session: Session, ctx: Ctx, row: Round, driver_id: UUID | None) -> None:
    facts: dict[str, Any] = {"driver_id": driver_id}
    if driver_id is not None and row.substitute_id == driver_id:
        facts["substitute_id"] = None
    if not audit.change(session, ctx, row, facts, action="rounds.reassign", entity="round"):
        return
    going = [stop["delivery_id"] for stop in queries.stops(session, row.id)]
    run(session, "UPDATE round_stops SET is_held = true WHERE round_id = :id AND NOT is_held", {"id": row.id})
    assign(session, ctx, going, driver_id)
