"""Answers kept with their effects, so that a write sent again under one `Idempotency-Key` is answered, not repeated.

The row is written in the transaction of the effect itself: both are there or neither. A refused write had no
effect, so its key stays free. Whoever comes with the same key at the same moment waits for the first.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson
import psycopg.errors
from sqlalchemy import LargeBinary, SmallInteger, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Mapped, mapped_column

from earlybird.infra.db import Engine, Instant, Session, Table, rows, run, transaction
from earlybird.infra.schedule import Periodic
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Conflict, Failure, Invalid

KEPT_HOURS = 48
LONGEST = 255


class KeyMalformed(Invalid):
    """An Idempotency-Key has 1 to 255 visible ASCII characters."""


class KeyReused(Invalid):
    """That Idempotency-Key came with another request before; a new request needs a new key."""


class StillRunning(Conflict):
    """The first request with that Idempotency-Key is still running; ask again in a moment."""


class AnswerShownOnce(Conflict):
    """That request was carried out; its answer held a secret, which is shown once and never kept."""


class KeptAnswer(Table):
    """What was answered to a write, for whoever sends it again: kept two days."""

    __tablename__ = "kept_answers"

    caller: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    fingerprint: Mapped[str]
    made_at: Mapped[Instant] = mapped_column(index=True)
    status: Mapped[int | None] = mapped_column(SmallInteger)
    headers: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, the headers that matter and the bytes of an answer."""

    status: int
    headers: dict[str, str]
    body: bytes


def fingerprint(method: str, path: str, query: str, body: bytes) -> str:
    """Return what makes two requests the same: SHA-256 over method, path, query and body."""
    digest = hashlib.sha256()
    for part in (method.encode(), path.encode(), query.encode(), body):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def claim(session: Session, ctx: Ctx, caller: str, key: str, print_: str, *, wait_ms: int) -> Answer | None:
    """Claim a key; return None where the caller is the first, else the answer kept for it.

    While another request under the key runs, it is waited for, at most `wait_ms` milliseconds.
    """
    _check_key(key)
    run(session, f"SET LOCAL lock_timeout = {wait_ms}")
    facts = {"caller": caller, "key": key, "print": print_, "now": ctx.now}
    try:
        claimed = run(
            session,
            "INSERT INTO kept_answers (caller, key, fingerprint, made_at) VALUES (:caller, :key, :print, :now) "
            "ON CONFLICT (caller, key) DO NOTHING",
            facts,
        )
    except OperationalError as failure:
        if isinstance(failure.orig, psycopg.errors.LockNotAvailable):
            raise StillRunning(field="Idempotency-Key") from failure
        raise
    run(session, "SET LOCAL lock_timeout = 0")
    if claimed:
        return None
    return _again(rows(session, "SELECT * FROM kept_answers WHERE caller = :caller AND key = :key", facts)[0], print_)


class Claim(NamedTuple):
    """One request's key, the caller it belongs to and the request's fingerprint."""

    caller: str
    key: str
    print_: str


def claim_many(session: Session, ctx: Ctx, claims: Sequence[Claim]) -> list[Answer | Failure | None]:
    """Claim many different keys in one statement, as `claim` does each; what it would raise is in its place.

    Whoever else runs under one of them is waited for as the transaction's lock timeout allows.
    """
    found: list[Answer | Failure | None] = [None] * len(claims)
    wanted: dict[tuple[str, str], int] = {}
    for n, one in enumerate(claims):
        try:
            _check_key(one.key)
        except KeyMalformed as failure:
            found[n] = failure
        else:
            wanted[one.caller, one.key] = n
    callers, keys = [caller for caller, _ in wanted], [key for _, key in wanted]
    facts = {"callers": callers, "keys": keys, "prints": [claims[n].print_ for n in wanted.values()], "now": ctx.now}
    first = rows(
        session,
        "INSERT INTO kept_answers (caller, key, fingerprint, made_at) SELECT c, k, p, :now "
        f"FROM {_EACH_CLAIM.format(', CAST(:prints AS text[])', ', p')} ORDER BY c, k "
        "ON CONFLICT (caller, key) DO NOTHING RETURNING caller, key",
        facts,
    )
    if len(first) < len(wanted):
        taken = f"SELECT a.* FROM kept_answers a JOIN {_EACH_CLAIM.format('', '')} ON a.caller = c AND a.key = k"
        ours = {(row["caller"], row["key"]) for row in first}
        for row in rows(session, taken, {"callers": callers, "keys": keys}):
            name = row["caller"], row["key"]
            if name not in ours:
                try:
                    found[wanted[name]] = _again(row, claims[wanted[name]].print_)
                except Failure as failure:
                    found[wanted[name]] = failure
    return found


_EACH_CLAIM = "unnest(CAST(:callers AS text[]), CAST(:keys AS text[]){}) AS w(c, k{})"


def _check_key(key: str) -> None:
    if not (1 <= len(key) <= LONGEST and all("!" <= letter <= "~" for letter in key)):
        raise KeyMalformed(field="Idempotency-Key")


def _again(kept: Mapping[str, Any], print_: str) -> Answer:
    """Return the answer that is kept, to whoever sends the same request."""
    if kept["fingerprint"] != print_:
        raise KeyReused(field="Idempotency-Key")
    if kept["body"] is None:
        raise AnswerShownOnce(field="Idempotency-Key")
    return Answer(kept["status"], kept["headers"], bytes(kept["body"]))


def keep(session: Session, caller: str, key: str, answer: Answer, *, is_secret: bool) -> None:
    """Keep the answer beside its effect; one that holds a secret is not kept, only that it was given."""
    from psycopg.types.json import Jsonb

    run(
        session,
        "UPDATE kept_answers SET status = :status, headers = :headers, body = :body "
        "WHERE caller = :caller AND key = :key",
        {
            "status": answer.status,
            "headers": Jsonb(answer.headers),
            "body": None if is_secret else answer.body,
            "caller": caller,
            "key": key,
        },
    )


def keep_many(session: Session, answers: Sequence[tuple[Claim, Answer]]) -> None:
    """Keep many answers beside their effects, in one statement."""
    if answers:
        run(
            session,
            "UPDATE kept_answers a SET status = w.status, headers = w.headers, body = decode(w.body, 'base64') "
            "FROM json_to_recordset(CAST(:rows AS json)) AS w(caller text, key text, status smallint, headers jsonb, "
            "body text) WHERE a.caller = w.caller AND a.key = w.key",
            {
                "rows": orjson.dumps(
                    [
                        {
                            "caller": one.caller,
                            "key": one.key,
                            "status": answer.status,
                            "headers": answer.headers,
                            "body": b64encode(answer.body).decode(),
                        }
                        for one, answer in answers
                    ]
                ).decode()
            },
        )


def free(session: Session, claims: Sequence[Claim]) -> None:
    """Free the keys of requests that were refused in this transaction and had no effect."""
    if claims:
        run(
            session,
            f"DELETE FROM kept_answers a USING {_EACH_CLAIM.format('', '')} WHERE a.caller = c AND a.key = k",
            {"callers": [one.caller for one in claims], "keys": [one.key for one in claims]},
        )


def forget(engine: Engine, ctx: Ctx) -> int:
    """Drop the answers that are older than two days; return how many."""
    until: datetime = ctx.now - timedelta(hours=KEPT_HOURS)
    with transaction(engine) as session:
        return run(session, "DELETE FROM kept_answers WHERE made_at < :until", {"until": until})


HOURLY = Periodic("infra.forget_answers", "17 * * * *", forget)
