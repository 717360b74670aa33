"""Post journals: the only writer of the books, whole sets at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.infra.db import run
from earlybird.kernel.ctx import Ctx


def post_many(session: Session, ctx: Ctx, source: str, facts: Mapping[str, Any] | None = None) -> int:
    """Post every journal that the rows of `source` describe; return how many postings were made.

    `source` is a statement of ours (or the name of a temporary table) with one row per posting:
    journal_id, business_id, kind, posted_on, memo, reverses_id, account, customer_id, user_id, amount_minor
    (debit positive), currency. The rows of a journal sum to zero in each currency, or the database refuses
    them all. Rows of zero are left out, and so is a journal of nothing else. It is read twice: ids come with
    it, and it may name :made_at.
    """
    bound = {"made_at": ctx.now, **(facts or {})}
    run(
        session,
        f"""
        INSERT INTO journals (id, business_id, kind, posted_on, made_at, memo, reverses_id)
        SELECT DISTINCT journal_id, business_id, kind, posted_on, CAST(:made_at AS timestamptz), memo,
               CAST(reverses_id AS uuid)
        FROM ({_select(source)}) AS s WHERE amount_minor <> 0
        """,
        bound,
    )
    return run(
        session,
        f"""
        INSERT INTO postings (journal_id, account, customer_id, user_id, amount_minor, currency, posted_on)
        SELECT journal_id, account, customer_id, CAST(user_id AS uuid), amount_minor, currency, posted_on
        FROM ({_select(source)}) AS s WHERE amount_minor <> 0 ORDER BY journal_id
        """,
        bound,
    )


def reverse_many(
    session: Session, ctx: Ctx, journal_ids: Sequence[UUID], *, kind: str, posted_on: date, memo: str
) -> int:
    """Post the mirror of each journal, once: one that has its mirror already is passed over; return how many."""
    return run(
        session,
        """
        WITH mirrors AS (
            INSERT INTO journals (id, business_id, kind, posted_on, made_at, memo, reverses_id)
            SELECT new_id(), j.business_id, :kind, :posted_on, :made_at, :memo, j.id FROM journals j
            WHERE j.id = ANY(:ids) AND NOT EXISTS (SELECT FROM journals m WHERE m.reverses_id = j.id)
            RETURNING id, reverses_id
        ), mirrored AS (
            INSERT INTO postings (journal_id, account, customer_id, user_id, amount_minor, currency, posted_on)
            SELECT m.id, p.account, p.customer_id, p.user_id, -p.amount_minor, p.currency, :posted_on
            FROM mirrors m JOIN postings p ON p.journal_id = m.reverses_id
        )
        SELECT id FROM mirrors
        """,
        {"ids": list(journal_ids), "kind": kind, "posted_on": posted_on, "made_at": ctx.now, "memo": memo},
    )


def _select(source: str) -> str:
    return source if " " in source.strip() else f"SELECT * FROM {source}"
