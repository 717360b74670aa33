"""Shared links: what one opens, who opened it, and the stops it shows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from earlybird.deliveries.errors import NoSuchLink
from earlybird.deliveries.models import LinkUse, SharedLink
from earlybird.deliveries.rules import masked, short_name
from earlybird.deliveries.states import LinkState
from earlybird.identity.rules import fingerprint
from earlybird.infra.db import rows, value
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.pages import LIMIT, Page

STOPS = """
d.id IN (SELECT t.delivery_id FROM shared_links l JOIN round_stops t ON t.round_id = l.round_id
         JOIN deliveries v ON v.id = t.delivery_id AND v.planned_on BETWEEN l.first_on AND l.last_on WHERE l.id = :me
         UNION ALL SELECT v.id FROM shared_links l JOIN deliveries v ON v.order_id = l.order_id
         AND v.planned_on BETWEEN l.first_on AND l.last_on WHERE l.id = :me)"""
"""The condition for the deliveries `d` that the link :me opens: of its round or order, on its days."""

STATE = """
CASE WHEN l.revoked_at IS NOT NULL THEN 'revoked' WHEN l.expires_at <= :now THEN 'expired'
     WHEN l.use_count >= l.max_uses THEN 'used_up' ELSE 'good' END"""

LINK = f"""
SELECT l.id, l.first_id, l.name, l.site_id, l.round_id, l.order_id, l.first_on, l.last_on, l.actions, l.shows_phones,
       l.pin_mac IS NOT NULL AS has_pin, l.wrong_pin_count, l.max_uses, l.use_count, l.expires_at, l.revoked_at,
       l.revoked_reason, l.made_at, l.made_by, {STATE} AS state
FROM shared_links l"""

LIST = f"""
SELECT d.id AS delivery_id, d.order_id, o.code AS order_code, t.position, d.planned_on, d.shift, d.attempt, d.state,
       c.name, c.kind, c.phone, o.address, c.delivery_instructions AS instructions, o.note,
       coalesce(k.lines, '[]') AS lines
FROM deliveries d
JOIN orders o ON o.id = d.order_id
JOIN customers c ON c.id = d.customer_id
LEFT JOIN round_stops t ON t.delivery_id = d.id
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('order_line_id', n.id, 'product_name', n.product_name, 'unit', n.unit,
               'ordered_quantity', k.ordered_quantity::text, 'delivered_quantity', k.delivered_quantity::text)
               ORDER BY n.position, n.id) AS lines
    FROM delivery_lines k JOIN order_lines n ON n.id = k.order_line_id
    WHERE k.delivery_id = d.id AND n.cancelled_at IS NULL) k ON true
WHERE {STOPS} AND d.state <> 'cancelled' ORDER BY d.planned_on, t.position, d.id"""

NEXT_ROUND = """
SELECT n.id, n.service_on FROM rounds r
JOIN rounds n ON n.site_id = r.site_id AND n.service_on > r.service_on AND n.state <> 'cancelled'
     AND (n.standing_round_id = r.standing_round_id
          OR r.standing_round_id IS NULL AND n.standing_round_id IS NULL AND n.shift = r.shift AND n.name = r.name)
WHERE r.id = :round_id AND n.service_on >= :today ORDER BY n.service_on, n.id LIMIT 1"""
"""The next day of the same standing round; of a round cut for once, the next of its name and shift."""


def find_for_update(session: Session, token: str) -> SharedLink | None:
    """Return the link of a token, locked; whether it is still good is for its reader to see."""
    return session.scalar(
        select(SharedLink)
        .where(SharedLink.token_hash == fingerprint(token))
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def get_for_update(session: Session, link_id: UUID) -> SharedLink:
    """Return one link, locked."""
    found = session.get(SharedLink, link_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise NoSuchLink(field="link_id", link_id=link_id)
    return found


def living_of(session: Session, ctx: Ctx, first_id: UUID, round_id: UUID) -> Sequence[SharedLink]:
    """Return the links of an assignment that open a round and have not ended, locked."""
    return session.scalars(
        select(SharedLink)
        .where(
            SharedLink.first_id == first_id,
            SharedLink.round_id == round_id,
            SharedLink.revoked_at.is_(None),
            SharedLink.expires_at > ctx.now,
        )
        .with_for_update()
    ).all()


def site_zone(session: Session, site_id: UUID) -> str:
    """Return the zone of a site."""
    return str(value(session, "SELECT zone FROM sites WHERE id = :id", {"id": site_id}))


def find_use(session: Session, device_hash: str) -> LinkUse | None:
    """Return the use a device made of its link before; its link is locked."""
    return session.scalar(select(LinkUse).where(LinkUse.device_hash == device_hash))


def find_opened(session: Session, ctx: Ctx, access: str) -> dict[str, Any] | None:
    """Return the link that an access token was given for, if both are good at this very moment."""
    return find_all_opened(session, ctx, [access])[0]


def find_all_opened(session: Session, ctx: Ctx, accesses: Sequence[str]) -> list[dict[str, Any] | None]:
    """Return for each access token what `find_opened` does, in one statement."""
    hashes = [fingerprint(access) for access in accesses]
    found = rows(
        session,
        "SELECT u.access_hash, l.id, l.name, l.site_id, l.round_id, l.order_id, l.actions FROM link_uses u "
        "JOIN shared_links l ON l.id = u.link_id WHERE u.access_hash = ANY(:hashes) AND u.access_ends_at > :now "
        "AND l.revoked_at IS NULL AND l.expires_at > :now",
        {"hashes": hashes, "now": ctx.now},
    )
    by_hash = {row.pop("access_hash"): row for row in found}
    return [by_hash.get(hashed) for hashed in hashes]


def round_of(session: Session, round_id: UUID) -> dict[str, Any] | None:
    """Return site_id, zone, service_on and name of a round that takes place."""
    found = rows(
        session,
        "SELECT r.site_id, s.zone, r.service_on, r.name FROM rounds r JOIN sites s ON s.id = r.site_id "
        "WHERE r.id = :id AND r.state <> 'cancelled'",
        {"id": round_id},
    )
    return found[0] if found else None


def order_of(session: Session, order_id: UUID) -> dict[str, Any] | None:
    """Return site_id, zone, service_on (perhaps none) and name of an order that is not cancelled."""
    found = rows(
        session,
        "SELECT o.site_id, s.zone, o.service_on, coalesce(o.code, o.id::text) AS name FROM orders o "
        "JOIN sites s ON s.id = o.site_id WHERE o.id = :id AND o.state <> 'cancelled'",
        {"id": order_id},
    )
    return found[0] if found else None


def next_round(session: Session, round_id: UUID, today: date) -> dict[str, Any] | None:
    """Return id and service_on of the next day of a round's assignment, today or later."""
    found = rows(session, NEXT_ROUND, {"round_id": round_id, "today": today})
    return found[0] if found else None


def page(
    session: Session,
    ctx: Ctx,
    *,
    cursor: UUID | None = None,
    limit: int = LIMIT,
    site_id: UUID | None = None,
    round_id: UUID | None = None,
    order_id: UUID | None = None,
    state: LinkState | None = None,
) -> Page[dict[str, Any]]:
    """Return links, newest first; never a token."""
    asked = {
        "l.id < :cursor": ("cursor", cursor),
        "l.site_id = :site_id": ("site_id", site_id),
        "l.round_id = :round_id": ("round_id", round_id),
        "l.order_id = :order_id": ("order_id", order_id),
        f"({STATE}) = :state": ("state", state and str(state)),
    }
    which = " AND ".join(["true", *(sql for sql, (_, wanted) in asked.items() if wanted is not None)])
    facts = {**dict(asked.values()), "now": ctx.now, "most": limit + 1}
    found = rows(session, f"{LINK} WHERE {which} ORDER BY l.id DESC LIMIT :most", facts)
    return Page(found[:limit], found[limit - 1]["id"] if len(found) > limit else None)


def show(session: Session, ctx: Ctx, link_id: UUID) -> dict[str, Any]:
    """Return one link with the devices that opened it."""
    found = rows(session, f"{LINK} WHERE l.id = :id", {"id": link_id, "now": ctx.now})
    if not found:
        raise NoSuchLink(field="link_id", link_id=link_id)
    uses = rows(
        session,
        "SELECT id, opened_at, last_opened_at, open_count, address, device FROM link_uses "
        "WHERE link_id = :id ORDER BY opened_at, id",
        {"id": link_id},
    )
    return found[0] | {"uses": uses}


def shown(session: Session, ctx: Ctx) -> dict[str, Any]:
    """Return what the acting link opens: what it is for, and its stops in their order.

    Households by short names, phone numbers masked unless the link shows them.
    """
    facts = {"me": ctx.actor.id}
    head = rows(
        session,
        "SELECT l.name, l.actions, l.first_on, l.last_on, l.expires_at, l.shows_phones, s.name AS site_name, s.zone, "
        "r.name AS round_name, r.shift FROM shared_links l JOIN sites s ON s.id = l.site_id "
        "LEFT JOIN rounds r ON r.id = l.round_id WHERE l.id = :me",
        facts,
    )[0]
    stops = rows(session, LIST, facts)
    for stop in stops:
        stop["name"] = stop["name"] if stop["kind"] == "business" else short_name(stop["name"])
        stop["phone"] = stop["phone"] if head["shows_phones"] else masked(stop["phone"])
    return head | {"stops": stops}
