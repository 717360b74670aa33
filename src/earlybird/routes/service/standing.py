"""Standing rounds: who drives what day after day, the order that is remembered, the windows of doors."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import time
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.deliveries.queries import rounds as round_queries
from earlybird.deliveries.service.rounds import Opening
from earlybird.infra.db import lock, rows, run, value
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx
from earlybird.routes import errors
from earlybird.routes.models import StandingRound
from earlybird.routes.queries import days, standing
from earlybird.routes.rules import memory
from earlybird.routes.rules.cutting import Door, Stop, Tour
from earlybird.territory import queries as territory
from earlybird.territory.states import Shift

UNASSIGNED = "Unassigned"


def hold_memory(session: Session, site_id: UUID) -> None:
    """Wait until nobody else changes what a site remembers, and keep them out."""
    lock(session, f"standing {site_id}")


def openings(session: Session, ctx: Ctx, site_id: UUID, wanted: Sequence[tuple[str, UUID | None]]) -> list[Opening]:
    """Return how the rounds of these shifts and drivers are opened; who has no standing round gets one."""
    known = standing.of_drivers(session, site_id)
    new = sorted({pair for pair in wanted if pair[1] is not None} - set(known), key=str)
    if new:
        made = rows(
            session,
            "INSERT INTO standing_rounds (site_id, shift, driver_id, name, made_at) "
            "SELECT :site_id, w.shift, w.driver_id, u.name, :now FROM unnest(CAST(:shifts AS text[]), "
            "CAST(:drivers AS uuid[])) AS w(shift, driver_id) JOIN users u ON u.id = w.driver_id RETURNING id",
            {
                "site_id": site_id,
                "now": ctx.now,
                "shifts": [shift for shift, _ in new],
                "drivers": [driver for _, driver in new],
            },
        )
        after = {"site_id": str(site_id)}
        audit.record_many(session, ctx, "routes.open", "standing_round", [row["id"] for row in made], after=after)
        known = standing.of_drivers(session, site_id)
    found = []
    for shift, driver in wanted:
        row = known.get((shift, driver)) if driver is not None else None
        found.append(Opening(shift, driver, row["name"] if row else UNASSIGNED, row["id"] if row else None))
    return found


def open_round(
    session: Session,
    ctx: Ctx,
    *,
    site_id: UUID,
    shift: Shift,
    driver_id: UUID,
    name: str | None = None,
    capacity: Any = None,
    service_minutes: int = 2,
) -> UUID:
    """Let a driver have a round on a shift, day after day. `capacity` counts packets."""
    if not value(session, "SELECT true FROM sites WHERE id = :id AND archived_at IS NULL", {"id": site_id}):
        raise errors.SiteUnknown(field="site_id", site_id=site_id)
    hold_memory(session, site_id)
    _check_driver(session, site_id, shift, driver_id)
    usual = value(session, "SELECT name FROM users WHERE id = :id", {"id": driver_id})
    row = StandingRound(
        id=ids.new_id(),
        site_id=site_id,
        shift=shift,
        name=name or usual,
        driver_id=driver_id,
        capacity=capacity,
        service_minutes=service_minutes,
        made_at=ctx.now,
    )
    session.add(row)
    session.flush()
    facts = {"site_id": site_id, "shift": shift, "driver_id": driver_id, "name": row.name}
    audit.record(session, ctx, "routes.open", "standing_round", row.id, after=audit.plain(facts))
    return row.id


def change_round(session: Session, ctx: Ctx, standing_round_id: UUID, **facts: Any) -> None:
    """Change name, driver_id, capacity or service_minutes from the next cut on; rounds that are cut stay."""
    row = _used(session, standing_round_id)
    if facts.get("driver_id", row.driver_id) != row.driver_id:
        _check_driver(session, row.site_id, Shift(row.shift), facts["driver_id"])
    audit.change(session, ctx, row, facts, action="routes.change", entity="standing_round")


def archive_round(session: Session, ctx: Ctx, standing_round_id: UUID) -> None:
    """Give up a standing round and the order it remembers; what is cut stays."""
    row = _used(session, standing_round_id)
    audit.change(session, ctx, row, {"archived_at": ctx.now}, action="routes.archive", entity="standing_round")


def set_order(session: Session, ctx: Ctx, standing_round_id: UUID, *, doors: Sequence[Door]) -> None:
    """Remember these doors in this order and no others."""
    row = _used(session, standing_round_id)
    if len(set(doors)) != len(doors):
        raise errors.DoorTwice(field="doors")
    bad = rows(
        session,
        "SELECT d.n FROM unnest(CAST(:customers AS uuid[]), CAST(:addresses AS uuid[])) WITH ORDINALITY "
        "AS d(customer_id, address_id, n) LEFT JOIN customers c ON c.id = d.customer_id AND c.site_id = :site_id "
        "LEFT JOIN addresses a ON a.id = d.address_id AND a.customer_id = d.customer_id AND a.archived_at IS NULL "
        "WHERE c.id IS NULL OR d.address_id IS NOT NULL AND a.id IS NULL ORDER BY d.n LIMIT 1",
        {
            "customers": [customer for customer, _ in doors],
            "addresses": [address for _, address in doors],
            "site_id": row.site_id,
        },
    )
    if bad:
        raise errors.DoorUnknown(field=f"doors.{bad[0]['n'] - 1}")
    write(session, {row.id: doors})
    audit.change(session, ctx, row, {"remembered_at": ctx.now}, action="routes.remember", entity="standing_round")


def remember(session: Session, ctx: Ctx, round_id: UUID) -> None:
    """Make today's order of a round the one that is remembered; doors that get nothing today keep their neighbours."""
    tour = days.tour(session, round_id)
    if tour.standing_round_id is None:
        raise errors.NothingRemembered(field="remember")
    row = _used(session, tour.standing_round_id)
    before = days.remembered(session, [row.id]).get(row.id, [])
    after = memory.merged(before, [stop.door for stop in days.stops_of(session, round_id)])
    if after != before:
        write(session, {row.id: after})
        audit.change(session, ctx, row, {"remembered_at": ctx.now}, action="routes.remember", entity="standing_round")


def learn(session: Session, ctx: Ctx, orders: Mapping[UUID, Sequence[Stop]], tours: Collection[Tour]) -> None:
    """Let rounds that remember an order take new doors into it, behind whom they stand today; nobody else moves."""
    new: dict[UUID, list[Door]] = {}
    for tour in tours:
        known = list(tour.remembered)
        today = [stop.door for stop in orders.get(tour.id, ())]
        back = [door for door in dict.fromkeys(today) if door not in tour.remembered]
        if tour.standing_round_id is None or not known or not back:
            continue
        rank = {door: n for n, door in enumerate(today)}
        new[tour.standing_round_id] = memory.recalled(known, back, rank)
    if new:
        write(session, new)
        audit.record_many(session, ctx, "routes.learn", "standing_round", sorted(new))


def write(session: Session, orders: Mapping[UUID, Sequence[Door]]) -> None:
    """Let these standing rounds remember these doors in this order; the caller holds the site's memory."""
    run(
        session,
        "DELETE FROM standing_stops WHERE standing_round_id = ANY(CAST(:ids AS uuid[]))",
        {"ids": list(orders)},
    )
    doors = [(key, n, *door) for key, row in orders.items() for n, door in enumerate(row, start=1)]
    run(
        session,
        "INSERT INTO standing_stops (standing_round_id, position, customer_id, address_id) SELECT * FROM unnest("
        "CAST(:keys AS uuid[]), CAST(:positions AS int[]), CAST(:customers AS uuid[]), CAST(:addresses AS uuid[]))",
        {
            "keys": [door[0] for door in doors],
            "positions": [door[1] for door in doors],
            "customers": [door[2] for door in doors],
            "addresses": [door[3] for door in doors],
        },
    )


def set_window(
    session: Session,
    ctx: Ctx,
    customer_id: UUID,
    *,
    address_id: UUID | None = None,
    opens: time | None = None,
    closes: time | None = None,
    service_minutes: int | None = None,
) -> None:
    """Say between which local times a door may be rung and how long it takes; without any of them, forget it."""
    standing.windows(session, customer_id)
    facts = {"customer_id": customer_id, "address_id": address_id}
    if address_id is not None and not value(
        session,
        "SELECT true FROM addresses WHERE id = :address_id AND customer_id = :customer_id AND archived_at IS NULL",
        facts,
    ):
        raise errors.AddressUnknown(field="address_id", address_id=address_id)
    if opens is not None and closes is not None and opens >= closes:
        raise errors.WindowUnfit(field="closes")
    told = {"opens": opens, "closes": closes, "service_minutes": service_minutes}
    if any(fact is not None for fact in told.values()):
        run(
            session,
            "INSERT INTO door_windows (customer_id, address_id, opens, closes, service_minutes) VALUES "
            "(:customer_id, :address_id, :opens, :closes, :service_minutes) ON CONFLICT (customer_id, address_id) "
            "DO UPDATE SET opens = excluded.opens, closes = excluded.closes, "
            "service_minutes = excluded.service_minutes",
            facts | told,
        )
    else:
        run(
            session,
            "DELETE FROM door_windows WHERE customer_id = :customer_id "
            "AND address_id IS NOT DISTINCT FROM CAST(:address_id AS uuid)",
            facts,
        )
    after = audit.plain({"address_id": address_id, **told})
    audit.record(session, ctx, "routes.set_window", "customer", customer_id, after=after)


def _used(session: Session, standing_round_id: UUID) -> StandingRound:
    hold_memory(session, standing.standing_round(session, standing_round_id)["site_id"])
    row = standing.for_update(session, standing_round_id)
    if row.archived_at is not None:
        raise errors.NoSuchStandingRound(field="standing_round_id", standing_round_id=standing_round_id)
    return row


def _check_driver(session: Session, site_id: UUID, shift: Shift, driver_id: UUID) -> None:
    if not round_queries.drives_at(session, driver_id, site_id):
        raise errors.NotADriver(field="driver_id", driver_id=driver_id)
    if shift not in territory.works(session, driver_id):
        raise errors.NotOnThatShift(field="driver_id", driver_id=driver_id, shift=str(shift))
    if (str(shift), driver_id) in standing.of_drivers(session, site_id):
        raise errors.HasARound(field="driver_id", driver_id=driver_id)
