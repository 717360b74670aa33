"""The books take whole sets, refuse what does not balance, and reverse once."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

import make
from earlybird.infra.db import rows, value
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx
from earlybird.ledger import queries, service
from earlybird.ledger.states import Account

SOURCE = """
SELECT CAST(:journal AS uuid) AS journal_id, CAST(:business AS uuid) AS business_id, 'test' AS kind,
       date '2026-01-05' AS posted_on, CAST(NULL AS text) AS memo, CAST(NULL AS uuid) AS reverses_id, account,
       CAST(NULL AS uuid) AS customer_id, CAST(NULL AS uuid) AS user_id, amount_minor, 'INR' AS currency
FROM (VALUES ('bank', 500), ('sales', -500 + :off), ('rounding', 0)) AS v (account, amount_minor)
"""


def test_a_set_is_posted_and_zero_left_out(session: Session, ctx: Ctx) -> None:
    firm = make.business(session)
    facts = {"journal": ids.new_id(), "business": firm.id, "off": 0}
    assert service.post_many(session, ctx, SOURCE, facts) == 2
    assert queries.balances(session, firm.id) == {(Account.bank, "INR"): 500, (Account.sales, "INR"): -500}


def test_what_does_not_balance_is_refused(session: Session, ctx: Ctx) -> None:
    firm = make.business(session)
    with pytest.raises(DatabaseError, match="do not sum to zero"), session.begin_nested():
        service.post_many(session, ctx, SOURCE, {"journal": ids.new_id(), "business": firm.id, "off": 1})


def test_a_reversal_is_the_mirror_and_happens_once(session: Session, ctx: Ctx) -> None:
    firm = make.business(session)
    journal = ids.new_id()
    service.post_many(session, ctx, SOURCE, {"journal": journal, "business": firm.id, "off": 0})
    for expected in (1, 0):
        made = service.reverse_many(session, ctx, [journal], kind="back", posted_on=ctx.now.date(), memo="mistaken")
        assert made == expected
    assert set(queries.balances(session, firm.id).values()) == {0}
    assert value(session, "SELECT count(*) FROM journals WHERE reverses_id = :j", {"j": journal}) == 1
    assert rows(session, "SELECT 1 FROM postings GROUP BY journal_id HAVING sum(amount_minor) <> 0") == []
