"""What the door must know to judge a chunk of confirmations: one statement per question, over arrays."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from earlybird.deliveries.rules import Policy
from earlybird.kernel.ctx import Actor


def _all(session: Session, sql: str, **facts: Any) -> Sequence[Any]:
    """Return the rows of one statement as tuples."""
    return session.execute(text(sql), facts).all()


def _keys(keys: Collection[str]) -> str:
    """Write keys as one array literal: a list would be bound key by key."""
    return "{" + ",".join(keys) + "}"


SWITCHES = "name IN ('check_quantities', 'check_dates', 'confirm_window_days')"


def policy(session: Session) -> Policy:
    """Return the door's switches; a policy without a row is on, the window one day."""
    return as_policy(dict(tuple(row) for row in _all(session, f"SELECT name, value FROM policies WHERE {SWITCHES}")))


def as_policy(found: dict[str, Any]) -> Policy:
    """Return the switches as their rows say."""
    return Policy(
        quantities=found.get("check_quantities") is not False,
        dates=found.get("check_dates") is not False,
        window_days=int(found.get("confirm_window_days", 1)),
    )


def orders_by_code(session: Session, codes: Collection[str]) -> Sequence[Any]:
    """Return (code, order id) of orders with one of these codes; a code may name more than one."""
    return _all(session, "SELECT code, id::text FROM orders WHERE code = ANY(:codes)", codes=list(codes))


def orders_by_key(session: Session, keys: Collection[tuple[str, str, str]]) -> Sequence[Any]:
    """Return (source, kind, key, order id) of orders that another system names so."""
    sources, kinds, names = zip(*keys, strict=True)
    return _all(
        session,
        "SELECT k.source, k.kind, k.key, k.order_id::text FROM order_keys k JOIN unnest(CAST(:sources AS text[]), "
        "CAST(:kinds AS text[]), CAST(:names AS text[])) AS a(source, kind, key) USING (source, kind, key)",
        sources=list(sources),
        kinds=list(kinds),
        names=list(names),
    )


def orders_locked(session: Session, ids: Collection[str], client_ids: Collection[str] = ()) -> Sequence[Any]:
    """Lock orders in the order of their ids; return (id, customer id, state, the site's zone) and two more columns.

    They are the same in each row: the door's switches by name, and whether something that was told under one of
    these client_ids stands refused. Whoever changes an order, its deliveries or their lines holds this lock first.
    """
    return _all(
        session,
        "SELECT o.id::text, o.customer_id::text, o.state, s.zone, "
        f"(SELECT jsonb_object_agg(name, value) FROM policies WHERE {SWITCHES}) AS switches, "
        "EXISTS (SELECT FROM delivery_rejections WHERE client_id = ANY(:client_ids) AND resolved_at IS NULL) "
        "FROM orders o JOIN sites s ON s.id = o.site_id "
        "WHERE o.id = ANY(CAST(:ids AS uuid[])) ORDER BY o.id FOR NO KEY UPDATE OF o",
        ids=_keys(ids),
        client_ids=list(client_ids),
    )


def stops(session: Session, order_ids: Collection[str]) -> Sequence[Any]:
    """Return every line of every attempt of these orders with its driver and round, attempts and lines in order.

    OFFSET 0 keeps each step an index look-up per key: without it a table planned a minute ago, of
    which the server has no statistics yet, is read whole for every chunk.
    """
    return _all(
        session,
        """
        SELECT d.order_id::text, d.id::text, d.attempt, d.planned_on, d.state, l.id::text, l.order_line_id::text,
               p.product_id::text, l.service_on, l.ordered_quantity, l.delivered_quantity, p.quantity,
               p.cancelled_at IS NOT NULL, d.driver_id::text, r.substitute_id::text, r.id::text
        FROM unnest(CAST(:order_ids AS uuid[])) AS k(id)
        CROSS JOIN LATERAL (SELECT * FROM deliveries WHERE order_id = k.id OFFSET 0) d
        LEFT JOIN round_stops w ON w.delivery_id = d.id
        LEFT JOIN rounds r ON r.id = w.round_id
        LEFT JOIN LATERAL (SELECT * FROM delivery_lines WHERE delivery_id = d.id OFFSET 0) l ON true
        LEFT JOIN LATERAL (SELECT * FROM order_lines WHERE id = l.order_line_id OFFSET 0) p ON true
        ORDER BY d.order_id, d.attempt, l.order_line_id
        """,
        order_ids=_keys(order_ids),
    )


def told(session: Session, client_ids: Collection[str], delivery_ids: Collection[str]) -> Sequence[Any]:
    """Return what was told under these client_ids, and what was told about these deliveries, one row per event.

    (client_id, event id, delivery id, order id, kind, authority, device_at, actor kind, id, name, told, its deltas by
    line): the deltas speak for events kept without their words, as imported ones may be.
    """
    return _all(
        session,
        """
        SELECT e.client_id, e.id, e.delivery_id::text, d.order_id, e.kind, e.authority, e.device_at, e.actor_kind,
               e.actor_id, e.actor_name, e.told, CASE WHEN e.told -> 'lines' IS NULL THEN (
                   SELECT jsonb_object_agg(n.delivery_line_id, n.delta_quantity::text)
                   FROM delivery_event_lines n WHERE n.event_id = e.id) END
        FROM (SELECT * FROM delivery_events WHERE client_id = ANY(:client_ids)
              UNION ALL SELECT e.* FROM unnest(CAST(:delivery_ids AS uuid[])) AS k(id)
              CROSS JOIN LATERAL (SELECT * FROM delivery_events WHERE delivery_id = k.id OFFSET 0) e
              WHERE e.client_id <> ALL(:client_ids)) e
        CROSS JOIN LATERAL (SELECT order_id FROM deliveries WHERE id = e.delivery_id OFFSET 0) d
        """,
        client_ids=list(client_ids),
        delivery_ids=_keys(delivery_ids),
    )


def revisions(session: Session, line_ids: Collection[str]) -> Sequence[Any]:
    """Return (delivery line id, its last revision)."""
    return _all(
        session,
        "SELECT k.id::text, coalesce((SELECT max(n.revision) FROM delivery_event_lines n "
        "WHERE n.delivery_line_id = k.id), 0) FROM unnest(CAST(:line_ids AS uuid[])) AS k(id)",
        line_ids=_keys(line_ids),
    )


def currencies(session: Session, customer_ids: Collection[str]) -> Sequence[Any]:
    """Return (customer id, the currency they are billed in)."""
    return _all(
        session,
        "SELECT c.id::text, b.currency FROM customers c JOIN businesses b ON b.id = c.business_id "
        "WHERE c.id = ANY(CAST(:ids AS uuid[]))",
        ids=_keys(customer_ids),
    )


def cash_revisions(session: Session, delivery_ids: Collection[str]) -> Sequence[Any]:
    """Return (delivery id, the last revision of its cash)."""
    return _all(
        session,
        "SELECT delivery_id::text, max(revision) FROM delivery_cash WHERE delivery_id = ANY(CAST(:ids AS uuid[])) "
        "GROUP BY delivery_id",
        ids=_keys(delivery_ids),
    )


def order_named(session: Session, name: str) -> str | None:
    """Return the id of the one order the first system called so; None where it is none, or more than one."""
    found = _all(
        session,
        "SELECT DISTINCT order_id::text FROM order_keys WHERE source = 'earlybird' AND kind IN ('id', '_id') "
        "AND key = :name",
        name=name,
    )
    return str(found[0][0]) if len(found) == 1 else None


def goods(session: Session, order_id: str) -> Sequence[Any]:
    """Return (order line id, the ids and small-letter names of its product, here and in the first system)."""
    return _all(
        session,
        "SELECT l.id::text, array_remove(ARRAY[l.product_id::text, lower(l.product_name), lower(p.name)] || ARRAY("
        "SELECT k.key FROM product_keys k WHERE k.product_id = l.product_id AND k.source = 'earlybird'), NULL) "
        "FROM order_lines l JOIN products p ON p.id = l.product_id "
        "WHERE l.order_id = CAST(:order_id AS uuid) AND l.cancelled_at IS NULL ORDER BY l.id",
        order_id=order_id,
    )


def last_told(session: Session, order_id: str, actor: Actor) -> Any:
    """Return (client_id, device_at) of what an actor told last about an order, None where they told nothing."""
    found = _all(
        session,
        "SELECT e.client_id, e.device_at FROM deliveries d JOIN delivery_events e ON e.delivery_id = d.id "
        "WHERE d.order_id = CAST(:order_id AS uuid) AND e.actor_kind = :kind "
        "AND e.actor_id IS NOT DISTINCT FROM :actor_id ORDER BY e.id DESC LIMIT 1",
        order_id=order_id,
        kind=actor.kind,
        actor_id=actor.id,
    )
    return found[0] if found else None


def drives_for(session: Session, driver_id: UUID, order_id: UUID) -> bool:
    """Say whether somebody drives for the site of that order."""
    return bool(
        _all(
            session,
            "SELECT 1 FROM orders o JOIN memberships m ON m.site_id IS NULL OR m.site_id = o.site_id "
            "JOIN users u ON u.id = m.user_id WHERE o.id = :order_id AND m.user_id = :driver_id AND m.role = 'driver' "
            "AND m.ended_at IS NULL AND u.archived_at IS NULL AND u.state <> 'disabled' LIMIT 1",
            order_id=order_id,
            driver_id=driver_id,
        )
    )
