"""Standing orders of a dump: effective-dated, with every pause, override and former quantity it knows."""

from __future__ import annotations

from sqlalchemy.orm import Session

from earlybird.importers.earlybird import later
from earlybird.importers.earlybird.evidence import SOURCE
from earlybird.importers.earlybird.masters import LONG_AGO, Home
from earlybird.infra.db import run
from earlybird.kernel.ctx import Ctx

# The start is the day of creation; the stop the earliest that any place tells. Status never changes
# what was due: it only says whether the order goes on after the day of change. An extra of
# `irregular_deliveries` is a standing order of one date.
SUBSCRIPTIONS = """
INSERT INTO subscriptions (id, customer_id, starts_on, stops_on, state, state_at, created_at)
SELECT d.id, w.customer_id,
       coalesce(greatest((facts->>'start')::date,
                         CASE WHEN facts->>'mode' = 'one_time' THEN (facts->>'first_day')::date END), :long_ago),
       least((SELECT min(day.value::date) FROM jsonb_array_elements_text(facts->'stops') AS day(value)),
             (SELECT min((x.facts->>'day')::date) FROM legacy_documents x
              WHERE x.source = :source AND x.collection = 'delivery_stops' AND x.verdict = 'imported'
                AND x.facts->>'subscription' = d.key)),
       CASE WHEN facts->>'auto_start' = 'false' OR facts->>'status' = 'draft' THEN 'draft'
            WHEN facts->>'status' = 'stopped' THEN 'stopped' ELSE 'active' END, :now, :now
FROM legacy_documents d
JOIN legacy_parties w ON w.source = d.source AND w.party = facts->>'customer' AND w.kind <> 'account'
WHERE d.source = :source AND collection = 'subscriptions_v2' AND verdict = 'imported'
  AND NOT EXISTS (SELECT FROM subscriptions s WHERE s.id = d.id)
"""

EXTRAS = """
INSERT INTO subscriptions (id, customer_id, starts_on, stops_on, state, state_at, created_at)
SELECT d.id, w.customer_id, (facts->>'day')::date, (facts->>'day')::date + 1, 'active', :now, :now
FROM legacy_documents d
JOIN legacy_parties w ON w.source = d.source AND w.party = facts->>'customer' AND w.kind <> 'account'
WHERE d.source = :source AND collection = 'irregular_deliveries' AND verdict = 'imported'
  AND facts->>'day' IS NOT NULL AND facts->>'product' IS NOT NULL AND facts->>'quantity' IS NOT NULL
  AND NOT EXISTS (SELECT FROM subscriptions s WHERE s.id = d.id)
"""

# What every standing order is today. `quantity` is packets (half a litre of a product in litres) where there is no
# mode, for one_time, or without default_qty.
TOLD_VERSION = """
CREATE TEMP TABLE told_version ON COMMIT DROP AS
SELECT d.id, d.key, d.former IS NOT NULL AS is_changed, p.product_id,
       greatest(CASE WHEN facts->>'packets' IS NOT NULL
                      AND (coalesce(facts->>'mode', 'one_time') = 'one_time' OR facts->>'default_qty' IS NULL)
                     THEN (facts->>'packets')::numeric * x.pack_size
                     ELSE coalesce((facts->>'default_qty')::numeric, 0) END, 0) AS quantity,
       CASE WHEN facts->>'mode' = 'fixed_daily' OR facts->>'mode' IS NULL THEN 'daily'
            WHEN facts->>'mode' = 'weekly_pattern' THEN 'weekly'
            WHEN facts->>'mode' = 'one_time' AND facts->>'first_day' IS NOT NULL
                 AND facts->>'last_day' IS NOT NULL THEN 'one_time' ELSE 'irregular' END AS pattern,
       ARRAY(SELECT day.value::smallint FROM jsonb_array_elements_text(facts->'weekdays') AS day(value)
             ORDER BY 1) AS weekdays,
       CASE WHEN facts->>'mode' = 'one_time' THEN (facts->>'last_day')::date END AS until_on,
       (facts->>'price')::numeric AS agreed_price, coalesce(facts->>'shift', 'morning') AS shift,
       b.user_id AS driver_id
FROM legacy_documents d
JOIN subscriptions s ON s.id = d.id
JOIN legacy_products p ON p.key = coalesce(facts->>'product', '')
JOIN products x ON x.id = p.product_id
LEFT JOIN (
    SELECT key AS said, user_id FROM legacy_drivers
    UNION ALL
    SELECT name, min(user_id::text)::uuid FROM legacy_drivers
    WHERE name IS NOT NULL AND name NOT IN (SELECT key FROM legacy_drivers) GROUP BY name HAVING count(*) = 1
) b ON b.said = facts->>'driver'
WHERE d.source = :source AND d.collection = 'subscriptions_v2' AND d.verdict = 'imported'
  AND (d.former IS NOT NULL OR NOT EXISTS (SELECT FROM subscription_versions v WHERE v.subscription_id = d.id))
"""

# A former quantity held until the day of its audited change.
VERSIONS = """
INSERT INTO subscription_versions (subscription_id, valid_from, product_id, quantity, pattern, weekdays, until_on,
                                   agreed_price, shift, driver_id, via, made_at)
WITH told AS (
    SELECT * FROM told_version t
    WHERE NOT EXISTS (SELECT FROM subscription_versions v WHERE v.subscription_id = t.id)
), change AS (
    SELECT DISTINCT ON (t.id, (a.facts->>'day')::date) t.id, (a.facts->>'day')::date AS day,
           (a.facts->>'old')::numeric AS old
    FROM told t JOIN legacy_documents a ON a.source = :source AND a.collection = 'subscription_audit'
         AND a.verdict = 'imported' AND a.facts->>'subscription' = t.key
    WHERE a.facts->>'day' IS NOT NULL AND a.facts->>'old' IS NOT NULL
    ORDER BY t.id, (a.facts->>'day')::date, (a.facts->>'at')::timestamptz, (a.facts->>'old')::numeric
), period AS (
    SELECT id, coalesce(lag(day) OVER (PARTITION BY id ORDER BY day), :long_ago) AS valid_from, old AS quantity
    FROM change
    UNION ALL
    SELECT t.id, coalesce((SELECT max(day) FROM change c WHERE c.id = t.id), :long_ago), t.quantity FROM told t
)
SELECT t.id, p.valid_from, t.product_id, greatest(p.quantity, 0), t.pattern, t.weekdays, t.until_on, t.agreed_price,
       t.shift, t.driver_id, 'import', :now
FROM told t JOIN period p ON p.id = t.id
ON CONFLICT (subscription_id, valid_from) DO NOTHING
"""

EXTRA_VERSIONS = """
INSERT INTO subscription_versions (subscription_id, valid_from, product_id, quantity, pattern, shift, via, made_at)
SELECT d.id, :long_ago, p.product_id, 0, 'irregular', 'morning', 'import', :now
FROM legacy_documents d
JOIN subscriptions s ON s.id = d.id
JOIN legacy_products p ON p.key = d.facts->>'product'
WHERE d.source = :source AND d.collection = 'irregular_deliveries'
  AND NOT EXISTS (SELECT FROM subscription_versions v WHERE v.subscription_id = d.id)
"""

PAUSES = """
INSERT INTO subscription_pauses (subscription_id, starts_on, ends_on, via, made_at)
SELECT p.id, p.starts_on, p.ends_on, 'import', :now
FROM (
    SELECT d.id, coalesce((pause.value->>0)::date, :long_ago) AS starts_on, (pause.value->>1)::date AS ends_on
    FROM legacy_documents d CROSS JOIN jsonb_array_elements(d.facts->'pauses') AS pause(value)
    WHERE d.source = :source AND d.collection = 'subscriptions_v2' AND d.verdict = 'imported'
    UNION
    SELECT d.id, (x.facts->>'day')::date, (x.facts->>'day')::date
    FROM legacy_documents d JOIN legacy_documents x ON x.source = :source AND x.collection = 'delivery_pauses'
         AND x.verdict = 'imported' AND x.facts->>'subscription' = d.key
    WHERE d.source = :source AND d.collection = 'subscriptions_v2' AND d.verdict = 'imported'
      AND x.facts->>'day' IS NOT NULL
) p JOIN subscriptions s ON s.id = p.id
WHERE NOT EXISTS (SELECT FROM subscription_pauses q WHERE q.subscription_id = p.id AND q.starts_on = p.starts_on
                  AND q.ends_on IS NOT DISTINCT FROM p.ends_on)
"""

# A standing order the old system called paused without saying since when rests from the day of change.
STATUS_PAUSES = """
INSERT INTO subscription_pauses (subscription_id, starts_on, reason, via, made_at)
SELECT d.id, CAST(:cutover_on AS date), 'paused in the legacy system', 'import', :now
FROM legacy_documents d JOIN subscriptions s ON s.id = d.id
WHERE d.source = :source AND d.collection = 'subscriptions_v2' AND d.verdict = 'imported'
  AND d.facts->>'status' = 'paused'
  AND NOT EXISTS (SELECT FROM subscription_pauses q WHERE q.subscription_id = d.id AND q.via = 'import'
                  AND q.reason = 'paused in the legacy system')
"""

# Of several in `day_overrides` for one day the one written last is meant.
OVERRIDES = """
INSERT INTO subscription_overrides (subscription_id, service_on, kind, quantity, shift, via, made_at)
SELECT o.id, o.day, o.kind, greatest(o.quantity, 0), o.shift, 'import', :now
FROM (
    SELECT DISTINCT ON (id, kind, day) id, kind, day, quantity, shift FROM (
        SELECT d.id, 'irregular' AS kind, 1 AS rank, e.key::date AS day, e.value::numeric AS quantity, NULL AS shift,
               0 AS line
        FROM legacy_documents d CROSS JOIN jsonb_each_text(d.facts->'irregular') AS e
        WHERE d.source = :source AND d.collection = 'subscriptions_v2' AND d.verdict = 'imported'
        UNION ALL
        SELECT d.id, 'irregular', 1, (d.facts->>'day')::date, (d.facts->>'quantity')::numeric, NULL, 0
        FROM legacy_documents d
        WHERE d.source = :source AND d.collection = 'irregular_deliveries' AND d.verdict = 'imported'
        UNION ALL
        SELECT d.id, 'override', 2, e.key::date, e.value::numeric, NULL, 0
        FROM legacy_documents d CROSS JOIN jsonb_each_text(d.facts->'overrides') AS e
        WHERE d.source = :source AND d.collection = 'subscriptions_v2' AND d.verdict = 'imported'
        UNION ALL
        SELECT d.id, 'override', 1, (x.facts->>'day')::date, (x.facts->>'quantity')::numeric, NULL, x.line
        FROM legacy_documents d JOIN legacy_documents x ON x.source = :source AND x.collection = 'day_overrides'
             AND x.verdict = 'imported' AND x.facts->>'subscription' = d.key
        WHERE d.source = :source AND d.collection = 'subscriptions_v2' AND d.verdict = 'imported'
          AND x.facts->>'day' IS NOT NULL AND x.facts->>'quantity' IS NOT NULL
    ) e ORDER BY id, kind, day, rank, line DESC
) o JOIN subscriptions s ON s.id = o.id
ON CONFLICT (subscription_id, service_on, kind) WHERE superseded_at IS NULL DO NOTHING
"""


def take_over_standing_orders(session: Session, ctx: Ctx, home: Home) -> dict[str, int]:
    """Make the standing orders not yet there (needs `masters.resolve` in the same transaction); return counts."""
    facts = {"source": SOURCE, "now": ctx.now, "long_ago": LONG_AGO, "cutover_on": home.cutover_on}
    made = {"subscriptions": run(session, SUBSCRIPTIONS, facts) + run(session, EXTRAS, facts)}
    run(session, TOLD_VERSION, facts)
    made |= later.follow_standing_orders(session, ctx, home)
    return made | {
        "subscription_versions": run(session, VERSIONS, facts) + run(session, EXTRA_VERSIONS, facts),
        "subscription_pauses": run(session, PAUSES, facts) + run(session, STATUS_PAUSES, facts),
        "subscription_overrides": run(session, OVERRIDES, facts),
    }
