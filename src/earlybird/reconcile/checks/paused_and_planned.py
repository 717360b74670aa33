"""Nothing from a standing order is on its way to somebody who paused or stopped.

A pause of the last quarter of an hour may still meet a plan that was made before it.
"""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=52,
    name="paused_and_planned",
    title="Is nothing on its way to who paused?",
    severity=Severity.error,
    kind=Kind.live,
    sql="""
    SELECT DISTINCT ON (l.id) l.id::text AS subject,
           format('%s on %s is planned for a customer who %s then', l.product_name, l.service_on,
                  CASE WHEN p.id IS NOT NULL THEN 'paused it' ELSE 'is ' || c.state END) AS title,
           l.amount_minor AS money_minor, l.currency, l.customer_id,
           jsonb_build_object('order_line_id', l.id, 'delivery_id', d.id, 'subscription_id', l.subscription_id,
                              'pause_id', p.id) AS facts
    FROM deliveries d
    JOIN order_lines l ON l.order_id = d.order_id AND l.source = 'subscription' AND l.cancelled_at IS NULL
      AND l.quantity > 0
    JOIN customers c ON c.id = l.customer_id
    LEFT JOIN subscription_pauses p ON p.subscription_id = l.subscription_id AND p.cancelled_at IS NULL
     AND l.service_on >= p.starts_on AND (p.ends_on IS NULL OR l.service_on <= p.ends_on)
     AND p.made_at < CAST(:now AS timestamptz) - interval '15 minutes'
    WHERE d.state = 'planned' AND d.planned_on >= CAST(CAST(:now AS timestamptz) AS date)
      AND NOT EXISTS (SELECT FROM subscription_overrides o WHERE o.id = l.override_id AND o.superseded_at IS NULL)
      AND (p.id IS NOT NULL
           OR c.state IN ('paused', 'stopped') AND coalesce(c.state_from, l.service_on) <= l.service_on
              AND c.state_at < CAST(:now AS timestamptz) - interval '15 minutes')
    ORDER BY l.id
""",
)
