"""What fields hold lies within their bounds; rows of before that do not stand until somebody corrects them."""

from earlybird.audit.states import Severity
from earlybird.infra.fields import HELD
from earlybird.reconcile.rules import Check, Kind

EACH = """
    SELECT '{table}.{column} ' || t.id AS subject, '{table}.{column}: {says}' AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, NULL::uuid AS customer_id,
           jsonb_build_object('row_id', t.id, 'field', '{table}.{column}') AS facts
    FROM {table} t WHERE NOT ({fits})
"""

CHECK = Check(
    number=71,
    name="field_out_of_bounds",
    title="Does every field hold what it should?",
    severity=Severity.warning,
    kind=Kind.live,
    sql=" UNION ALL ".join(
        EACH.format(table=held.table, column=held.column, says=held.bound.says, fits=held.fits("t.")) for held in HELD
    ),
)
