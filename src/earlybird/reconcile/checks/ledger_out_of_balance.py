"""The ledger balances in each currency: with `journal_not_zero`, nothing stands outside a balanced journal.

Journals that sum to zero can only fail to balance together through postings that belong to none.
"""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind, major

CHECK = Check(
    number=9,
    name="ledger_out_of_balance",
    title="Does every posting belong to a journal?",
    severity=Severity.error,
    kind=Kind.live,
    sql=f"""
    SELECT p.currency AS subject,
           format('%s postings belong to no journal; the ledger is off by %s', count(*),
                  {major("sum(p.amount_minor)", "p.currency")}) AS title,
           sum(p.amount_minor)::bigint AS money_minor, p.currency, NULL::uuid AS customer_id,
           jsonb_build_object('posting_ids', (array_agg(p.id))[1:100]) AS facts
    FROM postings p
    WHERE NOT EXISTS (SELECT FROM journals j WHERE j.id = p.journal_id)
    GROUP BY p.currency
""",
)
