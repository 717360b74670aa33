"""An order goes to an address of its own customer, or of one merged into them."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=38,
    name="address_wrong",
    title="Does every order go to an address of its customer?",
    severity=Severity.error,
    kind=Kind.live,
    sql="""
    WITH named AS (
        SELECT o.id, 'order' AS what, o.customer_id, o.address_id FROM orders o
        WHERE o.address_id IS NOT NULL AND o.state NOT IN ('cancelled', 'delivered', 'partially_delivered')
        UNION ALL
        SELECT s.id, 'standing order', s.customer_id, s.address_id FROM subscriptions s
        WHERE s.address_id IS NOT NULL AND s.state <> 'stopped'
    )
    SELECT n.id::text AS subject,
           format(CASE WHEN a.id IS NULL THEN 'A %s names an address that is not there'
                       ELSE 'A %s goes to an address of another customer' END, n.what) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, n.customer_id,
           jsonb_build_object('id', n.id, 'address_id', n.address_id, 'owner_id', a.customer_id) AS facts
    FROM named n LEFT JOIN addresses a ON a.id = n.address_id
    WHERE a.id IS NULL
       OR a.customer_id <> n.customer_id
          AND NOT EXISTS (SELECT FROM customer_merges m WHERE m.undone_at IS NULL
                            AND (m.customer_id = a.customer_id AND m.into_id = n.customer_id
                                 OR m.customer_id = n.customer_id AND m.into_id = a.customer_id))
""",
)
