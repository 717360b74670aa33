"""Ids are one kind: legacy ids stay resolvable through the key tables, and people see short codes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any

from sqlalchemy.orm import Session

from earlybird.infra.db import rows, run
from earlybird.kernel.ctx import Ctx
from earlybird.migrations import residue
from earlybird.migrations.cutting import UNIT
from earlybird.migrations.protocol import Batch

NUMBER = 29
NAME = "one_kind_of_id"
TITLE = "Ids are one kind"
REASON = "Old links, papers and devices name rows by their legacy ids; people read short codes to each other."
TOUCHES = ("customer_keys", "user_keys", "product_keys", "subscription_keys", "order_keys", "orders")
WARNING = "Reverting takes back legacy-key resolution and order codes; ids stay."

KEYS = (
    ("customer_keys", "customer_id", "customers_v2", "customers"),
    ("user_keys", "user_id", "users", "users"),
    ("product_keys", "product_id", "products", "products"),
    ("subscription_keys", "subscription_id", "subscriptions_v2", "subscriptions"),
    ("order_keys", "order_id", "orders", "orders"),
)

KEYED = """
SELECT DISTINCT ON (d.source, k.kind, k.key) d.source, k.kind, k.key, d.id
FROM legacy_documents d
JOIN {entity} e ON e.id = d.id
CROSS JOIN LATERAL (VALUES ('id', d.key), ('_id', d.oid)) AS k(kind, key)
WHERE d.source = :source AND d.collection = :collection AND d.verdict = 'imported' AND k.key IS NOT NULL
  AND (CAST(:first AS text) IS NULL OR d.key >= :first) AND (CAST(:beyond AS text) IS NULL OR d.key < :beyond)
  AND (d.key IS NOT NULL OR CAST(:first AS text) IS NULL)
  AND NOT EXISTS (SELECT FROM {table} t WHERE t.source = d.source AND t.kind = k.kind AND t.key = k.key)
ORDER BY d.source, k.kind, k.key, d.id
"""

NEW_KEYS = f"({KEYED}) n"
KEEP_KEYS = f"INSERT INTO {{table}} (source, kind, key, {{column}}) {KEYED}"

EDGES = """
SELECT source, key FROM (
    SELECT source, key, row_number() OVER (PARTITION BY source ORDER BY key) AS place FROM legacy_documents
    WHERE collection = :collection AND verdict = 'imported'
) d WHERE place % :size = 1 ORDER BY source, key
"""

CODELESS = """
SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM orders
                WHERE code IS NULL AND source = 'one_time') o
WHERE place % :size = 1 ORDER BY id
"""

WITHOUT_CODE = """
orders WHERE code IS NULL AND source = 'one_time' AND id >= CAST(:first AS uuid)
AND (CAST(:beyond AS uuid) IS NULL OR id < CAST(:beyond AS uuid))
"""

CODES = "codes"

Part = tuple[str, str, str | None, str | None]
"""Which table (or CODES), of which source, from which key on, and before which."""


def phases(session: Session) -> list[list[list[Part]]]:
    """Return ranges of legacy keys, table by table, and of orders without a code."""
    parts: list[Part] = []
    for table, _, collection, _ in KEYS:
        found = rows(session, EDGES, {"collection": collection, "size": UNIT})
        for source, edges in groupby(found, lambda row: row["source"]):
            keys = [row["key"] for row in edges]
            parts += [(table, source, *ends) for ends in pairwise([None, *keys[1:], None])]
    ids = [str(row["id"]) for row in rows(session, CODELESS, {"size": UNIT})]
    parts += [(CODES, "", *ends) for ends in pairwise([*ids, None])]
    return [[[part] for part in parts]]


def join(chunks: Sequence[list[Part]]) -> list[Part]:
    """Return the ranges of several chunks, neighbouring ones made one."""
    parts = [part for chunk in chunks for part in chunk]
    joined = []
    for (table, source), same in groupby(parts, lambda part: part[:2]):
        ranges = list(same)
        joined.append((table, source, ranges[0][2], ranges[-1][3]))
    return joined


def apply(session: Session, ctx: Ctx, batch: Batch, chunk: list[Part]) -> None:
    """Keep each legacy id and hex id beside the new id, and give orders without a code their code."""
    del ctx
    for table, source, first, beyond in chunk:
        facts: dict[str, Any] = {"first": first, "beyond": beyond}
        if table == CODES:
            chosen = f"(SELECT id, jsonb_build_object('code', code) AS before FROM {WITHOUT_CODE}) o"
            residue.updated(session, batch, "orders", chosen, facts=facts)
            coded = f"(SELECT id FROM {WITHOUT_CODE})"
            run(session, f"UPDATE orders SET code = short_code('EB', id) WHERE id IN {coded}", facts)
            continue
        column, collection, entity = next(key[1:] for key in KEYS if key[0] == table)
        facts |= {"collection": collection, "source": source}
        words = {"table": table, "column": column, "entity": entity}
        residue.inserted(session, batch, table, NEW_KEYS.format(**words), ("source", "kind", "key"), facts)
        run(session, KEEP_KEYS.format(**words), facts)


VERIFY = """
SELECT d.id, 'the legacy id of ' || d.collection || ' resolves to nothing or to something else' AS what
FROM legacy_documents d
LEFT JOIN (
    SELECT 'customers_v2' AS collection, key, customer_id AS id FROM customer_keys WHERE kind = 'id'
    UNION ALL SELECT 'users', key, user_id FROM user_keys WHERE kind = 'id'
    UNION ALL SELECT 'products', key, product_id FROM product_keys WHERE kind = 'id'
    UNION ALL SELECT 'subscriptions_v2', key, subscription_id FROM subscription_keys WHERE kind = 'id'
    UNION ALL SELECT 'orders', key, order_id FROM order_keys WHERE kind = 'id'
) k ON k.collection = d.collection AND k.key = d.key
WHERE d.verdict = 'imported' AND d.collection IN ('customers_v2', 'users', 'products', 'subscriptions_v2', 'orders')
  AND k.id IS DISTINCT FROM d.id
  AND (EXISTS (SELECT FROM customers x WHERE x.id = d.id) OR EXISTS (SELECT FROM users x WHERE x.id = d.id)
       OR EXISTS (SELECT FROM products x WHERE x.id = d.id) OR EXISTS (SELECT FROM orders x WHERE x.id = d.id)
       OR EXISTS (SELECT FROM subscriptions x WHERE x.id = d.id))
"""


def verify(session: Session) -> list[dict[str, Any]]:
    """List taken-over rows whose legacy id does not lead to them."""
    return rows(session, VERIFY + " LIMIT 1000")
