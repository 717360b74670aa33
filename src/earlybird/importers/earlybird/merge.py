"""From the lines of one file to `legacy_documents`: what is new, changed, double, or cannot be taken."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.infra.db import rows, run, value

ENTITIES: Final = frozenset(
    {
        "customers_v2",
        "users",
        "products",
        "orders",
        "subscriptions_v2",
        "delivery_boys_v2",
        "areas_v2",
        "addresses",
        "delivery_statuses",
    }
)
"""Collections in which an id names one thing: a second document with the same id and other content is set aside."""

PAYMENTS: Final = "payment_transactions"
"""Two payments with one id and other content are two payments: money that was received is never set aside."""

INCOMING = """
CREATE TEMP TABLE incoming (
    number integer NOT NULL, ident text COLLATE "C" NOT NULL, key text COLLATE "C", named boolean NOT NULL,
    oid text COLLATE "C", digest bytea NOT NULL, verdict text NOT NULL, reason text, problems jsonb, facts jsonb,
    body text, raw bytea
) ON COMMIT DROP
"""

SAME_OID = """
UPDATE incoming i SET verdict = 'duplicate', reason = 'the same _id as line ' || f.first
FROM (SELECT oid, min(number) AS first FROM incoming WHERE oid IS NOT NULL GROUP BY oid HAVING count(*) > 1) f
WHERE i.oid = f.oid AND i.number > f.first
"""

# The first document with an `_id` (or key, or line) has it as its ident; further ones are told apart by content.
DISTINCT_IDENTS = """
UPDATE incoming i SET ident = i.ident || '#' || encode(i.digest, 'hex') || '.' || r.copy
FROM (SELECT number, row_number() OVER (PARTITION BY ident ORDER BY number) AS place,
             row_number() OVER (PARTITION BY ident, digest ORDER BY number) AS copy
      FROM incoming WHERE ident IN (SELECT ident FROM incoming GROUP BY ident HAVING count(*) > 1)) r
WHERE i.number = r.number AND r.place > 1
"""

# Of several equal documents, and of several with one id, the one that is known already stays, else the first.
HOLDERS = """
SELECT DISTINCT ON (n.key, n.{also}) n.key, n.{also}, n.number
FROM incoming n
LEFT JOIN legacy_documents d ON d.source = :source AND d.collection = :collection AND d.ident = n.ident
                            AND d.verdict = 'imported' AND d.key = n.key
WHERE {among} AND (n.key, n.{also}) IN (
    SELECT n.key, n.{also} FROM incoming n WHERE {among} GROUP BY n.key, n.{also} HAVING count(*) > 1)
ORDER BY n.key, n.{also}, d.id IS NULL, n.number
"""

SAME_CONTENT = f"""
UPDATE incoming i SET verdict = 'duplicate', reason = 'the same id and content as line ' || h.number
FROM ({HOLDERS.format(also="digest", among="n.named")}) h
WHERE i.named AND i.key = h.key AND i.digest = h.digest AND i.number <> h.number AND i.verdict <> 'duplicate'
"""

TAKEN = f"""
UPDATE incoming i SET verdict = 'quarantined', reason = 'the id is taken by line ' || h.number || ' with other content'
FROM ({HOLDERS.format(also="verdict", among="n.verdict = 'imported'")}) h
WHERE i.key = h.key AND i.number <> h.number AND i.verdict = 'imported'
"""

# A collection written anew has new `_id`s: a document whose id is known and whose former self is gone is that one.
WRITTEN_ANEW = """
UPDATE incoming i SET ident = d.ident
FROM legacy_documents d
WHERE d.source = :source AND d.collection = :collection AND d.verdict = 'imported'
  AND d.key = i.key AND i.named AND i.verdict = 'imported' AND d.ident <> i.ident
  AND NOT EXISTS (SELECT FROM incoming o WHERE o.ident = d.ident)
  AND NOT EXISTS (SELECT FROM incoming o WHERE o.key = i.key AND o.verdict = 'imported' AND o.number <> i.number)
  AND NOT EXISTS (SELECT FROM legacy_documents o WHERE o.source = :source AND o.collection = :collection
                  AND o.key = d.key AND o.verdict = 'imported' AND o.id <> d.id)
  AND NOT EXISTS (SELECT FROM legacy_documents k WHERE k.source = :source AND k.collection = :collection
                  AND k.ident = i.ident)
"""

TAKEN_BEFORE = """
UPDATE incoming i SET verdict = 'quarantined', reason = 'the id is taken by a document of an earlier dump'
FROM legacy_documents d
WHERE d.source = :source AND d.collection = :collection AND d.verdict = 'imported'
  AND d.key = i.key AND i.verdict = 'imported' AND d.ident <> i.ident
  AND NOT EXISTS (SELECT FROM incoming o WHERE o.ident = d.ident
                  AND (o.key IS DISTINCT FROM d.key OR o.verdict <> 'imported'))
"""

CHANGED = """
UPDATE legacy_documents d
SET key = i.key, oid = i.oid, line = i.number, digest = i.digest, verdict = i.verdict, reason = i.reason,
    problems = i.problems, facts = i.facts, former = d.facts - 'password', body = i.body, raw = i.raw,
    changed_run_id = :run_id
FROM incoming i
WHERE d.source = :source AND d.collection = :collection AND d.ident = i.ident
  AND (d.digest, d.verdict) IS DISTINCT FROM (i.digest, i.verdict)
"""

ADDED = """
INSERT INTO legacy_documents (source, collection, ident, key, oid, line, digest, verdict, reason, problems, facts,
                              body, raw, run_id)
SELECT :source, :collection, ident, key, oid, number, digest, verdict, reason, problems, facts, body, raw, :run_id
FROM incoming i
"""

NOT_KNOWN = """
WHERE NOT EXISTS (SELECT FROM legacy_documents d WHERE d.source = :source AND d.collection = :collection
                  AND d.ident = i.ident)
"""

MISSING = """
SELECT ident FROM legacy_documents d
WHERE d.source = :source AND d.collection = :collection AND d.verdict <> 'duplicate'
  AND NOT EXISTS (SELECT FROM incoming i WHERE i.ident = d.ident)
ORDER BY line, ident
"""

COUNTS = """
SELECT count(*) AS read, count(*) FILTER (WHERE verdict = 'imported') AS imported,
       count(*) FILTER (WHERE verdict = 'quarantined') AS quarantined,
       count(*) FILTER (WHERE verdict = 'duplicate') AS duplicates
FROM incoming
"""


def settle(session: Session, source: str, collection: str, run_id: UUID) -> dict[str, Any]:
    """Judge the lines in `incoming` and bring `legacy_documents` to them; return the counts of this file.

    `read` = `imported` + `quarantined` + `duplicates`; `added` and `changed` say what was written; `missing` lists
    the idents of earlier dumps that this file no longer has (they stay). The same file again writes nothing.
    """
    facts = {"source": source, "collection": collection, "run_id": run_id}
    known = value(
        session,
        "SELECT EXISTS (SELECT FROM legacy_documents WHERE source = :source AND collection = :collection)",
        facts,
    )
    run(session, SAME_OID)
    run(session, DISTINCT_IDENTS)
    run(session, SAME_CONTENT, facts)
    if collection in ENTITIES:
        run(session, TAKEN, facts)
    if known:
        run(session, "ANALYZE incoming")
    if known and collection in ENTITIES | {PAYMENTS}:
        run(session, WRITTEN_ANEW, facts)
    if known and collection in ENTITIES:
        run(session, TAKEN_BEFORE, facts)
    found = rows(session, COUNTS)[0]
    found["changed"] = run(session, CHANGED, facts) if known else 0
    found["added"] = run(session, ADDED + NOT_KNOWN if known else ADDED, facts)
    found["missing"] = [row["ident"] for row in rows(session, MISSING, facts)] if known else []
    return found
