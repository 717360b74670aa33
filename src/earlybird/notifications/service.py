"""Write messages, take those that are due, note what became of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert

from earlybird.audit import service as audit
from earlybird.infra.db import Session, run
from earlybird.infra.queue import enqueue
from earlybird.infra.security import Keys, Unreadable
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx
from earlybird.notifications import queries, rules
from earlybird.notifications.models import Message
from earlybird.notifications.states import MACHINE, Channel, MessageKind, MessageState

PURPOSE = "messages"
SEND = "notifications.send"
"""The job that sends."""

BATCH = 5
"""How many messages a sender takes at a time: few enough to be done within their lease."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What to say to whom. `facts` are what the kind's words need; after `expires_at` it is not sent any more."""

    kind: MessageKind
    channel: Channel
    address: str
    facts: Mapping[str, object] = field(repr=False)
    language: str = rules.FALLBACK
    user_id: UUID | None = None
    customer_id: UUID | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """A message a sender took: which try this is, and what to hand to the gateway."""

    id: UUID
    channel: str
    address: str
    subject: str
    body: str = field(repr=False)
    tries: int


def tell(
    session: Session,
    ctx: Ctx,
    keys: Keys,
    *,
    kind: MessageKind,
    channel: Channel,
    address: str,
    facts: Mapping[str, object],
    language: str = rules.FALLBACK,
    user_id: UUID | None = None,
    customer_id: UUID | None = None,
    expires_at: datetime | None = None,
) -> UUID:
    """Write one message, to be sent after this commit; return its id."""
    letter = Letter(kind, channel, address, facts, language, user_id, customer_id, expires_at)
    return tell_many(session, ctx, keys, [letter])[0]


def tell_many(session: Session, ctx: Ctx, keys: Keys, letters: Sequence[Letter]) -> list[UUID]:
    """Write many messages in one statement, to be sent after this commit; return their ids in order.

    An address nobody reads gets none: its message is kept as suppressed, without its body.
    """
    if not letters:
        return []
    written = []
    for letter in letters:
        subject, body = rules.words(letter.kind, letter.language, letter.facts)
        is_unread = rules.is_unread(letter.channel, letter.address)
        written.append(
            {
                "id": ids.new_id(),
                "kind": letter.kind,
                "channel": letter.channel,
                "address": letter.address.strip(),
                "language": letter.language,
                "user_id": letter.user_id,
                "customer_id": letter.customer_id,
                "subject": subject,
                "body": None if is_unread else keys.seal(PURPOSE, body.encode()),
                "state": MessageState.suppressed if is_unread else MACHINE.start,
                "state_at": ctx.now,
                "queued_at": ctx.now,
                "next_try_at": ctx.now,
                "expires_at": letter.expires_at,
            }
        )
    session.execute(insert(Message), written)
    made = [UUID(str(row["id"])) for row in written]
    if len(written) == 1:
        after = {name: str(written[0][name]) for name in ("kind", "channel", "state")}
        audit.record(session, ctx, "notifications.tell", "message", made[0], after=after)
    else:
        audit.record_many(session, ctx, "notifications.tell", "message", made)
    if any(row["state"] == MACHINE.start for row in written):
        enqueue(session, SEND)
    return made


def take(session: Session, ctx: Ctx, keys: Keys, channels: Collection[str]) -> list[Taken]:
    """Take a few messages that are due; whoever took them has a minute to send them and to note it.

    What is past its life is given up instead.
    """
    gone = audit.move_many(session, ctx, "messages", MACHINE, "fail", queries.expired(session, ctx.now))
    _close(session, gone, "It was not needed any more.")
    found = queries.due(session, ctx.now, channels, limit=BATCH)
    run(
        session,
        "UPDATE messages SET tries = tries + 1, next_try_at = :until WHERE id = ANY(:ids)",
        {"until": ctx.now + rules.LEASE, "ids": [row["id"] for row in found]},
    )
    taken, unreadable = [], []
    for row in found:
        try:
            body = keys.open(PURPOSE, bytes(row.pop("body"))).decode()
        except Unreadable:
            unreadable.append(row["id"])
        else:
            taken.append(Taken(body=body, **row | {"tries": row["tries"] + 1}))
    lost = audit.move_many(session, ctx, "messages", MACHINE, "fail", unreadable)
    _close(session, lost, "It was sealed with another secret key.")
    return taken


def note_sent(session: Session, ctx: Ctx, taken: Taken) -> None:
    """Note that the gateway has it, and wipe its body."""
    _close(session, audit.move_many(session, ctx, "messages", MACHINE, "send", [taken.id]), None)


def note_failed(session: Session, ctx: Ctx, taken: Taken, error: str) -> None:
    """Note why it was not sent and when it is tried again; after the last try it has failed, and its body goes."""
    pause = rules.wait(taken.tries)
    if pause is None:
        _close(session, audit.move_many(session, ctx, "messages", MACHINE, "fail", [taken.id]), error)
        return
    run(
        session,
        "UPDATE messages SET next_try_at = :at, last_error = :error "
        "WHERE id = :id AND state = 'queued' AND tries = :tries",
        {"at": ctx.now + pause, "error": error, "id": taken.id, "tries": taken.tries},
    )


def _close(session: Session, moved: Sequence[UUID], error: str | None) -> None:
    run(
        session,
        "UPDATE messages SET body = NULL, last_error = :error WHERE id = ANY(:ids)",
        {"error": error, "ids": list(moved)},
    )
