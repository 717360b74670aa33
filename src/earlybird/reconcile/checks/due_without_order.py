"""On every planned day, each standing order that was due has its line.

The quantity rule is written here a second time on purpose, so that a mistake in the planner's cannot hide
behind itself. What was changed after the planning run waits for the next one; a line that lost its standing
order is the question `line_without_standing_order`; a product without any price is the planner's finding.
"""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind, scale

CHECK = Check(
    number=15,
    name="due_without_order",
    title="Did every due standing order become an order?",
    severity=Severity.error,
    kind=Kind.live,
    sql=f"""
    WITH due AS (
        SELECT s.id AS subscription_id, s.customer_id, r.service_on, r.planned_at, v.id AS version_id, v.product_id,
               v.shift,
               coalesce(irregular.quantity, override.quantity, v.quantity) AS quantity,
               coalesce(irregular.shift, override.shift) AS moved_to, v.agreed_price
        FROM plan_runs r
        JOIN customers c ON c.site_id = r.site_id AND c.archived_at IS NULL
         AND NOT (c.state IN ('paused', 'stopped') AND coalesce(c.state_from, r.service_on) <= r.service_on)
        JOIN subscriptions s ON s.customer_id = c.id AND s.state = 'active' AND s.starts_on <= r.service_on
         AND (s.stops_on IS NULL OR r.service_on < s.stops_on) AND NOT (s.created_at > r.planned_at
           AND s.created_at <= :now)
        JOIN subscription_versions v ON v.subscription_id = s.id AND v.valid_from <= r.service_on
         AND NOT EXISTS (SELECT FROM subscription_versions later WHERE later.subscription_id = s.id
                           AND later.valid_from > v.valid_from AND later.valid_from <= r.service_on)
        LEFT JOIN subscription_overrides irregular ON irregular.subscription_id = s.id
         AND irregular.service_on = r.service_on AND irregular.kind = 'irregular' AND irregular.superseded_at IS NULL
        LEFT JOIN subscription_overrides override ON override.subscription_id = s.id
         AND override.service_on = r.service_on AND override.kind = 'override' AND override.superseded_at IS NULL
        WHERE NOT (greatest(v.made_at, irregular.made_at, override.made_at) > r.planned_at
                   AND greatest(v.made_at, irregular.made_at, override.made_at) <= :now)
          AND NOT EXISTS (SELECT FROM closures k WHERE k.site_id = r.site_id AND k.closed_on = r.service_on)
          AND NOT EXISTS (SELECT FROM subscription_pauses p WHERE p.subscription_id = s.id AND p.cancelled_at IS NULL
                            AND r.service_on >= p.starts_on AND (p.ends_on IS NULL OR r.service_on <= p.ends_on))
          AND CASE
                WHEN irregular.quantity IS NOT NULL THEN irregular.quantity > 0
                WHEN override.quantity IS NOT NULL THEN override.quantity > 0
                WHEN v.quantity = 0 OR v.until_on < r.service_on THEN false
                WHEN v.pattern = 'weekly' THEN (extract(isodow FROM r.service_on) - 1)::int = ANY (v.weekdays)
                WHEN v.pattern = 'every_nth' THEN (r.service_on - s.starts_on) % v.every_n = 0
                WHEN v.pattern = 'one_time' THEN r.service_on <= coalesce(v.until_on, v.valid_from)
                ELSE v.pattern = 'daily'
              END
    ), missing AS (
        SELECT d.*, x.shift AS due_shift
        FROM due d
        CROSS JOIN LATERAL unnest(CASE WHEN d.moved_to IS NOT NULL THEN ARRAY[d.moved_to]
                                       WHEN d.shift = 'both' THEN ARRAY['morning', 'evening']
                                       ELSE ARRAY[d.shift] END) AS x (shift)
        LEFT JOIN order_lines l ON l.subscription_id = d.subscription_id AND l.service_on = d.service_on
         AND (l.shift = x.shift OR d.moved_to IS NOT NULL)
        WHERE l.id IS NULL
    )
    SELECT m.subscription_id || ':' || m.service_on || ':' || m.due_shift AS subject,
           format('%s of %s was due on %s (%s), and no order was made', trim_scale(m.quantity), p.name, m.service_on,
             m.due_shift)
             AS title,
           round(price.unit_price * m.quantity * {scale("price.currency")})::bigint AS money_minor, price.currency,
           m.customer_id,
           jsonb_build_object('subscription_id', m.subscription_id, 'version_id', m.version_id,
                              'service_on', m.service_on, 'shift', m.due_shift, 'quantity', m.quantity) AS facts
    FROM missing m
    JOIN products p ON p.id = m.product_id
    JOIN LATERAL (SELECT coalesce(m.agreed_price, x.unit_price) AS unit_price, x.currency
                  FROM (SELECT q.unit_price, q.currency, q.scope, q.valid_from FROM prices q
                        WHERE q.product_id = m.product_id AND q.valid_from <= m.service_on
                          AND (q.customer_id IS NULL OR q.customer_id = m.customer_id)
                        UNION ALL
                        SELECT m.agreed_price, b.currency, 'agreed', NULL FROM customers c
                        JOIN businesses b ON b.id = c.business_id
                        WHERE c.id = m.customer_id AND m.agreed_price IS NOT NULL) x
                  ORDER BY x.scope, x.valid_from DESC LIMIT 1) price ON true
    WHERE NOT EXISTS (SELECT FROM audit_entries a WHERE a.entity = 'customer' AND a.entity_id = m.customer_id
                        AND a.action = 'customers.change' AND a.at > m.planned_at
                        AND m.service_on >= CAST(a.before ->> 'state_from' AS date)
                        AND m.service_on < coalesce(CAST(a.after ->> 'state_from' AS date), 'infinity'))
      AND NOT EXISTS (SELECT FROM order_lines l WHERE l.customer_id = m.customer_id AND l.service_on = m.service_on
                        AND l.shift = m.due_shift AND l.product_id = m.product_id AND l.source = 'subscription'
                        AND (l.subscription_id IS NULL
                             OR NOT EXISTS (SELECT FROM subscriptions s WHERE s.id = l.subscription_id)))
""",
)
