"""What runs is of a product that is still sold."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import RUNNING, Check, Kind

CHECK = Check(
    number=54,
    name="standing_order_without_product",
    title="Is every running standing order of a product still sold?",
    severity=Severity.warning,
    kind=Kind.live,
    sql=f"""
    WITH {RUNNING}
    SELECT r.id::text AS subject, format('The standing order of %s is for %s, which is no longer sold', r.name,
      p.name)
             AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, r.customer_id, jsonb_build_object('subscription_id',
             r.id, 'product_id', r.product_id) AS facts
    FROM running r JOIN products p ON p.id = r.product_id
    WHERE p.archived_at IS NOT NULL AND p.archived_at <= :now
""",
)
