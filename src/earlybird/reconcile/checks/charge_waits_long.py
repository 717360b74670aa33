"""What was delivered is billed within 45 days after its month, even where no bill run has been."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=31,
    name="charge_waits_long",
    title="Is nothing delivered more than 45 days ago still unbilled?",
    severity=Severity.warning,
    kind=Kind.live,
    sql="""
    SELECT u.customer_id::text || ':' || u.month::date AS subject,
           format('%s charges of %s have been waiting for a bill since', u.count, to_char(u.month, 'Mon YYYY'))
             AS title,
           u.amount AS money_minor, u.currency, u.customer_id,
           jsonb_build_object('customer_id', u.customer_id, 'count', u.count, 'first', u.first_on) AS facts
    FROM (SELECT h.customer_id, date_trunc('month', h.service_on) AS month, h.currency, count(*) AS count,
                 sum(h.amount_minor)::bigint AS amount, min(h.service_on) AS first_on
          FROM unbilled_charges w JOIN charges h ON h.id = w.charge_id
          WHERE w.service_on < CAST(CAST(:now AS timestamptz) AS date) - 75
            AND h.charged_at < CAST(:now AS timestamptz) - interval '45 days'
            AND NOT EXISTS (SELECT FROM waivers x WHERE x.charge_id = h.id)
            AND NOT EXISTS (SELECT FROM invoice_lines l WHERE l.charge_id = h.id)
          GROUP BY 1, 2, 3 HAVING sum(h.amount_minor) <> 0) u
""",
)
