"""Every line of every door event has its charge, unless it arrived a moment ago or the policy leaves it out.

A fact is also due before its grace is over when the charging job has passed it by: ids are UUIDv7, so a
charge made two seconds or more after the fact shows by its id.
"""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import ONE_TIME, Check, Kind, passed_over, scale

CHECK = Check(
    number=1,
    name="fact_not_charged",
    title="Was everything delivered charged?",
    severity=Severity.error,
    kind=Kind.live,
    sql=f"""
    WITH uncharged AS (
        SELECT e.*, v.received_at
        FROM delivery_event_lines e
        LEFT JOIN delivery_events v ON v.id = e.event_id
        WHERE e.delta_quantity <> 0 AND NOT EXISTS (SELECT FROM charges h WHERE h.event_line_id = e.id)
    ), latest AS (
        SELECT id FROM charges ORDER BY id DESC LIMIT 1
    )
    SELECT e.id::text AS subject,
           format('%s %s of %s on %s was delivered and never charged', trim_scale(e.delta_quantity), ol.unit,
             ol.product_name,
                  e.service_on) AS title,
           (round(ol.unit_price * (e.delta_quantity + before.quantity) * {scale("ol.currency")})
            - round(ol.unit_price * before.quantity * {scale("ol.currency")}))::bigint AS money_minor,
           ol.currency, e.customer_id,
           jsonb_build_object('event_line_id', e.id, 'event_id', e.event_id, 'delivery_line_id', e.delivery_line_id,
                              'order_line_id', ol.id, 'service_on', e.service_on, 'quantity', e.delta_quantity) AS facts
    FROM uncharged e
    LEFT JOIN delivery_lines dl ON dl.id = e.delivery_line_id
    LEFT JOIN order_lines ol ON ol.id = dl.order_line_id
    LEFT JOIN orders o ON o.id = ol.order_id
    CROSS JOIN LATERAL (SELECT coalesce(sum(x.delta_quantity), 0) AS quantity FROM delivery_event_lines x
                        WHERE x.delivery_line_id = e.delivery_line_id AND x.revision < e.revision) before
    WHERE NOT coalesce(o.paid_upstream, false)
      AND NOT (coalesce(o.source, '') = 'one_time'
               AND EXISTS (SELECT FROM policies p WHERE p.name = '{ONE_TIME}' AND p.value = 'false'::jsonb))
      AND (e.received_at <= :now - make_interval(secs => :grace) OR {passed_over("e.id")})
""",
)
