"""The lasting things of a dump: the business, its places, people, products and customers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.importers.earlybird.evidence import SOURCE
from earlybird.infra.db import rows, run, value
from earlybird.kernel.ctx import Ctx

LONG_AGO = date(2000, 1, 1)
"""From when a legacy price or pattern without history is taken to have held."""


@dataclass(frozen=True, slots=True)
class Home:
    """The business and depot that a dump is taken over into, and the day of change."""

    business_id: UUID
    site_id: UUID
    zone: str
    currency: str
    first_on: date
    cutover_on: date


BOUNDS = """
SELECT max((facts->>'day')::date) AS last_on
FROM legacy_documents
WHERE source = :source AND collection IN ('delivery_statuses', 'delivery_status') AND verdict = 'imported'
  AND facts->>'early' IS DISTINCT FROM 'true'
"""


def settle_home(session: Session, ctx: Ctx, *, name: str | None, cutover_on: date | None) -> Home:
    """Find or make the business and its depot; the day of change defaults to the day after the last fact."""
    bounds = rows(session, BOUNDS, {"source": SOURCE})[0]
    told = rows(
        session,
        "SELECT facts FROM legacy_documents WHERE source = :source AND collection = 'system_settings' "
        "AND verdict = 'imported' ORDER BY line LIMIT 1",
        {"source": SOURCE},
    )
    facts = told[0]["facts"] if told else {}
    wanted = name or facts.get("name") or "EarlyBird"
    last_on = bounds["last_on"] or ctx.now.date()
    facts |= {"wanted": wanted, "last_on": last_on, "cutover_on": cutover_on}
    run(
        session,
        """
        INSERT INTO businesses (name, currency, country, zone, upi_id, phone, cutover_on)
        VALUES (:wanted, 'INR', 'IN', 'Asia/Kolkata', :upi, :phone, coalesce(CAST(:cutover_on AS date), :last_on + 1))
        ON CONFLICT (name) DO UPDATE SET cutover_on = CASE
            WHEN CAST(:cutover_on AS date) IS NOT NULL THEN CAST(:cutover_on AS date)
            ELSE greatest(businesses.cutover_on, excluded.cutover_on) END
        WHERE businesses.cutover_on IS DISTINCT FROM CASE
            WHEN CAST(:cutover_on AS date) IS NOT NULL THEN CAST(:cutover_on AS date)
            ELSE greatest(businesses.cutover_on, excluded.cutover_on) END
        """,
        {"upi": facts.get("upi"), "phone": facts.get("phone")} | facts,
    )
    run(
        session,
        """
        INSERT INTO sites (business_id, kind, name, zone)
        SELECT id, 'depot', 'Depot', zone FROM businesses WHERE name = :wanted
        ON CONFLICT (business_id, name) DO NOTHING
        """,
        facts,
    )
    run(
        session,
        """
        INSERT INTO shifts (site_id, shift, starts, ends, cutoff, cutoff_days_before)
        SELECT s.id, v.shift, v.starts, v.ends, '20:00', 1
        FROM sites s JOIN businesses b ON b.id = s.business_id
        CROSS JOIN (VALUES ('morning', time '05:00', time '08:00'), ('evening', time '17:00', time '20:00'))
            AS v(shift, starts, ends)
        WHERE b.name = :wanted AND s.name = 'Depot'
        ON CONFLICT (site_id, shift) DO NOTHING
        """,
        facts,
    )
    return home(session)


HOME = """
SELECT b.id AS business_id, s.id AS site_id, b.zone, b.currency, b.cutover_on,
       coalesce((SELECT min((facts->>'day')::date) FROM legacy_documents
                 WHERE source = :source AND collection IN ('delivery_statuses', 'delivery_status')
                   AND verdict = 'imported'), b.cutover_on) AS first_on
FROM businesses b JOIN sites s ON s.business_id = b.id AND s.name = 'Depot'
WHERE b.cutover_on IS NOT NULL ORDER BY b.created_at LIMIT 1
"""


def home(session: Session) -> Home:
    """Return the business that was taken over."""
    return Home(**rows(session, HOME, {"source": SOURCE})[0])


PEOPLE = """
INSERT INTO users (id, name, email, phone, password_hash, must_change_password, state, created_at)
SELECT d.id, coalesce(facts->>'name', 'No name'),
       CASE WHEN row_number() OVER (PARTITION BY facts->>'email' ORDER BY line) = 1
             AND NOT EXISTS (SELECT FROM users u WHERE u.email = facts->>'email') THEN facts->>'email' END,
       facts->>'phone',
       CASE facts->'password'->>'scheme' WHEN 'bcrypt' THEN facts->'password'->>'hash'
            WHEN 'sha256' THEN 'sha256$' || (facts->'password'->>'hash') END,
       facts->'password'->>'scheme' IS DISTINCT FROM 'bcrypt' OR coalesce((facts->'password'->>'default')::bool, false),
       CASE WHEN facts->>'active' = 'false' THEN 'disabled' ELSE 'uninvited' END,
       coalesce((facts->>'created_at')::timestamptz, :now)
FROM legacy_documents d
WHERE source = :source AND collection = 'users' AND verdict = 'imported'
  AND NOT EXISTS (SELECT FROM users u WHERE u.id = d.id)
"""

# A delivery boy's login and his record share their id; one without a login becomes a user here.
DRIVERS = """
INSERT INTO users (id, name, phone, state)
SELECT d.id, coalesce(d.facts->>'name', 'No name'), d.facts->>'phone', 'uninvited'
FROM legacy_documents d
WHERE d.source = :source AND d.collection = 'delivery_boys_v2' AND d.verdict = 'imported'
  AND NOT EXISTS (SELECT FROM legacy_documents u WHERE u.source = :source AND u.collection = 'users'
                  AND u.key = d.key AND u.verdict = 'imported')
  AND NOT EXISTS (SELECT FROM users u WHERE u.id = d.id)
"""

ROLES = """
INSERT INTO memberships (user_id, role, site_id)
SELECT u.id, r.role, CASE WHEN r.role <> 'customer' THEN CAST(:site_id AS uuid) END
FROM (
    SELECT id, facts->>'role' AS role FROM legacy_documents
    WHERE source = :source AND collection = 'users' AND verdict = 'imported' AND facts->>'role' <> 'customer'
    UNION
    SELECT coalesce(u.id, d.id), 'driver' FROM legacy_documents d
    LEFT JOIN legacy_documents u ON u.source = d.source AND u.collection = 'users' AND u.key = d.key
                                AND u.verdict = 'imported'
    WHERE d.source = :source AND d.collection = 'delivery_boys_v2' AND d.verdict = 'imported'
) r JOIN users u ON u.id = r.id
WHERE r.role IN ('admin', 'support', 'driver', 'merchant', 'warehouse', 'marketing', 'supplier')
ON CONFLICT (user_id, role, site_id, customer_id) WHERE ended_at IS NULL DO NOTHING
"""

# Passwords are kept in users alone.
FORGET_PASSWORDS = """
UPDATE legacy_documents SET facts = facts - 'password'
WHERE source = :source AND collection = 'users' AND facts ? 'password'
"""

AREAS = """
INSERT INTO areas (site_id, name, postal_code)
SELECT CAST(:site_id AS uuid), name, min(postal_code) FROM (
    SELECT facts->>'name' AS name, facts->>'pincode' AS postal_code FROM legacy_documents
    WHERE source = :source AND collection = 'areas_v2' AND verdict = 'imported'
    UNION ALL
    SELECT facts->>'area', NULL FROM legacy_documents
    WHERE source = :source AND collection = 'customers_v2' AND verdict = 'imported'
) a WHERE name IS NOT NULL GROUP BY name ORDER BY name
ON CONFLICT (site_id, name) DO NOTHING
"""

UNITS = """
INSERT INTO units (code, name, measure)
SELECT DISTINCT CASE WHEN facts->>'litre' = 'true' THEN 'L' ELSE coalesce(lower(facts->>'unit'), 'piece') END,
       CASE WHEN facts->>'litre' = 'true' THEN 'litre' ELSE coalesce(lower(facts->>'unit'), 'piece') END,
       CASE WHEN facts->>'litre' = 'true' THEN 'volume' ELSE 'number' END
FROM legacy_documents
WHERE source = :source AND collection = 'products' AND verdict = 'imported'
UNION SELECT 'piece', 'piece', 'number'
ON CONFLICT (code) DO NOTHING
"""

PRODUCTS = """
INSERT INTO products (id, business_id, name, category, unit_code, pack_size, archived_at)
SELECT id, CAST(:business_id AS uuid), coalesce(facts->>'name', 'No name'), facts->>'category',
       CASE WHEN facts->>'litre' = 'true' THEN 'L' ELSE coalesce(lower(facts->>'unit'), 'piece') END,
       CASE WHEN facts->>'litre' = 'true' THEN 0.5 ELSE 1 END,
       CASE WHEN facts->>'discontinued' = 'true' THEN CAST(:now AS timestamptz) END
FROM legacy_documents d
WHERE source = :source AND collection = 'products' AND verdict = 'imported'
  AND NOT EXISTS (SELECT FROM products p WHERE p.id = d.id)
"""

# Products that rows still speak of although their document is gone.
LOST_PRODUCTS = """
WITH spoken AS (
    SELECT coalesce(facts->>'product', '') AS key, NULL AS name FROM legacy_documents
    WHERE source = :source AND collection IN ('subscriptions_v2', 'irregular_deliveries') AND verdict = 'imported'
    UNION ALL
    SELECT coalesce(item.value->>'product', ''), item.value->>'name'
    FROM legacy_documents, jsonb_array_elements(facts->'lines') AS item(value)
    WHERE source = :source AND collection = 'orders' AND verdict = 'imported'
), lost AS MATERIALIZED (
    SELECT key, coalesce(max(name), 'Deleted product ' || key) AS name, new_id() AS id FROM spoken s
    WHERE NOT EXISTS (SELECT FROM legacy_documents d WHERE d.source = :source AND d.collection = 'products'
                      AND d.key = s.key AND d.verdict = 'imported')
      AND NOT EXISTS (SELECT FROM product_keys k WHERE k.source = :source AND k.kind = 'lost' AND k.key = s.key)
    GROUP BY key
), made AS (
    INSERT INTO products (id, business_id, name, unit_code, archived_at)
    SELECT id, CAST(:business_id AS uuid), name, 'piece', :now FROM lost
)
INSERT INTO product_keys (source, kind, key, product_id)
SELECT :source, 'lost', key, id FROM lost
"""

PRICES = """
INSERT INTO prices (product_id, scope, customer_id, unit_price, currency, valid_from)
SELECT id, 'list', NULL, coalesce(facts->>'default_price', facts->>'price')::numeric, :currency, :long_ago
FROM legacy_documents d
WHERE source = :source AND collection = 'products' AND verdict = 'imported'
  AND coalesce(facts->>'default_price', facts->>'price') IS NOT NULL
ON CONFLICT (product_id, customer_id, valid_from) DO NOTHING
"""

CUSTOMER_PRICES = """
INSERT INTO prices (product_id, scope, customer_id, unit_price, currency, valid_from)
SELECT p.product_id, 'customer', d.id, price.value::numeric, :currency, :long_ago
FROM legacy_documents d
CROSS JOIN jsonb_each_text(d.facts->'prices') AS price
JOIN legacy_products p ON p.key = price.key
WHERE d.source = :source AND d.collection = 'customers_v2' AND d.verdict = 'imported'
ON CONFLICT (product_id, customer_id, valid_from) DO NOTHING
"""

# Keys of products and drivers, resolved once for the statements of this transaction.
RESOLVED = """
CREATE TEMP TABLE legacy_products ON COMMIT DROP AS
SELECT key, id AS product_id FROM legacy_documents
WHERE source = :source AND collection = 'products' AND verdict = 'imported'
UNION ALL
SELECT key, product_id FROM product_keys WHERE source = :source AND kind = 'lost'
"""

DRIVER_KEYS = """
CREATE TEMP TABLE legacy_drivers ON COMMIT DROP AS
SELECT DISTINCT ON (d.key) d.key, u.id AS user_id, d.facts->>'name' AS name, d.facts->>'shift' AS shift
FROM legacy_documents d JOIN users u ON u.id = d.id
WHERE d.source = :source AND d.collection IN ('users', 'delivery_boys_v2') AND d.verdict = 'imported'
  AND (d.collection = 'delivery_boys_v2' OR d.facts->>'role' = 'driver')
ORDER BY d.key, d.collection = 'users' DESC
"""

CUSTOMERS = """
INSERT INTO customers (id, business_id, site_id, code, name, phone, phone_as_given, email, area_id, driver_id,
                       state, state_from, trial_from, notes, delivery_instructions, created_at)
SELECT d.id, CAST(:business_id AS uuid), CAST(:site_id AS uuid), short_code('C', d.id),
       coalesce(facts->>'name', 'No name'), facts->>'phone', facts->>'phone_as_given', facts->>'email',
       a.id, b.user_id, coalesce(s.state, 'trial'),
       CASE WHEN s.state IN ('paused', 'stopped') THEN CAST(:cutover_on AS date) END,
       (facts->>'trial_from')::date, facts->>'notes', facts->>'instructions',
       coalesce((facts->>'created_at')::timestamptz, :now)
FROM legacy_documents d
LEFT JOIN areas a ON a.site_id = CAST(:site_id AS uuid) AND a.name = facts->>'area'
LEFT JOIN legacy_drivers b ON b.key = facts->>'driver'
LEFT JOIN (VALUES ('trial'), ('active'), ('paused'), ('stopped')) AS s(state) ON s.state = facts->>'status'
WHERE source = :source AND collection = 'customers_v2' AND verdict = 'imported'
  AND NOT EXISTS (SELECT FROM customers c WHERE c.id = d.id)
"""

DOORS = """
INSERT INTO addresses (customer_id, label, line1, city, postal_code, latitude, longitude, map_url, is_default)
SELECT d.id, 'Home', facts->>'address', facts->>'city', facts->>'pincode', (facts->>'latitude')::numeric,
       (facts->>'longitude')::numeric, facts->>'map_url', true
FROM legacy_documents d
WHERE source = :source AND collection = 'customers_v2' AND verdict = 'imported' AND facts->>'address' IS NOT NULL
  AND NOT EXISTS (SELECT FROM addresses x WHERE x.customer_id = d.id AND x.is_default)
"""

KNOWN_PARTIES = """
INSERT INTO legacy_parties (source, party, kind, customer_id)
SELECT source, key, 'customer', id FROM legacy_documents
WHERE source = :source AND collection = 'customers_v2' AND verdict = 'imported'
ON CONFLICT (source, party) DO NOTHING
"""

# Accounts that ordered and belong to no known customer, customers that were deleted but left deliveries,
# payments or standing orders behind, and accounts that were deleted but left orders behind: each becomes
# a customer of its own.
LOST_PARTIES = """
WITH account AS (
    SELECT a.account, d.oid, a.customer_id, a.user_id, d.facts->>'name' AS name, d.facts->>'phone' AS phone
    FROM legacy_accounts a JOIN legacy_documents d ON d.id = a.user_id WHERE a.source = :source
), account_key AS (
    SELECT account AS key FROM account UNION SELECT oid FROM account WHERE oid IS NOT NULL
), spoken AS (
    SELECT DISTINCT collection = 'orders' AS is_order,
           collection IN ('subscriptions_v2', 'irregular_deliveries') AS is_customer, ref.key
    FROM legacy_documents d CROSS JOIN LATERAL (
        VALUES (d.facts->>'customer'), (CASE WHEN d.collection = 'orders' THEN d.facts->>'user' END),
               (CASE WHEN d.collection = 'orders' THEN (
                    SELECT x.facts->>'user' FROM legacy_documents x
                    WHERE x.source = d.source AND x.collection = 'addresses' AND x.key = d.facts->>'address'
                    LIMIT 1) END)
    ) AS ref(key)
    WHERE d.source = :source AND d.verdict = 'imported' AND ref.key IS NOT NULL
      AND d.collection IN ('orders', 'delivery_statuses', 'delivery_status', 'payment_transactions',
                           'subscriptions_v2', 'irregular_deliveries')
), wanted AS (
    SELECT DISTINCT 'user:' || a.account AS party, 'account' AS kind, a.name, a.phone
    FROM spoken s JOIN account a ON s.key IN (a.account, a.oid)
    WHERE a.customer_id IS NULL
    UNION
    SELECT s.key, 'deleted', 'Deleted customer ' || s.key, NULL
    FROM spoken s
    WHERE NOT s.is_order
      AND NOT EXISTS (SELECT FROM legacy_parties p WHERE p.source = :source AND p.party = s.key)
      AND (s.is_customer OR NOT EXISTS (SELECT FROM account a WHERE s.key IN (a.account, a.oid)))
    UNION
    SELECT o.party, 'deleted', 'Deleted account ' || o.party, NULL
    FROM (
        SELECT d.facts->>'customer' AS customer, d.facts->>'user' AS "user", d.facts->>'address' AS address,
               coalesce('user:' || (d.facts->>'user'), 'user:' || (d.facts->>'customer'), 'order:' || d.key) AS party
        FROM legacy_documents d WHERE d.source = :source AND d.collection = 'orders' AND d.verdict = 'imported'
    ) o
    LEFT JOIN legacy_documents x ON x.source = :source AND x.collection = 'addresses' AND x.key = o.address
                                 AND x.verdict = 'imported'
    WHERE NOT EXISTS (SELECT FROM account_key a WHERE a.key IN (o."user", o.customer, x.facts->>'user'))
      AND NOT EXISTS (SELECT FROM legacy_parties p
                      WHERE p.source = :source AND p.party = o.customer AND p.kind = 'customer')
), made AS MATERIALIZED (
    SELECT w.*, new_id() AS id FROM wanted w
    WHERE NOT EXISTS (SELECT FROM legacy_parties p WHERE p.source = :source AND p.party = w.party)
), customer AS (
    INSERT INTO customers (id, business_id, site_id, code, name, phone, state, state_from, archived_at)
    SELECT id, CAST(:business_id AS uuid), CAST(:site_id AS uuid), short_code('C', id),
           coalesce(name, 'No name'), phone,
           CASE kind WHEN 'account' THEN 'active' ELSE 'stopped' END,
           CASE kind WHEN 'deleted' THEN CAST(:cutover_on AS date) END,
           CASE kind WHEN 'deleted' THEN CAST(:now AS timestamptz) END
    FROM made
)
INSERT INTO legacy_parties (source, party, kind, customer_id)
SELECT :source, party, kind, id FROM made
"""

# Whom a reference speaks of: a customer by key, else an account by key or hex id: its customer, else the
# deleted customer who had the same id, else the account itself; else a deleted customer.
WHO = """
CREATE TEMP TABLE legacy_who ON COMMIT DROP AS
SELECT DISTINCT ON (key) key, customer_id, user_id FROM (
    SELECT 1 AS rank, party AS key, customer_id, NULL AS user_id FROM legacy_parties
    WHERE source = :source AND kind = 'customer'
    UNION ALL
    SELECT ref.rank, ref.key, coalesce(a.customer_id, lost.customer_id, own.customer_id), a.user_id
    FROM legacy_accounts a
    JOIN legacy_documents d ON d.id = a.user_id
    CROSS JOIN LATERAL (VALUES (2, a.account), (3, d.oid)) AS ref(rank, key)
    LEFT JOIN legacy_parties lost ON lost.source = a.source AND lost.party = ref.key AND lost.kind = 'deleted'
    LEFT JOIN legacy_parties own ON own.source = a.source AND own.party = 'user:' || a.account
    WHERE a.source = :source AND ref.key IS NOT NULL
    UNION ALL
    SELECT 4, party, customer_id, NULL FROM legacy_parties WHERE source = :source AND kind = 'deleted'
) w ORDER BY key, rank
"""


def resolve(session: Session) -> None:
    """Make the look-up tables of products, drivers and parties for this transaction's statements."""
    for name in ("legacy_products", "legacy_drivers", "legacy_who"):
        if value(session, "SELECT to_regclass('pg_temp.' || :name)", {"name": name}):
            run(session, f"DROP TABLE {name}")
    for made in (RESOLVED, DRIVER_KEYS, WHO):
        run(session, made, {"source": SOURCE})
    for name in ("legacy_products", "legacy_drivers", "legacy_who"):
        run(session, f"ANALYZE {name}")


def take_over_masters(session: Session, ctx: Ctx, home: Home) -> dict[str, int]:
    """Make people, places, products, prices, customers and parties of what is not yet there; return counts."""
    facts = {
        "source": SOURCE,
        "now": ctx.now,
        "business_id": home.business_id,
        "site_id": home.site_id,
        "currency": home.currency,
        "cutover_on": home.cutover_on,
        "long_ago": LONG_AGO,
    }
    made = {
        "users": run(session, PEOPLE, facts) + run(session, DRIVERS, facts),
        "memberships": run(session, ROLES, facts),
        "areas": run(session, AREAS, facts),
        "units": run(session, UNITS, facts),
        "products": run(session, PRODUCTS, facts) + run(session, LOST_PRODUCTS, facts),
    }
    run(session, FORGET_PASSWORDS, facts)
    run(session, RESOLVED, facts)
    run(session, DRIVER_KEYS, facts)
    made["customers"] = run(session, CUSTOMERS, facts)
    made["addresses"] = run(session, DOORS, facts)
    made["prices"] = run(session, PRICES, facts) + run(session, CUSTOMER_PRICES, facts)
    return made


def take_over_parties(session: Session, ctx: Ctx, home: Home) -> int:
    """Name everybody that legacy rows speak of, also accounts without a household and deleted customers."""
    facts = {
        "source": SOURCE,
        "now": ctx.now,
        "business_id": home.business_id,
        "site_id": home.site_id,
        "cutover_on": home.cutover_on,
    }
    return run(session, KNOWN_PARTIES, facts) + run(session, LOST_PARTIES, facts)
