"""Invitations in waves: a link and a message for each login nobody has written to yet, in one commit per wave."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.identity import queries, rules
from earlybird.identity.errors import BadPhone, NotInvitable
from earlybird.identity.service.people import get_for_update
from earlybird.identity.states import MACHINE, Purpose
from earlybird.infra.db import run
from earlybird.infra.security import Keys
from earlybird.kernel.ctx import Ctx
from earlybird.notifications import service as notifications
from earlybird.notifications.service import Letter
from earlybird.notifications.states import Channel, MessageKind

WAVE = 200
"""How many are invited in one transaction."""

LINKS = """
INSERT INTO sign_in_links (user_id, token_hash, expires_at, purpose)
SELECT t.user_id, t.token_hash, :until, :purpose
FROM unnest(CAST(:users AS uuid[]), CAST(:hashes AS text[])) AS t (user_id, token_hash)
"""

SPENT = """
UPDATE sign_in_links SET expires_at = :now
WHERE user_id = ANY(CAST(:users AS uuid[])) AND purpose = :purpose AND used_at IS NULL AND expires_at > :now
"""


@dataclass(frozen=True, slots=True)
class Wave:
    """How many were invited by each channel, and after whom the next wave begins: nobody at the end."""

    sent: dict[str, int]
    last: UUID | None


def invite(session: Session, ctx: Ctx, keys: Keys, *, after: UUID | None, limit: int, site: str) -> Wave:
    """Invite the next logins that nobody has written to yet.

    Link, message and state are one commit: interrupted or run twice at once, nobody is invited twice. `site` is the
    start of the link, as https://milk.example.com. A number that cannot be dialled is passed over.
    """
    people = queries.uninvited(session, after=after, limit=min(limit, WAVE))
    return Wave(_send(session, ctx, keys, people, site=site), people[-1]["id"] if people else None)


def invite_one(session: Session, ctx: Ctx, keys: Keys, user_id: UUID, *, site: str) -> None:
    """Invite one login, again if need be; the link sent before opens nothing any more."""
    get_for_update(session, user_id)
    found = queries.invitable(session, user_id)
    if found is None or not _send(session, ctx, keys, [found], site=site):
        raise NotInvitable(field="user_id")


def _send(session: Session, ctx: Ctx, keys: Keys, people: Sequence[Mapping[str, Any]], *, site: str) -> dict[str, int]:
    region = queries.region(session)
    reached = [(person, to) for person in people if (to := _address(person, region)) is not None]
    if not reached:
        return {}
    until = ctx.now + timedelta(days=rules.INVITATION_DAYS)
    tokens = [secrets.token_urlsafe(32) for _ in reached]
    facts = {
        "users": [str(person["id"]) for person, _ in reached],
        "hashes": [rules.fingerprint(token) for token in tokens],
        "until": until,
        "purpose": str(Purpose.invitation),
        "now": ctx.now,
    }
    run(session, SPENT, facts)
    run(session, LINKS, facts)
    letters = [
        Letter(
            MessageKind.invitation,
            Channel(person["channel"]),
            to,
            {
                "name": person["name"],
                "business": person["business"],
                "link": f"{site}/sign-in/{token}",
                "until": until.date(),
            },
            person["language"],
            person["id"],
            person["customer_id"],
            until,
        )
        for (person, to), token in zip(reached, tokens, strict=True)
    ]
    notifications.tell_many(session, ctx, keys, letters)
    audit.move_many(session, ctx, "users", MACHINE, "invite", [person["id"] for person, _ in reached])
    return dict(Counter(person["channel"] for person, _ in reached))


def _address(person: Mapping[str, Any], region: str) -> str | None:
    """Return where a message reaches them; the old system kept no country with its numbers."""
    if person["channel"] == Channel.email:
        return str(person["email"])
    try:
        return rules.number(person["phone"], region)
    except BadPhone:
        return None
