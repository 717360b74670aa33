"""Every delivery names its order: legacy rows are attached to the orders their evidence proves.

A row names its order (and no other customer's); or it is the only order of the same customer or
account, told delivered on that day, that no other boy took. More than one: ambiguous, listed with the
candidates, never guessed; what a person chose stands. The last word on a visit confirms that visit's standing
orders, a partial one in the share its products tell. A one-time order told delivered (or not delivered) is
confirmed by its row, or where there is none by its own record.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.billing.rules import minor_scale
from earlybird.importers import queries
from earlybird.infra.db import analyze, rows, run
from earlybird.kernel.ctx import Ctx
from earlybird.migrations import residue
from earlybird.migrations.cutting import units
from earlybird.migrations.protocol import Batch, Stake
from earlybird.reconcile.checks import legacy_not_attributable

NUMBER = 20
NAME = "delivery_to_order"
TITLE = "Every delivery names its order"
REASON = "A delivery that names no order can neither be billed nor disputed."
TOUCHES = ("legacy_deliveries", "deliveries", "delivery_lines", "delivery_events", "delivery_event_lines")
WARNING = "Reverting returns the attached legacy deliveries to the unattributed list."
FOLLOWS = {"uncharged_lines": ("event_line_id", "delivery_event_lines")}

SOURCE = "earlybird"

CUSTOMERS = """
SELECT customer_id, sum(weight) AS weight FROM (
    SELECT customer_id, count(*) AS weight FROM legacy_deliveries WHERE customer_id IS NOT NULL GROUP BY customer_id
    UNION ALL
    SELECT o.customer_id, count(*) FROM orders o JOIN legacy_documents d ON d.id = o.id GROUP BY o.customer_id
) w GROUP BY customer_id ORDER BY customer_id
"""

# Rows that carry an account may be evidence for orders kept with another party of the same account;
# so candidates are sought by customer and by account.
JUDGED = """
CREATE TEMP TABLE judged ON COMMIT DROP AS
WITH fact AS MATERIALIZED (
    SELECT l.id, l.customer_id, l.user_id, l.driver_key, l.service_on, l.status, l.order_key, p.kind
    FROM legacy_deliveries l LEFT JOIN legacy_parties p ON p.customer_id = l.customer_id
    WHERE (l.customer_id = ANY(:customers) OR (:nobody AND l.customer_id IS NULL)) AND l.order_id IS NULL
      AND NOT EXISTS (SELECT FROM worklist_choices w WHERE w.subject_id = l.id AND w.undone_at IS NULL)
), told AS NOT MATERIALIZED (
    SELECT o.id, d.key, o.customer_id, o.placed_by_id, o.service_on, d.facts->>'driver' AS driver_key, p.kind,
           d.facts->>'status' IN ('delivered', 'partially_delivered') AS is_done
    FROM orders o
    JOIN legacy_documents d ON d.id = o.id AND d.source = :source AND d.collection = 'orders'
    JOIN legacy_parties p ON p.customer_id = o.customer_id
), named AS (
    SELECT f.id, t.id AS order_id,
           t.kind = 'customer' AND CASE
               WHEN f.user_id IS NOT NULL AND f.kind <> 'customer'
               THEN t.placed_by_id IS NOT NULL AND t.placed_by_id <> f.user_id
               ELSE coalesce(t.customer_id <> f.customer_id, false) END AS is_contradictory
    FROM fact f JOIN told t ON t.key = f.order_key
), nameless AS MATERIALIZED (
    SELECT * FROM fact f
    WHERE f.status IN ('delivered', 'partially_delivered') AND NOT EXISTS (SELECT FROM named n WHERE n.id = f.id)
), matched AS (
    SELECT f.id, t.id AS order_id
    FROM nameless f
    JOIN told t ON t.customer_id = ANY(:customers) AND t.customer_id = f.customer_id AND t.service_on = f.service_on
         AND t.is_done
         AND (f.driver_key IS NULL OR t.driver_key IS NULL OR f.driver_key = t.driver_key)
    UNION
    SELECT f.id, t.id
    FROM (SELECT * FROM nameless WHERE user_id IS NOT NULL) f
    JOIN told t ON t.placed_by_id = f.user_id AND t.service_on = f.service_on AND t.is_done
         AND (f.driver_key IS NULL OR t.driver_key IS NULL OR f.driver_key = t.driver_key)
), matching AS (
    SELECT id, array_agg(DISTINCT order_id) AS order_ids FROM matched GROUP BY id
)
SELECT coalesce(n.id, m.id) AS id,
       CASE WHEN n.id IS NOT NULL AND NOT n.is_contradictory THEN n.order_id
            WHEN n.id IS NULL AND cardinality(m.order_ids) = 1 THEN m.order_ids[1] END AS order_id,
       CASE WHEN n.is_contradictory THEN 'contradictory' WHEN n.id IS NULL AND cardinality(m.order_ids) > 1
            THEN 'ambiguous' ELSE 'linked' END AS verdict,
       CASE WHEN n.is_contradictory THEN jsonb_build_array(n.order_id)
            WHEN n.id IS NULL AND cardinality(m.order_ids) > 1 THEN to_jsonb(m.order_ids) END AS candidates
FROM named n FULL JOIN matching m ON m.id = n.id
"""

CHANGED = """
SELECT l.id, jsonb_build_object('order_id', l.order_id, 'verdict', l.verdict, 'candidates', l.candidates) AS before
FROM legacy_deliveries l JOIN judged j ON j.id = l.id
WHERE (l.order_id, l.verdict, l.candidates) IS DISTINCT FROM (j.order_id, j.verdict, j.candidates)
"""

LINK = """
UPDATE legacy_deliveries l SET order_id = j.order_id, verdict = j.verdict, candidates = j.candidates
FROM judged j WHERE j.id = l.id
  AND (l.order_id, l.verdict, l.candidates) IS DISTINCT FROM (j.order_id, j.verdict, j.candidates)
"""

# The stops to make: the standing order of each visit, confirmed by the visit's last word; and each
# one-time order told delivered (or cancelled, yet named by a delivered row), confirmed by its row.
STOPS = """
CREATE TEMP TABLE made_stop ON COMMIT DROP AS
WITH attached AS (
    SELECT DISTINCT ON (order_id) order_id, id, driver_id, told_at, method, collection, key, order_key
    FROM legacy_deliveries
    WHERE order_id IN (SELECT id FROM orders WHERE customer_id = ANY(:customers) AND source = 'one_time')
      AND status IN ('delivered', 'partially_delivered')
    ORDER BY order_id, told_at DESC NULLS LAST, line DESC, id
), standing AS (
    SELECT o.id AS order_id, o.customer_id, o.service_on, o.shift, l.driver_id, l.id AS legacy_delivery_id, l.told_at,
           l.status, l.method, l.collection, l.key
    FROM orders o
    JOIN legacy_deliveries l ON l.customer_id = o.customer_id AND l.service_on = o.service_on
         AND CASE o.shift WHEN 'evening' THEN l.speaks_evening ELSE l.speaks_morning END
    WHERE o.customer_id = ANY(:customers) AND o.source = 'subscription'
      AND l.status IN ('delivered', 'partially_delivered')
), one_time AS (
    SELECT o.id AS order_id, o.customer_id, o.service_on, o.shift, coalesce(r.driver_id, o.driver_id) AS driver_id,
           r.id AS legacy_delivery_id, r.told_at,
           CASE d.facts->>'status' WHEN 'not_delivered' THEN 'not_delivered' ELSE 'delivered' END AS status, r.method,
           coalesce(r.collection, 'orders') AS collection, coalesce(r.key, d.key) AS key
    FROM orders o
    JOIN legacy_documents d ON d.id = o.id AND d.source = :source AND d.collection = 'orders'
    LEFT JOIN attached r ON r.order_id = o.id
    WHERE o.customer_id = ANY(:customers) AND o.source = 'one_time' AND o.service_on IS NOT NULL
      AND (d.facts->>'status' IN ('delivered', 'partially_delivered', 'not_delivered')
           OR (d.facts->>'status' = 'cancelled' AND r.order_key = d.key))
)
SELECT new_id() AS id, new_id() AS event_id, s.*, z.zone
FROM (SELECT * FROM standing UNION ALL SELECT * FROM one_time) s
JOIN customers c ON c.id = s.customer_id JOIN sites z ON z.id = c.site_id
WHERE NOT EXISTS (SELECT FROM deliveries d WHERE d.order_id = s.order_id)
"""

# The share of a product on a partial day: delivered over ordered packets, by name, over all rows of the day.
SHARES = """
CREATE TEMP TABLE day_share ON COMMIT DROP AS
SELECT l.customer_id, l.service_on, p.name, sum(p.ordered) AS ordered, greatest(sum(p.delivered), 0) AS delivered
FROM legacy_deliveries l
CROSS JOIN LATERAL jsonb_to_recordset(l.products) AS p(name text, ordered numeric, delivered numeric)
WHERE l.customer_id = ANY(:customers) AND NOT l.is_early AND l.products IS NOT NULL
  AND EXISTS (SELECT FROM made_stop s WHERE s.status = 'partially_delivered' AND s.customer_id = l.customer_id
              AND s.service_on = l.service_on)
GROUP BY l.customer_id, l.service_on, p.name HAVING sum(p.ordered) > 0
"""

LINES = """
CREATE TEMP TABLE made_line ON COMMIT DROP AS
SELECT new_id() AS id, new_id() AS event_line_id, s.id AS delivery_id, s.event_id, l.id AS order_line_id, s.customer_id,
       s.service_on, greatest(l.quantity, q.delivered) AS ordered, q.delivered
FROM made_stop s
JOIN order_lines l ON l.order_id = s.order_id AND l.cancelled_at IS NULL
LEFT JOIN legacy_documents d ON s.collection IS NOT NULL AND l.source = 'one_time' AND d.id = l.order_id
LEFT JOIN products x ON s.status = 'partially_delivered' AND x.id = l.product_id
LEFT JOIN day_share h ON h.customer_id = s.customer_id AND h.service_on = s.service_on AND h.name = lower(btrim(x.name))
CROSS JOIN LATERAL (SELECT round(CASE
    WHEN s.status = 'not_delivered' THEN 0
    WHEN l.source = 'one_time' THEN greatest(coalesce(
        (d.facts->'lines'->(l.position - 1)->>'delivered')::numeric, l.quantity), 0)
    WHEN h.ordered IS NOT NULL THEN l.quantity * h.delivered / h.ordered
    ELSE l.quantity END, 3) AS delivered) q
"""

KEEP_STOPS = """
INSERT INTO deliveries (id, order_id, customer_id, planned_on, shift, driver_id, attempt, state, state_at)
SELECT s.id, s.order_id, s.customer_id, s.service_on, s.shift, s.driver_id, 1,
       CASE WHEN NOT bool_or(l.delivered > 0) THEN 'not_delivered'
            WHEN bool_or(l.delivered < l.ordered) THEN 'partially_delivered' ELSE 'delivered' END, :now
FROM made_stop s JOIN made_line l ON l.delivery_id = s.id
GROUP BY s.id, s.order_id, s.customer_id, s.service_on, s.shift, s.driver_id
"""

KEEP_LINES = """
INSERT INTO delivery_lines (id, delivery_id, order_line_id, customer_id, service_on, ordered_quantity,
                            delivered_quantity)
SELECT id, delivery_id, order_line_id, customer_id, service_on, ordered, delivered FROM made_line
"""

KEEP_EVENTS = """
INSERT INTO delivery_events (id, client_id, delivery_id, customer_id, service_on, kind, device_at, received_at,
                             actor_kind, actor_id, actor_name, authority, via, legacy_delivery_id)
SELECT event_id, concat_ws('/', CAST(:source AS text), collection, key, order_id), id, customer_id, service_on,
       'confirm', coalesce(told_at, (service_on + time '06:00') AT TIME ZONE zone), :now, 'legacy', driver_id,
       coalesce(method, 'legacy'), CASE method WHEN 'shared_link' THEN 1 WHEN 'admin' THEN 4 ELSE 3 END, 'import',
       legacy_delivery_id
FROM made_stop s WHERE EXISTS (SELECT FROM made_line l WHERE l.delivery_id = s.id)
"""

KEEP_EVENT_LINES = """
INSERT INTO delivery_event_lines (id, event_id, delivery_line_id, customer_id, service_on, revision, delta_quantity)
SELECT event_line_id, event_id, id, customer_id, service_on, 1, delivered FROM made_line WHERE delivered > 0
"""


def phases(session: Session) -> list[list[tuple[str, list[UUID | None]]]]:
    """Link all rows first, then make the stops: a row may be evidence for an order of another party.

    The first group is of the rows that name no customer, yet may name an order.
    """
    parts = units((row["customer_id"], int(row["weight"])) for row in rows(session, CUSTOMERS))
    return [[("link", [None]), *(("link", part) for part in parts)], [("attach", part) for part in parts]]


def join(chunks: Sequence[tuple[str, list[UUID | None]]]) -> tuple[str, list[UUID | None]]:
    """Return the customers of several groups of a phase."""
    return chunks[0][0], [customer for _, customers in chunks for customer in customers]


def apply(session: Session, ctx: Ctx, batch: Batch, chunk: tuple[str, list[UUID | None]]) -> None:
    """Attach what is provable of these customers' rows; what is attached already stays as it is."""
    phase, customers = chunk
    facts = {"customers": customers, "nobody": None in customers, "now": ctx.now, "source": SOURCE}
    if phase == "link":
        _link(session, batch, facts)
    else:
        _attach(session, batch, facts)


def _link(session: Session, batch: Batch, facts: dict[str, Any]) -> None:
    run(session, JUDGED, facts)
    residue.updated(session, batch, "legacy_deliveries", f"({CHANGED}) c")
    run(session, LINK, facts)


def _attach(session: Session, batch: Batch, facts: dict[str, Any]) -> None:
    run(session, STOPS, facts)
    analyze(session, "made_stop")
    run(session, SHARES, facts)
    run(session, LINES, facts)
    analyze(session, "made_line")
    stops = "(SELECT id, event_id FROM made_stop s WHERE EXISTS (SELECT FROM made_line l WHERE l.delivery_id = s.id)) s"
    residue.inserted(session, batch, "deliveries", stops)
    residue.inserted(session, batch, "delivery_lines", "made_line")
    residue.inserted(session, batch, "delivery_events", stops, "event_id")
    residue.inserted(session, batch, "delivery_event_lines", "made_line WHERE delivered > 0", "event_line_id")
    run(session, KEEP_STOPS, facts)
    run(session, KEEP_LINES)
    run(session, KEEP_EVENTS, facts)
    run(session, KEEP_EVENT_LINES)


STAKES = f"""
SELECT l.currency, sum(round(d.delivered_quantity * l.unit_price * {minor_scale("l.currency")}))::bigint AS amount_minor
FROM delivery_lines d JOIN order_lines l ON l.id = d.order_line_id
WHERE d.delivered_quantity > 0 AND EXISTS (
    SELECT FROM delivery_events e WHERE e.delivery_id = d.delivery_id AND e.via = 'import')
GROUP BY l.currency ORDER BY l.currency
"""


def stakes(session: Session) -> list[Stake]:
    """Return what the taken-over deliveries are worth."""
    said = "of deliveries would hang on no order"
    return [Stake(row["amount_minor"], row["currency"], said) for row in rows(session, STAKES)]


def unclear(session: Session) -> list[dict[str, Any]]:
    """List the rows that may be of several orders, with those, and whose deliveries can be tied to none."""
    alone = rows(session, legacy_not_attributable.CHECK.sql)
    return [
        *queries.waiting_deliveries(session),
        *({"id": row["subject"], "what": row["title"], "candidates": []} for row in alone),
    ]


VERIFY = """
SELECT d.id, 'the delivery is another customer''s than its order' AS what
FROM deliveries d JOIN orders o ON o.id = d.order_id WHERE o.customer_id <> d.customer_id
UNION ALL
SELECT l.id, 'the legacy delivery is attached to another customer''s order' FROM legacy_deliveries l
JOIN orders o ON o.id = l.order_id
JOIN legacy_parties p ON p.customer_id = o.customer_id AND p.kind = 'customer'
LEFT JOIN legacy_parties own ON own.customer_id = l.customer_id
WHERE o.customer_id <> l.customer_id
  AND NOT EXISTS (SELECT FROM worklist_choices w WHERE w.subject_id = l.id AND w.undone_at IS NULL)
  AND (l.user_id IS NULL OR o.placed_by_id <> l.user_id OR (o.placed_by_id IS NULL AND own.kind = 'customer'))
UNION ALL
SELECT e.id, 'the event and its stop disagree on the customer or the day' FROM delivery_events e
JOIN deliveries d ON d.id = e.delivery_id WHERE d.customer_id <> e.customer_id OR d.planned_on <> e.service_on
UNION ALL
SELECT l.id, 'delivered quantity is not the sum of its events' FROM delivery_lines l
LEFT JOIN delivery_event_lines e ON e.delivery_line_id = l.id
GROUP BY l.id, l.delivered_quantity HAVING l.delivered_quantity <> coalesce(sum(e.delta_quantity), 0)
"""


def verify(session: Session) -> list[dict[str, Any]]:
    """List attached deliveries that contradict their order, their stop or their events."""
    return rows(session, VERIFY + " LIMIT 1000")
