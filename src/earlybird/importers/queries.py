"""What of a take-over waits for a person: the one place that says so, for the work list and the steps."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from earlybird.infra.db import rows

UNDECIDED = "NOT EXISTS (SELECT FROM worklist_choices w WHERE w.subject_id = {key} AND w.undone_at IS NULL)"
"""Nobody has decided about the row that `key` names."""

WAITS = "t.verdict IN ('ambiguous', 'contradictory')"
"""The evidence about a legacy delivery, or an account, does not say whose it is."""

DELIVERIES = f"""
SELECT t.id, t.candidates,
       format('%s delivery of %s', t.verdict, coalesce(t.service_on::text, 'an unknown day')) AS what
FROM legacy_deliveries t WHERE {WAITS} AND {UNDECIDED.format(key="t.id")} ORDER BY t.id
"""

LOGINS = f"""
SELECT t.user_id AS id, format('%s login of %s', t.verdict, u.name) AS what, t.candidates
FROM legacy_accounts t JOIN users u ON u.id = t.user_id
WHERE {WAITS} AND {UNDECIDED.format(key="t.user_id")} ORDER BY t.user_id
"""


def waiting_deliveries(session: Session) -> list[dict[str, Any]]:
    """Return the legacy deliveries that may belong to several orders, or contradict theirs, with the candidates."""
    return rows(session, DELIVERIES)


def waiting_logins(session: Session) -> list[dict[str, Any]]:
    """Return the accounts that may be of several customers, with the candidates."""
    return rows(session, LOGINS)
