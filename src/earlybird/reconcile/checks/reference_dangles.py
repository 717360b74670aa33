"""What names a row of another table names one that is there, also where no foreign key asks.

A line's price may be withdrawn before it began: the line copied it, and nothing is found.
"""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

NAMED = (
    ("charges", "tax_class_id", "tax_classes"),
    ("delivery_cash", "holder_id", "users"),
    ("delivery_events", "legacy_delivery_id", "legacy_deliveries"),
    ("legacy_deliveries", "driver_id", "users"),
    ("legacy_deliveries", "order_id", "orders"),
    ("order_lines", "override_id", "subscription_overrides"),
    ("order_lines", "subscription_version_id", "subscription_versions"),
    ("order_lines", "tax_class_id", "tax_classes"),
    ("payments", "delivery_id", "deliveries"),
    ("payments", "holder_id", "users"),
    ("rounds", "standing_round_id", "standing_rounds"),
    ("shared_links", "first_id", "shared_links"),
)
"""Table, column, what it names. What names rows of several tables, or of another system, is not asked."""

EACH = """
    SELECT '{table}.{column} ' || t.id AS subject, '{table}.{column} names nothing that is there' AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, NULL::uuid AS customer_id,
           jsonb_build_object('row_id', t.id, 'named_id', t.{column}) AS facts
    FROM {table} t LEFT JOIN {target} p ON p.id = t.{column} WHERE t.{column} IS NOT NULL AND p.id IS NULL
"""

CHECK = Check(
    number=70,
    name="reference_dangles",
    title="Does every row that is named exist?",
    severity=Severity.warning,
    kind=Kind.live,
    sql=" UNION ALL ".join(EACH.format(table=table, column=column, target=target) for table, column, target in NAMED),
)
