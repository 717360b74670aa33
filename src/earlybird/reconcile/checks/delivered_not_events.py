"""A line's delivered quantity is the sum of its events' deltas.

A missing event that left its charge behind is the question `charge_without_fact`, not this one.
"""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind, scale

CHECK = Check(
    number=5,
    name="delivered_not_events",
    title="Is each delivered quantity the sum of its door events?",
    severity=Severity.error,
    kind=Kind.live,
    sql=f"""
    SELECT dl.id::text AS subject,
           format('%s on %s: the line says %s delivered, its events say %s', coalesce(ol.product_name, 'A line'),
                  dl.service_on, trim_scale(dl.delivered_quantity),
              trim_scale(coalesce(x.quantity, 0))) AS title,
           round(ol.unit_price * (dl.delivered_quantity - coalesce(x.quantity, 0)) * {scale("ol.currency")})::bigint
             AS money_minor,
           ol.currency, dl.customer_id,
           jsonb_build_object('delivery_line_id', dl.id, 'service_on', dl.service_on,
                              'delivered_quantity', dl.delivered_quantity, 'events', coalesce(x.quantity, 0)) AS facts
    FROM delivery_lines dl
    LEFT JOIN (SELECT delivery_line_id, sum(delta_quantity) AS quantity FROM delivery_event_lines GROUP BY 1) x
      ON x.delivery_line_id = dl.id
    LEFT JOIN order_lines ol ON ol.id = dl.order_line_id
    WHERE dl.delivered_quantity <> coalesce(x.quantity, 0)
      AND NOT EXISTS (SELECT FROM charges h
                      WHERE h.customer_id = dl.customer_id AND h.service_on = dl.service_on
                        AND h.quantity = dl.delivered_quantity - coalesce(x.quantity, 0)
                        AND NOT EXISTS (SELECT FROM delivery_event_lines e WHERE e.id = h.event_line_id))
""",
)
