"""One-time orders, delivery rows and payments of a dump, as facts with whom they speak of."""

from __future__ import annotations

from sqlalchemy.orm import Session

from earlybird.importers.earlybird.evidence import SOURCE
from earlybird.importers.earlybird.masters import LONG_AGO, Home
from earlybird.infra.db import run
from earlybird.kernel.ctx import Ctx

# Of an order the ordering account decides first: a contradictory one keeps the order to itself; then
# the customer it names, then the account's customer, else the account's own party.
ORDERS = """
INSERT INTO orders (id, seller_id, site_id, customer_id, source, service_on, driver_id, address, state, state_at,
                    placed_at, placed_by_id, note)
WITH told AS (
    SELECT d.id, d.key, d.facts, a.user_id AS account, a.verdict AS account_verdict, a.customer_id AS account_customer,
           own.customer_id AS own_party, named.customer_id AS named_customer
    FROM legacy_documents d
    LEFT JOIN legacy_documents x ON x.source = d.source AND x.collection = 'addresses' AND x.verdict = 'imported'
                                 AND x.key = d.facts->>'address'
    LEFT JOIN legacy_accounts_by_key k1 ON k1.key = d.facts->>'user'
    LEFT JOIN legacy_accounts_by_key k2 ON k2.key = d.facts->>'customer'
    LEFT JOIN legacy_accounts_by_key k3 ON k3.key = x.facts->>'user'
    LEFT JOIN legacy_accounts a ON a.source = d.source AND a.user_id = coalesce(k1.user_id, k2.user_id, k3.user_id)
    LEFT JOIN legacy_parties own ON own.source = d.source AND own.party = CASE WHEN a.account IS NOT NULL
        THEN 'user:' || a.account ELSE coalesce('user:' || (d.facts->>'user'), 'user:' || (d.facts->>'customer'),
                                                'order:' || d.key) END
    LEFT JOIN legacy_parties named ON named.source = d.source AND named.party = d.facts->>'customer'
                                  AND named.kind = 'customer'
    WHERE d.source = :source AND d.collection = 'orders' AND d.verdict = 'imported'
      AND NOT EXISTS (SELECT FROM orders o WHERE o.id = d.id)
), overruled AS (
    SELECT facts->>'order' AS key FROM legacy_documents
    WHERE source = :source AND collection IN ('delivery_statuses', 'delivery_status') AND verdict = 'imported'
      AND facts->>'order' IS NOT NULL AND facts->>'status' IN ('delivered', 'partially_delivered')
), owned AS (
    SELECT t.*, CASE WHEN account_verdict = 'contradictory' THEN own_party
                     ELSE coalesce(named_customer, account_customer, own_party) END AS customer_id
    FROM told t
)
SELECT o.id, CAST(:business_id AS uuid), CAST(:site_id AS uuid), o.customer_id, 'one_time', (facts->>'day')::date,
       b.user_id, facts->'snapshot',
       CASE WHEN facts->>'status' = 'cancelled' AND o.key NOT IN (SELECT key FROM overruled)
            THEN 'cancelled' ELSE 'placed' END, :now,
       coalesce((facts->>'placed_at')::timestamptz, :now), o.account, facts->>'note'
FROM owned o LEFT JOIN legacy_drivers b ON b.key = facts->>'driver'
WHERE o.customer_id IS NOT NULL
"""

ACCOUNTS_BY_KEY = """
CREATE TEMP TABLE legacy_accounts_by_key ON COMMIT DROP AS
SELECT DISTINCT ON (key) key, user_id FROM (
    SELECT 1 AS rank, account AS key, user_id FROM legacy_accounts WHERE source = :source
    UNION ALL
    SELECT 2, d.oid, a.user_id FROM legacy_accounts a JOIN legacy_documents d ON d.id = a.user_id
    WHERE a.source = :source AND d.oid IS NOT NULL
) k ORDER BY key, rank
"""

# A one-time line uses its own price, and the product's when that is not above zero.
ORDER_LINES = """
INSERT INTO order_lines (order_id, position, customer_id, service_on, source, product_id, product_name, unit, quantity,
                         base_quantity, unit_price, currency, amount_minor)
SELECT o.id, line.position, o.customer_id, o.service_on, 'one_time', p.product_id,
       coalesce(line.value->>'name', x.name), coalesce(line.value->>'unit', x.unit_code), q.quantity, q.quantity,
       q.price, :currency, round(q.quantity * q.price * 100)::bigint
FROM orders o
JOIN legacy_documents d ON d.id = o.id AND d.source = :source AND d.collection = 'orders'
CROSS JOIN jsonb_array_elements(d.facts->'lines') WITH ORDINALITY AS line(value, position)
JOIN legacy_products p ON p.key = coalesce(line.value->>'product', '')
JOIN products x ON x.id = p.product_id
LEFT JOIN prices y ON y.product_id = x.id AND y.scope = 'list' AND y.valid_from = :long_ago
CROSS JOIN LATERAL (SELECT greatest(coalesce((line.value->>'quantity')::numeric, 0), 0) AS quantity,
                           coalesce((line.value->>'price')::numeric, y.unit_price, 0) AS price) q
WHERE NOT EXISTS (SELECT FROM order_lines l WHERE l.order_id = o.id)
"""

# Which visit a row stands for: the customer's own boy comes in the morning, so does any boy who is
# told so, or who is named by a customer or an area and not told evening; every other boy in the
# evening; a row without a boy stands for the visits of the day's other rows, or for both. The row
# written last speaks for a visit. A row written before its own day is a promise, no evidence.
DELIVERIES = """
CREATE TEMP TABLE told_deliveries ON COMMIT DROP AS
WITH boy AS (
    SELECT key, facts->>'shift' AS shift FROM legacy_documents
    WHERE source = :source AND collection = 'delivery_boys_v2' AND verdict = 'imported'
), named AS (
    SELECT facts->>'driver' AS key FROM legacy_documents
    WHERE source = :source AND collection = 'customers_v2' AND verdict = 'imported'
    UNION
    SELECT a.value FROM legacy_documents, jsonb_array_elements_text(facts->'drivers') AS a(value)
    WHERE source = :source AND collection = 'areas_v2' AND verdict = 'imported'
), morning AS (
    SELECT key FROM boy WHERE shift = 'morning'
    UNION
    SELECT n.key FROM named n LEFT JOIN boy b USING (key) WHERE n.key IS NOT NULL AND b.shift IS DISTINCT FROM 'evening'
), told AS (
    SELECT d.id, d.collection, d.key, d.line, f.customer, f."order", f.driver, f.day, f.status, f.told_at,
           coalesce(f.early, false) AS is_early, f.method, f.products, w.customer_id, w.user_id,
           CASE WHEN d.collection = 'delivery_status' OR f.driver IS NULL THEN NULL
                WHEN f.driver = c.facts->>'driver' OR m.key IS NOT NULL THEN 'morning' ELSE 'evening' END AS visit
    FROM legacy_documents d
    CROSS JOIN LATERAL jsonb_to_record(d.facts) AS f(customer text, "order" text, driver text, day date, status text,
        told_at timestamptz, early boolean, method text, products jsonb)
    LEFT JOIN legacy_who w ON w.key = f.customer
    LEFT JOIN legacy_documents c ON c.id = w.customer_id
    LEFT JOIN morning m ON m.key = f.driver
    WHERE d.source = :source AND d.collection IN ('delivery_statuses', 'delivery_status') AND d.verdict = 'imported'
), standing AS (
    SELECT t.*, visit IS DISTINCT FROM 'evening' AS covers_morning, visit IS DISTINCT FROM 'morning' AS covers_evening
    FROM told t
), day AS (
    SELECT customer_id, day, bool_or(covers_morning) AS morning, bool_or(covers_evening) AS evening
    FROM standing
    WHERE collection = 'delivery_statuses' AND NOT is_early AND customer_id IS NOT NULL AND day IS NOT NULL
    GROUP BY customer_id, day
), covering AS (
    SELECT s.id, s.customer_id, s.day, s.told_at, s.collection, s.line,
           CASE s.collection WHEN 'delivery_status' THEN coalesce(d.morning, true) ELSE s.covers_morning END AS morning,
           CASE s.collection WHEN 'delivery_status' THEN coalesce(d.evening, true) ELSE s.covers_evening END AS evening
    FROM standing s LEFT JOIN day d ON d.customer_id = s.customer_id AND d.day = s.day
    WHERE NOT s.is_early AND s.customer_id IS NOT NULL AND s.day IS NOT NULL
), ranked AS (
    SELECT id, morning, evening,
           row_number() OVER (PARTITION BY customer_id, day, morning ORDER BY told_at DESC NULLS LAST,
                              collection = 'delivery_status' DESC, line DESC) AS morning_rank,
           row_number() OVER (PARTITION BY customer_id, day, evening ORDER BY told_at DESC NULLS LAST,
                              collection = 'delivery_status' DESC, line DESC) AS evening_rank
    FROM covering
)
SELECT t.*, b.user_id AS driver_id, coalesce(r.morning AND r.morning_rank = 1, false) AS speaks_morning,
       coalesce(r.evening AND r.evening_rank = 1, false) AS speaks_evening
FROM told t LEFT JOIN ranked r ON r.id = t.id LEFT JOIN legacy_drivers b ON b.key = t.driver
"""

KEEP_DELIVERIES = """
INSERT INTO legacy_deliveries (id, source, collection, key, customer_id, user_id, customer_key, order_key, driver_key,
    driver_id, service_on, status, told_at, line, visit, is_early, speaks_morning, speaks_evening, method, products)
SELECT id, :source, collection, key, customer_id, user_id, customer, "order", driver, driver_id, day, status, told_at,
       line, visit, is_early, speaks_morning, speaks_evening, method, products
FROM told_deliveries t
WHERE NOT EXISTS (SELECT FROM legacy_deliveries l WHERE l.id = t.id)
"""

CORRECT_DELIVERIES = """
UPDATE legacy_deliveries l
SET customer_id = t.customer_id, user_id = t.user_id, speaks_morning = t.speaks_morning,
    speaks_evening = t.speaks_evening, status = t.status, told_at = t.told_at, products = t.products
FROM told_deliveries t
WHERE l.id = t.id
  AND (l.customer_id, l.user_id, l.speaks_morning, l.speaks_evening, l.status, l.told_at, l.products) IS DISTINCT FROM
      (t.customer_id, t.user_id, t.speaks_morning, t.speaks_evening, t.status, t.told_at, t.products)
"""

PAYMENTS = """
CREATE TEMP TABLE told_payment ON COMMIT DROP AS
SELECT d.id, new_id() AS journal_id, w.customer_id, :source || '/' || d.ident AS client_id,
       (facts->>'amount_minor')::bigint AS amount_minor, coalesce(lower(facts->>'method'), 'unknown') AS method,
       coalesce((facts->>'paid_on')::date, ((facts->>'month') || '-01')::date, CAST(:first_on AS date)) AS received_on,
       facts->>'month' AS for_month, facts->>'note' AS note
FROM legacy_documents d LEFT JOIN legacy_who w ON w.key = facts->>'customer'
WHERE d.source = :source AND d.collection = 'payment_transactions' AND d.verdict = 'imported'
  AND NOT EXISTS (SELECT FROM payments p WHERE p.id = d.id)
"""

PAYMENT_JOURNALS = """
INSERT INTO journals (id, business_id, kind, posted_on, made_at, memo)
SELECT journal_id, CAST(:business_id AS uuid), 'payment', received_on, :now, 'taken over'
FROM told_payment WHERE amount_minor <> 0
"""

PAYMENT_POSTINGS = """
INSERT INTO postings (journal_id, account, customer_id, amount_minor, currency, posted_on)
SELECT journal_id, CASE method WHEN 'cash' THEN 'depot_cash' ELSE 'bank' END, NULL, amount_minor, :currency, received_on
FROM told_payment WHERE amount_minor <> 0
UNION ALL
SELECT journal_id, 'customer_advance', customer_id, -amount_minor, :currency, received_on
FROM told_payment WHERE amount_minor <> 0
"""

KEEP_PAYMENTS = """
INSERT INTO payments (id, business_id, customer_id, client_id, amount_minor, currency, method, received_on, for_month,
                      note, source, journal_id)
SELECT id, CAST(:business_id AS uuid), customer_id, client_id, amount_minor, :currency, method, received_on, for_month,
       note, :source, CASE WHEN amount_minor <> 0 THEN journal_id END
FROM told_payment
"""


def take_over_orders(session: Session, ctx: Ctx, home: Home) -> dict[str, int]:
    """Make the one-time orders that are not yet there (needs `masters.resolve`); return counts."""
    facts = {
        "source": SOURCE,
        "now": ctx.now,
        "business_id": home.business_id,
        "site_id": home.site_id,
        "currency": home.currency,
        "long_ago": LONG_AGO,
    }
    run(session, ACCOUNTS_BY_KEY, facts)
    return {"orders": run(session, ORDERS, facts), "order_lines": run(session, ORDER_LINES, facts)}


def take_over_deliveries(session: Session) -> dict[str, int]:
    """Keep every delivery row as a fact, with the visits it is the last word on (needs `masters.resolve`)."""
    facts = {"source": SOURCE}
    run(session, DELIVERIES, facts)
    return {
        "legacy_deliveries": run(session, KEEP_DELIVERIES, facts),
        "legacy_deliveries_changed": run(session, CORRECT_DELIVERIES, facts),
    }


def take_over_payments(session: Session, ctx: Ctx, home: Home) -> dict[str, int]:
    """Record and post every payment with a readable amount; those without a customer stay unidentified."""
    facts = {
        "source": SOURCE,
        "now": ctx.now,
        "business_id": home.business_id,
        "currency": home.currency,
        "first_on": home.first_on,
    }
    run(session, PAYMENTS, facts)
    run(session, PAYMENT_JOURNALS, facts)
    run(session, PAYMENT_POSTINGS, facts)
    return {"payments": run(session, KEEP_PAYMENTS, facts)}
