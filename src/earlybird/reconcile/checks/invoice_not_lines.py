"""Subtotal, tax, rounding and total of an issued document are those of its lines."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind, major

CHECK = Check(
    number=6,
    name="invoice_not_lines",
    title="Does each document sum to its lines?",
    severity=Severity.error,
    kind=Kind.live,
    sql=f"""
    SELECT i.id::text AS subject,
           format('%s %s %s says %s, its lines say %s', i.kind, i.series, i.number,
                  {major("i.total_minor - i.rounding_minor", "i.currency")},
                    {major("coalesce(l.gross, 0)", "i.currency")}) AS title,
           (i.total_minor - i.rounding_minor - coalesce(l.gross, 0))::bigint AS money_minor, i.currency, i.customer_id,
           jsonb_build_object('invoice_id', i.id, 'subtotal_minor', i.subtotal_minor, 'tax_minor', i.tax_minor,
                              'rounding_minor', i.rounding_minor, 'total_minor', i.total_minor,
                              'lines_minor', coalesce(l.gross, 0), 'lines_tax_minor', coalesce(l.tax, 0),
                              'taxes_minor', coalesce(t.tax, 0)) AS facts
    FROM invoices i
    JOIN businesses b ON b.id = i.business_id
    LEFT JOIN (SELECT l.invoice_id, sum(l.tax_minor) AS tax,
                      sum(l.amount_minor + CASE WHEN b.prices_include_tax THEN 0 ELSE l.tax_minor END) AS gross
               FROM invoice_lines l JOIN invoices i ON i.id = l.invoice_id JOIN businesses b ON b.id = i.business_id
               GROUP BY l.invoice_id) l ON l.invoice_id = i.id
    LEFT JOIN (SELECT invoice_id, sum(tax_minor) AS tax FROM invoice_taxes GROUP BY 1) t ON t.invoice_id = i.id
    WHERE i.state <> 'draft'
      AND (i.subtotal_minor + i.tax_minor + i.rounding_minor <> i.total_minor
           OR i.total_minor - i.rounding_minor <> coalesce(l.gross, 0)
           OR i.tax_minor <> coalesce(l.tax, 0)
           OR i.tax_minor <> coalesce(t.tax, 0))
""",
)
