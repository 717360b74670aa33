"""Tell customers what happened: by the way they prefer, in their language, outside of their quiet hours, once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.customers import queries
from earlybird.infra.security import Keys
from earlybird.kernel.ctx import Ctx
from earlybird.notifications import queries as messages
from earlybird.notifications import rules, service
from earlybird.notifications.errors import NeverAgain, NoWay
from earlybird.notifications.states import Channel, MessageKind
from earlybird.territory import queries as territory

CHUNK = 2000
"""How many facts are told in one transaction."""


@dataclass(frozen=True, slots=True)
class Tiding:
    """Something a customer is to know: what kind of fact (`about` names it and its revision), since when it is one."""

    kind: MessageKind
    customer_id: UUID
    subject_id: UUID
    revision: str
    happened_at: datetime
    facts: Mapping[str, object]

    @property
    def about(self) -> str:
        """What is told once."""
        return f"{self.kind}:{self.subject_id}:{self.revision}"


def tell(session: Session, ctx: Ctx, keys: Keys, channels: Collection[str], tidings: Sequence[Tiding]) -> int:
    """Write a message for each tiding whose customer wants it and can be reached; return how many were new.

    In quiet hours it waits for their end, unless the customer wants to be told at once. What would be told too late
    to be of use is not told, and without a gateway (`channels`) nothing is.
    """
    rule = territory.policy_values(session, "tell_customers", "quiet_from_hour", "quiet_until_hour")
    if not (tidings and channels and rule["tell_customers"]):
        return 0
    known = queries.recipients(session, sorted({tiding.customer_id for tiding in tidings}))
    found = [
        _letter(ctx, tiding, known[tiding.customer_id], channels, rule)
        for tiding in tidings
        if tiding.customer_id in known
    ]
    return len(service.tell_many(session, ctx, keys, [letter for letter in found if letter is not None]))


def _letter(
    ctx: Ctx, tiding: Tiding, customer: Mapping[str, Any], channels: Collection[str], rule: Mapping[str, Any]
) -> service.Letter | None:
    way = rules.way(_addresses(customer), channels, customer["channel"])
    is_silent, opted_out = customer["is_silent"], customer["opted_out"]
    if way is None or not rules.is_wanted(tiding.kind, is_silent=is_silent, opted_out=opted_out):
        return None
    expires_at = tiding.happened_at + rules.LIFE[tiding.kind]
    not_before = ctx.now
    if not customer["is_at_once"]:
        quiet = {"quiet_from": rule["quiet_from_hour"], "quiet_until": rule["quiet_until_hour"]}
        not_before = rules.not_before(ctx.now, customer["zone"], **quiet)
    if not_before >= expires_at:
        return None
    return service.Letter(
        tiding.kind,
        *way,
        facts={"business": customer["business"], **tiding.facts},
        language=customer["language"],
        customer_id=tiding.customer_id,
        expires_at=expires_at,
        about=tiding.about,
        subject_id=tiding.subject_id,
        not_before=not_before,
    )


def resend(session: Session, ctx: Ctx, keys: Keys, message_id: UUID, *, reason: str | None = None) -> dict[str, Any]:
    """Send a message to a customer again, at once, to where they are reached today; return it as it stands now."""
    message = messages.show(session, message_id)
    customer = queries.recipients(session, [message["customer_id"]]) if message["customer_id"] else {}
    if message["facts"] is None:
        raise NeverAgain(kind=message["kind"])
    if not customer:
        raise NoWay
    reached = customer[message["customer_id"]]
    way = rules.way(_addresses(reached), tuple(Channel), reached["channel"] or message["channel"])
    if way is None:
        raise NoWay
    service.resend(
        session, ctx, keys, message_id, channel=way[0], address=way[1], language=reached["language"], reason=reason
    )
    return messages.show(session, message_id)


def prefer(
    session: Session,
    ctx: Ctx,
    customer_id: UUID,
    *,
    channel: Channel | None = None,
    is_silent: bool = False,
    is_at_once: bool = False,
    opted_out: Collection[MessageKind] = (),
) -> None:
    """Keep how a customer whom the actor reaches wants to be told."""
    row = queries.get_for_update(session, ctx, customer_id)
    service.prefer(
        session, ctx, row.id, channel=channel, is_silent=is_silent, is_at_once=is_at_once, opted_out=opted_out
    )


def _addresses(customer: Mapping[str, Any]) -> dict[Channel, str | None]:
    return {Channel.email: customer["email"], Channel.sms: customer["phone"], Channel.whatsapp: customer["phone"]}
