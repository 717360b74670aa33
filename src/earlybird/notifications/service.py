"""Write messages, take those that are due, note what became of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from earlybird.audit import service as audit
from earlybird.infra.db import Session, rows, run
from earlybird.infra.queue import enqueue
from earlybird.infra.security import Keys, Unreadable
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx
from earlybird.notifications import queries, rules
from earlybird.notifications.errors import AlwaysTold, NeverAgain, StillWaits
from earlybird.notifications.models import Message
from earlybird.notifications.states import ACCOUNT, MACHINE, Channel, FactKind, MessageKind, MessageState

PURPOSE = "messages"
SEND = "notifications.send"
"""The job that sends."""

BATCH = 5
"""How many messages a sender takes at a time: few enough to be done within their lease."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What to say to whom. `facts` are what the kind's words need; after `expires_at` it is not sent any more.

    What tells of something that happened says in `about` of what, so that it is told once, and not before an instant.
    """

    kind: MessageKind
    channel: Channel
    address: str
    facts: Mapping[str, object] = field(repr=False)
    language: str = rules.FALLBACK
    user_id: UUID | None = None
    customer_id: UUID | None = None
    expires_at: datetime | None = None
    about: str | None = None
    subject_id: UUID | None = None
    not_before: datetime | None = None


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

    An address nobody reads gets none: its message is kept as suppressed, without its body. What was told already
    is not told again, and has no id among those returned. What is said about a login is kept nowhere.
    """
    if not letters:
        return []
    written: list[dict[str, Any]] = []
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
                "next_try_at": letter.not_before or ctx.now,
                "expires_at": letter.expires_at,
                "about": letter.about,
                "subject_id": letter.subject_id,
                "facts": None if letter.kind in ACCOUNT else {n: str(fact) for n, fact in letter.facts.items()},
            }
        )
    writing = insert(Message).on_conflict_do_nothing(index_elements=["about"], index_where=Message.about.is_not(None))
    new = {row.id for row in session.execute(writing.returning(Message.id), written)}
    written = [row for row in written if row["id"] in new]
    made = [UUID(str(row["id"])) for row in written]
    if len(written) == 1:
        after = {name: str(written[0][name]) for name in ("kind", "channel", "state")}
        audit.record(session, ctx, "notifications.tell", "message", made[0], after=after)
    else:
        audit.record_many(session, ctx, "notifications.tell", "message", made)
    if any(row["state"] == MACHINE.start and row["next_try_at"] <= ctx.now for row in written):
        enqueue(session, SEND)
    return made


def resend(
    session: Session,
    ctx: Ctx,
    keys: Keys,
    message_id: UUID,
    *,
    channel: Channel,
    address: str,
    language: str,
    reason: str | None = None,
) -> None:
    """Send a message again that was sent, failed or suppressed: the same facts, to the address given, at once.

    Refused for what concerns a login (`NeverAgain`): codes and links are not kept.
    """
    message = queries.get_for_update(session, message_id)
    kind = MessageKind(message.kind)
    if message.facts is None:
        raise NeverAgain(kind=message.kind)
    if message.state == MessageState.queued:
        raise StillWaits
    subject, body = rules.words(kind, language, message.facts)
    message.channel, message.address, message.language = channel, address, language
    message.subject, message.body = subject, keys.seal(PURPOSE, body.encode())
    message.tries, message.last_error, message.next_try_at = 0, None, ctx.now
    message.expires_at = ctx.now + rules.LIFE[kind]
    audit.move(session, ctx, message, MACHINE, "resend", reason=reason)
    session.flush()  # so that what reads next sees it waiting
    enqueue(session, SEND)


def prefer(
    session: Session,
    ctx: Ctx,
    customer_id: UUID,
    *,
    channel: Channel | None,
    is_silent: bool,
    is_at_once: bool,
    opted_out: Collection[MessageKind],
) -> None:
    """Keep how a customer wants to be told; refuse to leave out what everybody is told (`AlwaysTold`)."""
    for kind in opted_out:
        if kind not in rules.OPTIONAL:
            raise AlwaysTold(field="opted_out", kind=str(kind))
    before = queries.preferences(session, customer_id)
    after = {
        "channel": channel,
        "is_silent": is_silent,
        "is_at_once": is_at_once,
        "opted_out": sorted(set(map(str, opted_out))),
    }
    if after == before:
        return
    run(
        session,
        "INSERT INTO message_preferences (customer_id, channel, is_silent, is_at_once, opted_out, set_at) "
        "VALUES (:id, :channel, :is_silent, :is_at_once, :opted_out, :now) ON CONFLICT (customer_id) DO UPDATE SET "
        "channel = excluded.channel, is_silent = excluded.is_silent, is_at_once = excluded.is_at_once, "
        "opted_out = excluded.opted_out, set_at = excluded.set_at",
        after | {"id": customer_id, "now": ctx.now},
    )
    audit.record(session, ctx, "notifications.prefer", "customer", customer_id, before=before, after=after)


def pull(
    session: Session, kind: FactKind, *, limit: int, ready: str = "true", facts: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Take facts of one kind off the work list (transaction_no, subject_id), the oldest first; others' are left.

    `ready` is a condition over the fact `f` and the values of `facts`; what does not meet it waits. The caller tells
    them in the same transaction, so that a crash loses none and none is told twice.
    """
    return rows(
        session,
        f"""
        WITH next AS (
            SELECT f.kind, f.transaction_no, f.subject_id FROM message_facts f WHERE f.kind = :kind AND ({ready})
            ORDER BY f.transaction_no, f.subject_id LIMIT :limit FOR UPDATE SKIP LOCKED
        )
        DELETE FROM message_facts f USING next n
        WHERE f.kind = n.kind AND f.transaction_no = n.transaction_no AND f.subject_id = n.subject_id
        RETURNING f.transaction_no, f.subject_id
        """,
        {"kind": str(kind), "limit": limit, **(facts or {})},
    )


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
