"""Who confirmed, when, how, from where: confirmations taken over carry what their old rows tell of it.

Filled in only where the import had nothing better to write: the account that confirmed and its name, the instant,
the method, the network address and the device. What no row tells stays empty: nobody is made up. A key that leads
to more than one person, or to nobody, keeps its word (`confirmed_by` in `told`) and is listed.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.infra.db import rows, run
from earlybird.kernel.ctx import Ctx
from earlybird.migrations import residue
from earlybird.migrations.protocol import Batch

NUMBER = 25
NAME = "who_confirmed"
TITLE = "Who confirmed, when, how, from where"
REASON = "A delivery that nobody can be asked about cannot be defended when a customer disputes it."
TOUCHES = ("delivery_events",)
WARNING = "Reverting takes back the filled-in attributes alone; the events and the audit stay."

CHUNK = 200

CUSTOMERS = "SELECT DISTINCT customer_id FROM legacy_deliveries ORDER BY 1"

# An account and a delivery boy of one key are one person: `users` has the account's row alone.
PEOPLE = """
CREATE TEMP TABLE legacy_person ON COMMIT DROP AS
SELECT k.key, min(CAST(u.id AS text)) AS user_id, min(u.name) AS name
FROM legacy_documents d
CROSS JOIN LATERAL (VALUES (d.key), (d.oid)) AS k(key)
JOIN users u ON u.id = d.id
WHERE d.source = 'earlybird' AND d.collection IN ('users', 'delivery_boys_v2') AND d.verdict = 'imported'
  AND k.key IS NOT NULL
GROUP BY k.key HAVING count(DISTINCT u.id) = 1
"""

NOBODY = "('', 'unknown', 'anonymous', 'none', 'null', 'legacy')"

TOLD = f"""
CREATE TEMP TABLE told_of_event ON COMMIT DROP AS
SELECT t.*
FROM legacy_deliveries l
JOIN legacy_documents d ON d.id = l.id
CROSS JOIN LATERAL jsonb_to_record(d.facts) AS f(by text, by_name text, method text, confirmed_at timestamptz,
                                                 address text, device text)
JOIN delivery_events e ON e.legacy_delivery_id = l.id AND e.actor_kind = 'legacy'
LEFT JOIN legacy_person p ON p.key = f.by
CROSS JOIN LATERAL (
    SELECT e.id, coalesce(CAST(p.user_id AS uuid), e.actor_id) AS actor_id,
           coalesce(CASE WHEN lower(f.by_name) NOT IN {NOBODY} THEN f.by_name END, p.name, e.actor_name) AS actor_name,
           coalesce(f.confirmed_at, e.device_at) AS device_at,
           coalesce(e.address, f.address) AS address, coalesce(e.device, f.device) AS device,
           coalesce(e.told, nullif(jsonb_strip_nulls(jsonb_build_object('method', f.method, 'confirmed_by', f.by)),
                                   '{{}}')) AS told
) t
WHERE (l.customer_id = ANY(:customers) OR (:nobody AND l.customer_id IS NULL))
  AND d.facts ?| ARRAY['by', 'by_name', 'method', 'confirmed_at', 'address', 'device']
  AND (e.actor_id, e.actor_name, e.device_at, e.address, e.device, e.told) IS DISTINCT FROM
      (t.actor_id, t.actor_name, t.device_at, t.address, t.device, t.told)
"""

COLUMNS = ("actor_id", "actor_name", "device_at", "address", "device", "told")

FILL = f"""
UPDATE delivery_events e SET {", ".join(f"{name} = t.{name}" for name in COLUMNS)}
FROM told_of_event t WHERE t.id = e.id
"""


def phases(session: Session) -> list[list[list[UUID | None]]]:
    """Return the customers whose legacy rows there are, in batches; the rows of nobody are with the last."""
    customers = [row["customer_id"] for row in rows(session, CUSTOMERS)]
    return [[customers[n : n + CHUNK] for n in range(0, len(customers), CHUNK)]]


def apply(session: Session, ctx: Ctx, batch: Batch, chunk: list[UUID | None]) -> None:
    """Fill in what the old rows of these customers tell of who confirmed; what stands so already is left alone."""
    del ctx
    run(session, PEOPLE)
    run(session, TOLD, {"customers": [one for one in chunk if one is not None], "nobody": None in chunk})
    residue.columns(session, batch, "delivery_events", COLUMNS, "SELECT id FROM told_of_event")
    run(session, FILL)


# From the documents' side, attribute by attribute.
VERIFY = f"""
WITH told AS MATERIALIZED (
    SELECT d.id, d.facts FROM legacy_documents d
    WHERE d.source = 'earlybird' AND d.collection IN ('delivery_statuses', 'delivery_status') AND d.verdict = 'imported'
      AND d.facts ?| ARRAY['by', 'by_name', 'method', 'confirmed_at', 'address', 'device']
), person AS MATERIALIZED (
    SELECT k.key, array_agg(DISTINCT u.id) AS ids FROM users u JOIN legacy_documents d ON d.id = u.id
    CROSS JOIN LATERAL unnest(ARRAY[d.key, d.oid]) AS k(key)
    WHERE d.source = 'earlybird' AND d.collection IN ('users', 'delivery_boys_v2') AND d.verdict = 'imported'
    GROUP BY k.key
), both_of AS MATERIALIZED (
    SELECT e.*, t.facts AS said, p.ids FROM delivery_events e JOIN told t ON t.id = e.legacy_delivery_id
    LEFT JOIN person p ON p.key = t.facts ->> 'by'
    WHERE e.actor_kind = 'legacy'
)
SELECT id, 'its old row tells who confirmed, the event tells of another' AS what FROM both_of
WHERE cardinality(ids) = 1 AND actor_id IS DISTINCT FROM ids[1]
UNION ALL
SELECT id, 'its old row tells who confirmed, the event has no name' FROM both_of
WHERE actor_name IN ('legacy', said ->> 'method')
  AND (cardinality(ids) = 1 OR lower(said ->> 'by_name') NOT IN {NOBODY})
UNION ALL
SELECT id, 'its old row tells another instant' FROM both_of
WHERE device_at <> CAST(said ->> 'confirmed_at' AS timestamptz)
UNION ALL
SELECT id, 'its old row tells how it was confirmed, the event does not' FROM both_of
WHERE told ->> 'method' IS DISTINCT FROM said ->> 'method'
UNION ALL
SELECT id, 'its old row tells from where it was confirmed, the event does not' FROM both_of
WHERE (said ? 'address' AND address IS DISTINCT FROM said ->> 'address')
   OR (said ? 'device' AND device IS DISTINCT FROM said ->> 'device')
"""


def verify(session: Session) -> list[dict[str, Any]]:
    """List confirmations that do not carry what their old rows tell."""
    return rows(session, VERIFY + " LIMIT 1000")


UNCLEAR = """
SELECT e.id, format('confirmed by %s, who is %s', d.facts ->> 'by',
                    CASE WHEN p.ids IS NULL THEN 'nobody we know' ELSE 'more than one person' END) AS what,
       to_jsonb(p.ids) AS candidates
FROM legacy_documents d
JOIN delivery_events e ON e.legacy_delivery_id = d.id AND e.actor_kind = 'legacy'
LEFT JOIN (
    SELECT k.key, array_agg(DISTINCT u.id) AS ids FROM users u JOIN legacy_documents d ON d.id = u.id
    CROSS JOIN LATERAL (VALUES (d.key), (d.oid)) AS k(key)
    WHERE d.source = 'earlybird' AND d.collection IN ('users', 'delivery_boys_v2') AND d.verdict = 'imported'
    GROUP BY k.key
) p ON p.key = d.facts ->> 'by'
WHERE d.source = 'earlybird' AND d.collection IN ('delivery_statuses', 'delivery_status')
  AND d.verdict = 'imported' AND d.facts ? 'by' AND cardinality(p.ids) IS DISTINCT FROM 1
ORDER BY e.id LIMIT 1000
"""


def unclear(session: Session) -> list[dict[str, Any]]:
    """List the confirmations whose confirmer leads to nobody, or to more than one."""
    return rows(session, UNCLEAR)
