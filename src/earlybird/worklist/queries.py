"""What waits for a person, with the evidence: the row, and what it may belong to side by side."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.importers.queries import UNDECIDED, WAITS
from earlybird.infra.db import rows
from earlybird.kernel.pages import Page
from earlybird.worklist.errors import NoSuchItem
from earlybird.worklist.states import Decided, Kind

SOURCES = {
    Kind.delivery: """
        SELECT t.id, 'delivery' AS kind, t.customer_id, t.verdict AS why, t.service_on AS of_day,
               format('%s, told %s: %s', t.collection, coalesce(t.service_on::text, 'without a day'),
                      coalesce(t.status, 'nothing')) AS title,
               NULL::bigint AS money_minor, NULL::text AS currency
        FROM legacy_deliveries t WHERE """
    + WAITS,
    Kind.login: """
        SELECT t.user_id AS id, 'login' AS kind, NULL::uuid AS customer_id, t.verdict AS why, NULL::date AS of_day,
               format('The login of %s may be of %s customers', u.name, coalesce(jsonb_array_length(t.candidates), 0))
                 AS title, NULL::bigint AS money_minor, NULL::text AS currency
        FROM legacy_accounts t JOIN users u ON u.id = t.user_id WHERE """
    + WAITS,
    Kind.document: """
        SELECT t.id, 'document' AS kind, NULL::uuid AS customer_id, coalesce(t.reason, 'unreadable') AS why,
               NULL::date AS of_day, format('%s, line %s', t.collection, t.line) AS title, NULL::bigint AS money_minor,
               NULL::text AS currency
        FROM legacy_documents t WHERE t.verdict = 'quarantined'""",
    Kind.row: """
        SELECT t.id, 'row' AS kind, NULL::uuid AS customer_id, t.rule AS why, NULL::date AS of_day,
               format('Line %s of %s', t.line, r.folder) AS title, t.amount_minor AS money_minor, NULL::text AS currency
        FROM import_rejections t JOIN import_runs r ON r.id = t.run_id WHERE t.resolved_at IS NULL""",
    Kind.confirmation: """
        SELECT t.id, 'confirmation' AS kind, NULL::uuid AS customer_id, t.rule AS why,
               CAST(t.received_at AS date) AS of_day, format('A confirmation of %s', t.received_at) AS title,
               NULL::bigint AS money_minor, NULL::text AS currency
        FROM delivery_rejections t WHERE t.resolved_at IS NULL""",
    Kind.amount: """
        SELECT t.id, 'amount' AS kind, t.customer_id, t.kind || ': ' || t.reason AS why, t.effective_on AS of_day,
               format('%s of %s', t.kind, t.effective_on) AS title, t.amount_minor AS money_minor, t.currency
        FROM adjustments t WHERE t.state = 'proposed'""",
}
"""What of each kind waits: `id`, `kind`, `customer_id`, `why`, `of_day`, `title`, `money_minor`, `currency`."""

KEYS = {Kind.login: "t.user_id"}

CHOICES = """
SELECT w.id, w.choice, w.target_id, w.reason, w.made_at, w.made_by, w.undone_at, w.undone_by, w.undone_reason
FROM worklist_choices w WHERE w.subject_id = :id ORDER BY w.id DESC
"""

DECIDED = """
SELECT w.subject_id AS id, w.kind, NULL::uuid AS customer_id, w.reason AS why, CAST(w.made_at AS date) AS of_day,
       concat_ws(' ', w.choice, 'by', w.made_by) AS title, NULL::bigint AS money_minor, NULL::text AS currency
FROM worklist_choices w WHERE w.undone_at IS NULL
"""

ROWS = {
    Kind.delivery: "SELECT to_jsonb(t) AS row FROM legacy_deliveries t WHERE t.id = :id",
    Kind.login: """
        SELECT jsonb_build_object('user_id', u.id, 'name', u.name, 'email', u.email, 'phone', u.phone,
               'customer_id', u.customer_id, 'account', a.account, 'verdict', a.verdict) AS row
        FROM legacy_accounts a JOIN users u ON u.id = a.user_id WHERE a.user_id = :id""",
    Kind.document: """
        SELECT jsonb_build_object('source', t.source, 'collection', t.collection, 'line', t.line, 'reason', t.reason,
               'problems', t.problems, 'body', t.body) AS row
        FROM legacy_documents t WHERE t.id = :id AND t.verdict = 'quarantined'""",
    Kind.row: "SELECT to_jsonb(t) AS row FROM import_rejections t WHERE t.id = :id",
    Kind.confirmation: """
        SELECT jsonb_build_object('client_id', t.client_id, 'body', t.body, 'field', t.field, 'rule', t.rule,
               'received_at', t.received_at, 'resolved_at', t.resolved_at) AS row
        FROM delivery_rejections t WHERE t.id = :id""",
    Kind.amount: "SELECT to_jsonb(t) AS row FROM adjustments t WHERE t.id = :id",
}

ORDERS = """
SELECT o.id, jsonb_build_object('customer_id', o.customer_id, 'customer', c.name, 'code', c.code,
       'service_on', o.service_on, 'state', o.state, 'driver_id', o.driver_id, 'placed_by_id', o.placed_by_id,
       'amount_minor', l.amount_minor, 'currency', l.currency, 'lines', l.lines, 'stops', d.stops) AS facts
FROM legacy_deliveries t
CROSS JOIN LATERAL jsonb_array_elements_text(t.candidates) AS k (order_id)
JOIN orders o ON o.id = CAST(k.order_id AS uuid)
LEFT JOIN customers c ON c.id = o.customer_id
LEFT JOIN LATERAL (SELECT sum(x.amount_minor)::bigint AS amount_minor, min(x.currency) AS currency,
                          jsonb_agg(jsonb_build_object('product', x.product_name,
                                                       'quantity', trim_scale(x.quantity)::text)
                                    ORDER BY x.position) AS lines
                   FROM order_lines x WHERE x.order_id = o.id) l ON true
LEFT JOIN LATERAL (SELECT jsonb_agg(jsonb_build_object('planned_on', x.planned_on, 'state', x.state) ORDER BY x.attempt)
                          AS stops
                   FROM deliveries x WHERE x.order_id = o.id) d ON true
WHERE t.id = :id AND jsonb_typeof(t.candidates) = 'array'
ORDER BY o.id
"""

CUSTOMERS = """
SELECT c.id, jsonb_build_object('name', c.name, 'code', c.code, 'phone', c.phone, 'email', c.email, 'state', c.state,
       'logins', (SELECT jsonb_agg(u.name ORDER BY u.id) FROM users u WHERE u.customer_id = c.id),
       'standing_orders', (SELECT count(*) FROM subscriptions s WHERE s.customer_id = c.id),
       'orders', (SELECT count(*) FROM orders o WHERE o.customer_id = c.id)) AS facts
FROM legacy_accounts a
CROSS JOIN LATERAL jsonb_array_elements_text(a.candidates) AS k (customer_id)
JOIN customers c ON c.id = CAST(k.customer_id AS uuid)
WHERE a.user_id = :id AND jsonb_typeof(a.candidates) = 'array'
ORDER BY c.id
"""

CANDIDATES = {Kind.delivery: ORDERS, Kind.login: CUSTOMERS}


def page(
    session: Session,
    *,
    after: UUID | None = None,
    limit: int,
    kind: Kind | None = None,
    customer_id: UUID | None = None,
    decided: Decided = Decided.waiting,
) -> Page[dict[str, Any]]:
    """Return what waits for a person (or what was decided), the oldest first: a page after that id."""
    facts = {"after": after, "limit": limit + 1, "customer_id": customer_id, "kind": kind}
    if decided is Decided.decided:
        wanted = ["w.subject_id > :after"] if after else []
        wanted += ["w.kind = :kind"] if kind else []
        parts = [f"({' AND '.join([DECIDED, *wanted])} ORDER BY w.subject_id LIMIT :limit)"]
    else:
        parts = [_waiting(each, after=after, customer_id=customer_id) for each in ([kind] if kind else Kind)]
    found = rows(session, f"SELECT * FROM ({' UNION ALL '.join(parts)}) x ORDER BY id LIMIT :limit", facts)
    return Page(found[:limit], found[limit - 1]["id"] if len(found) > limit else None)


def _waiting(kind: Kind, *, after: UUID | None = None, customer_id: UUID | None = None) -> str:
    """Return the SQL for one page of what waits of a kind."""
    key = KEYS.get(kind, "t.id")
    wanted = [SOURCES[kind], UNDECIDED.format(key=key)]
    wanted += [f"{key} > :after"] if after else []
    if customer_id:
        wanted.append("t.customer_id = :customer_id" if kind in {Kind.delivery, Kind.amount} else "false")
    return f"({' AND '.join(wanted)} ORDER BY {key} LIMIT :limit)"


def find(session: Session, item_id: UUID) -> dict[str, Any]:
    """Return an item that waits or was decided: `id`, `kind` and the rest as in a page, `is_decided`."""
    parts = [f"({SOURCES[kind]} AND {KEYS.get(kind, 't.id')} = :id)" for kind in Kind]
    found = rows(session, f"{DECIDED} AND w.subject_id = :id", {"id": item_id})
    if found:
        return found[0] | {"is_decided": True}
    found = rows(session, " UNION ALL ".join(parts), {"id": item_id})
    if not found:
        raise NoSuchItem
    return found[0] | {"is_decided": False}


def show(session: Session, item_id: UUID) -> dict[str, Any]:
    """Return an item with its evidence: `row`, `candidates` side by side, `choices` made of it, the last first."""
    item = find(session, item_id)
    kind = Kind(item["kind"])
    row = rows(session, ROWS[kind], {"id": item_id})
    candidates = rows(session, CANDIDATES[kind], {"id": item_id}) if kind in CANDIDATES else []
    return item | {
        "row": row[0]["row"] if row else {},
        "candidates": candidates,
        "choices": rows(session, CHOICES, {"id": item_id}),
    }


def counts(session: Session) -> dict[str, int]:
    """Return how many items of each kind wait."""
    sql = " UNION ALL ".join(
        f"SELECT '{kind}' AS kind, count(*) AS count FROM ({SOURCES[kind]} "
        f"AND {UNDECIDED.format(key=KEYS.get(kind, 't.id'))}) x"
        for kind in Kind
    )
    return {row["kind"]: row["count"] for row in rows(session, sql)}
