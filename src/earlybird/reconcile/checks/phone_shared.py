"""A phone number, however it is written, is one customer's. Households do share one: then accept it."""

from earlybird.audit.states import Severity
from earlybird.customers.models import DIGITS
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=46,
    name="phone_shared",
    title="Is every phone number one customer's?",
    severity=Severity.info,
    kind=Kind.live,
    sql=f"""
    SELECT min(c.id::text) AS subject,
           format('%s customers have one phone number: %s', count(*), string_agg(c.code, ', ' ORDER BY c.code))
             AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, min(c.id::text)::uuid AS customer_id,
           jsonb_build_object('customer_ids', array_agg(c.id ORDER BY c.id)) AS facts
    FROM customers c
    WHERE c.archived_at IS NULL AND length({DIGITS.format("c.phone")}) = 10
    GROUP BY {DIGITS.format("c.phone")} HAVING count(*) > 1
""",
)
