"""A later dump brings its differences: what nobody changed here follows the document, all else is listed.

A field follows when the row still holds what the former document said. What is already charged or posted is never
rewritten, and nothing is deleted: both become findings for a person. Everything is decided by comparing values, so
it may be repeated.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.importers.earlybird.evidence import SOURCE
from earlybird.importers.earlybird.masters import Home
from earlybird.infra.db import rows, run, value
from earlybird.kernel.ctx import Ctx

FIELDS: tuple[tuple[str, str, str, str], ...] = (
    ("customers", "customers_v2", "name", "coalesce({}->>'name', 'No name')"),
    ("customers", "customers_v2", "phone", "{}->>'phone'"),
    ("customers", "customers_v2", "phone_as_given", "{}->>'phone_as_given'"),
    ("customers", "customers_v2", "email", "{}->>'email'"),
    ("customers", "customers_v2", "notes", "{}->>'notes'"),
    ("customers", "customers_v2", "delivery_instructions", "{}->>'instructions'"),
    ("products", "products", "name", "coalesce({}->>'name', 'No name')"),
    ("products", "products", "category", "{}->>'category'"),
    ("users", "users", "name", "coalesce({}->>'name', 'No name')"),
    ("users", "users", "phone", "{}->>'phone'"),
)
"""Table, collection, column, and what the facts of a document say it is."""

FOLLOW = """
UPDATE {table} t SET {column} = {now}
FROM legacy_documents d
WHERE d.source = :source AND d.collection = '{collection}' AND d.verdict = 'imported' AND d.former IS NOT NULL
  AND t.id = d.id AND t.{column} IS NOT DISTINCT FROM {before} AND {before} IS DISTINCT FROM {now}
"""

CHANGED_HERE = """
SELECT concat_ws('/', d.collection, d.ident, '{column}') AS subject, '{collection}' AS collection, d.key,
       '{column}' AS field, {before} AS before, {now} AS after, t.{column} AS here
FROM {table} t JOIN legacy_documents d ON d.id = t.id
WHERE d.source = :source AND d.collection = '{collection}' AND d.verdict = 'imported' AND d.former IS NOT NULL
  AND {before} IS DISTINCT FROM {now} AND t.{column} IS DISTINCT FROM {before} AND t.{column} IS DISTINCT FROM {now}
"""

# A changed list price holds from the day the former dump ended.
PRICES = """
INSERT INTO prices (product_id, scope, customer_id, unit_price, currency, valid_from)
SELECT d.id, 'list', NULL, n.price, p.currency, :since
FROM legacy_documents d
CROSS JOIN LATERAL (
    SELECT coalesce(d.facts->>'default_price', d.facts->>'price')::numeric AS price,
           coalesce(d.former->>'default_price', d.former->>'price')::numeric AS before) n
JOIN LATERAL (SELECT unit_price, currency FROM prices p WHERE p.product_id = d.id AND p.scope = 'list'
              ORDER BY valid_from DESC LIMIT 1) p ON true
WHERE d.source = :source AND d.collection = 'products' AND d.verdict = 'imported' AND d.former IS NOT NULL
  AND n.price <> n.before AND p.unit_price = round(n.before, 4)
ON CONFLICT (product_id, customer_id, valid_from) DO NOTHING
"""

# A changed standing order has a new version from the day the former dump ended, unless somebody here wrote one.
VERSIONS = """
INSERT INTO subscription_versions (subscription_id, valid_from, product_id, quantity, pattern, weekdays, until_on,
                                   agreed_price, shift, driver_id, via, made_at)
SELECT v.subscription_id, :since, n.product_id, n.quantity, n.pattern, n.weekdays, n.until_on, n.agreed_price, n.shift,
       n.driver_id, 'import', :now
FROM told_version n
JOIN LATERAL (SELECT * FROM subscription_versions v WHERE v.subscription_id = n.id
              ORDER BY valid_from DESC LIMIT 1) v ON v.via = 'import' AND v.valid_from < :since
WHERE n.is_changed AND ((v.product_id, v.quantity, v.pattern, v.until_on, v.agreed_price, v.shift) IS DISTINCT FROM
      (n.product_id, round(n.quantity, 3), n.pattern, n.until_on, round(n.agreed_price, 4), n.shift)
   OR (n.pattern = 'weekly' AND v.weekdays IS DISTINCT FROM n.weekdays))
ON CONFLICT (subscription_id, valid_from) DO NOTHING
"""

# What was posted or charged stands; the document says otherwise now.
POSTED = """
SELECT concat_ws('/', d.collection, d.ident, f.field) AS subject, d.collection, d.key, f.field,
       d.former->>f.field AS before, d.facts->>f.field AS after, NULL AS here
FROM legacy_documents d
CROSS JOIN LATERAL (VALUES
    ('payment_transactions', 'amount_minor'), ('payment_transactions', 'customer'),
    ('delivery_statuses', 'status'), ('delivery_statuses', 'day'), ('delivery_statuses', 'customer'),
    ('delivery_status', 'status'), ('delivery_status', 'day'), ('delivery_status', 'products'),
    ('orders', 'lines'), ('orders', 'day'), ('orders', 'status'), ('customers_v2', 'balance_minor'),
    ('customers_v2', 'status'), ('subscriptions_v2', 'status')) AS f(collection, field)
WHERE d.source = :source AND d.collection = f.collection AND d.former IS NOT NULL AND d.verdict = 'imported'
  AND d.former->f.field IS DISTINCT FROM d.facts->f.field
  AND CASE WHEN d.collection IN ('delivery_statuses', 'delivery_status')
           THEN EXISTS (SELECT FROM delivery_events e WHERE e.legacy_delivery_id = d.id)
           WHEN d.collection = 'orders' THEN EXISTS (SELECT FROM deliveries s WHERE s.order_id = d.id)
           ELSE true END
"""

GONE = """
SELECT concat_ws('/', f.key, m.ident) AS subject, f.key AS collection, d.key
FROM (SELECT DISTINCT ON (f.key) f.key, f.value FROM import_runs r CROSS JOIN jsonb_each(r.facts->'files') AS f
      WHERE r.source = :source ORDER BY f.key, r.id DESC) f
CROSS JOIN jsonb_array_elements_text(f.value->'missing') AS m(ident)
JOIN legacy_documents d ON d.source = :source AND d.collection = f.key AND d.ident = m.ident AND d.verdict = 'imported'
"""


def since(session: Session, home: Home) -> date:
    """Return the day after the last delivery that an earlier dump told: from then on, what changed holds."""
    last_on = value(session, "SELECT max(service_on) + 1 FROM legacy_deliveries WHERE NOT is_early")
    return last_on if isinstance(last_on, date) else home.cutover_on


def follow_masters(session: Session, home: Home) -> dict[str, int]:
    """Bring people, products and list prices to their later documents where nobody changed them here."""
    facts = {"source": SOURCE, "since": since(session, home)}
    made: dict[str, int] = {}
    for table, collection, column, said in FIELDS:
        sql = FOLLOW.format(**_parts(table, collection, column, said))
        made[f"{table}_changed"] = made.get(f"{table}_changed", 0) + run(session, sql, facts)
    return made | {"prices_changed": run(session, PRICES, facts)}


def follow_standing_orders(session: Session, ctx: Ctx, home: Home) -> dict[str, int]:
    """Give standing orders whose document changed a version of their own (needs `told_version`)."""
    facts = {"source": SOURCE, "now": ctx.now, "since": since(session, home)}
    return {"subscriptions_changed": run(session, VERSIONS, facts)}


def list_differences(session: Session, ctx: Ctx) -> dict[str, int]:
    """Keep findings of what a later dump says otherwise and was not followed, and of what it no longer has."""
    facts = {"source": SOURCE}
    changed = rows(session, POSTED, facts)
    for field in FIELDS:
        changed += rows(session, CHANGED_HERE.format(**_parts(*field)), facts)
    gone = rows(session, GONE, facts)
    _keep(session, ctx, "legacy_document_changed", changed, "A later dump says otherwise: {collection} {key}, {field}")
    _keep(session, ctx, "legacy_document_gone", gone, "A later dump no longer has it: {collection} {key}")
    return {}


def _parts(table: str, collection: str, column: str, said: str) -> dict[str, str]:
    return {
        "table": table,
        "collection": collection,
        "column": column,
        "now": said.format("d.facts"),
        "before": said.format("d.former"),
    }


def _keep(session: Session, ctx: Ctx, check: str, found: list[dict[str, object]], title: str) -> None:
    audit.report_many(
        session,
        ctx,
        check,
        [
            {
                "subject": row["subject"],
                "severity": "warning",
                "title": title.format(**row),
                "facts": {name: row[name] for name in ("before", "after", "here") if name in row},
            }
            for row in found
        ],
    )
    audit.resolve_unseen(session, ctx, check, [str(row["subject"]) for row in found])
