"""Refused tries are counted before a password is looked at, and strangers wait longer than those who are known.

Four counters, each with an allowance (`rules.ALLOWANCES`): one login from a place it signed in from before; else one
login from one strange place, one login from all strange places together, and one address whatever the login.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.audit.states import Severity
from earlybird.identity import queries, rules
from earlybird.identity.errors import TooManyTries
from earlybird.identity.states import ThrottleKind
from earlybird.infra.db import rows, run
from earlybird.infra.security import Keys
from earlybird.kernel.ctx import Ctx

PURPOSE = "sign-in throttle"
DEVICE = "known device"
CHECK = "refused_sign_ins"
TELLING = frozenset({ThrottleKind.account, ThrottleKind.address})
"""The counters that make us look whether it is a storm."""


@dataclass(frozen=True, slots=True)
class Counter:
    """One thing whose refusals are counted."""

    kind: ThrottleKind
    key: str


def device_mark(keys: Keys, user_id: UUID) -> str:
    """Return what a browser keeps to be known again as one that this user signed in with."""
    nonce = secrets.token_urlsafe(12)
    return f"{nonce}.{keys.mac(DEVICE, f'{user_id} {nonce}')}"


def known_by(session: Session, ctx: Ctx, keys: Keys, user_id: UUID | None, mark: str | None) -> str | None:
    """Return the device or address this user signed in with before, None where both are strange."""
    places = {rules.network(place) for place in queries.sign_in_addresses(session, user_id, ctx.now)}
    nonce, _, print_ = (mark or "").partition(".")
    if hmac.compare_digest(print_.encode(), keys.mac(DEVICE, f"{user_id} {nonce}").encode()):
        return mark
    place = rules.network(ctx.address)
    return place if place in places else None


def counters(
    session: Session, ctx: Ctx, keys: Keys, name: str, user_id: UUID | None, mark: str | None
) -> list[Counter]:
    """Return what to count for a try on a login, known or not; `name` is what was given for it."""
    who = str(user_id or name)
    known = known_by(session, ctx, keys, user_id, mark)
    if known is not None:
        return [_counter(keys, ThrottleKind.known, f"{who} {known}")]
    place = rules.network(ctx.address)
    return [
        _counter(keys, ThrottleKind.place, f"{who} {place}"),
        _counter(keys, ThrottleKind.account, who),
        _counter(keys, ThrottleKind.address, place),
    ]


def sending(ctx: Ctx, keys: Keys, name: str) -> list[Counter]:
    """Return what to count for a message that anybody may ask for: whom it goes to, and from where it is asked."""
    return [
        _counter(keys, ThrottleKind.sending, name),
        _counter(keys, ThrottleKind.address, rules.network(ctx.address)),
    ]


def of_link(ctx: Ctx, keys: Keys, link_id: UUID) -> Counter:
    """Return what to count for a try of a shared link's PIN: that link, from one place."""
    return _counter(keys, ThrottleKind.link, f"{link_id} {rules.network(ctx.address)}")


def _counter(keys: Keys, kind: ThrottleKind, text: str) -> Counter:
    return Counter(kind, keys.mac(PURPOSE, f"{kind} {text}"))


def count(session: Session, ctx: Ctx, wanted: list[Counter]) -> None:
    """Count one try on each counter, as if it were refused already; refuse it where one of them still waits.

    Two tries at once wait for each other here, so that a hundred at once are counted as a hundred. A try that is
    refused for waiting is not counted: hammering makes nobody wait longer.
    """
    keys_ = sorted(counter.key for counter in wanted)
    kinds = {counter.key: counter.kind for counter in wanted}
    run(
        session,
        "INSERT INTO sign_in_throttles (key, kind, since_at, last_at) SELECT k, d, :now, :now "
        "FROM unnest(CAST(:keys AS text[]), CAST(:kinds AS text[])) AS w (k, d) ORDER BY k "
        "ON CONFLICT (key) DO NOTHING",
        {"keys": keys_, "kinds": [str(kinds[key]) for key in keys_], "now": ctx.now},
    )
    found = rows(
        session,
        "SELECT key, failures, since_at, blocked_until FROM sign_in_throttles WHERE key = ANY(:keys) "
        "ORDER BY key FOR UPDATE",
        {"keys": keys_},
    )
    left = rules.blocked([row["blocked_until"] for row in found], ctx.now)
    if left:
        raise TooManyTries(retry_after=left)
    counted = []
    for row in found:
        kind = kinds[row["key"]]
        allowance = rules.ALLOWANCES[kind]
        is_over = row["since_at"] < ctx.now - allowance.window
        failures = 1 if is_over else row["failures"] + 1
        pause = allowance.wait(failures)
        counted.append((row["key"], failures, ctx.now if is_over else row["since_at"], pause and ctx.now + pause))
    run(
        session,
        "UPDATE sign_in_throttles t SET failures = w.failures, since_at = w.since, blocked_until = w.until, "
        "last_at = :now FROM unnest(CAST(:keys AS text[]), CAST(:counts AS int[]), CAST(:starts AS timestamptz[]), "
        "CAST(:waits AS timestamptz[])) AS w (key, failures, since, until) WHERE t.key = w.key",
        dict(zip(("keys", "counts", "starts", "waits"), map(list, zip(*counted, strict=True)), strict=True))
        | {"now": ctx.now},
    )
    if any(failures % rules.ALLOWANCES[kinds[key]].free == 0 for key, failures, *_ in counted if kinds[key] in TELLING):
        report_storm(session, ctx)


def forgive(session: Session, ctx: Ctx, wanted: list[Counter]) -> None:
    """Take a try back that was right: its login starts anew, its address is charged one less.

    Rows are locked in the order in which they are counted, so that no two wait for each other.
    """
    facts = {"keys": [counter.key for counter in wanted], "now": ctx.now}
    run(session, "SELECT 1 FROM sign_in_throttles WHERE key = ANY(:keys) ORDER BY key FOR UPDATE", facts)
    run(
        session,
        "UPDATE sign_in_throttles SET failures = CASE kind WHEN 'address' THEN greatest(failures - 1, 0) ELSE 0 END, "
        "blocked_until = NULL, last_at = :now WHERE key = ANY(:keys)",
        facts,
    )


def report_storm(session: Session, ctx: Ctx) -> bool:
    """Keep a finding when many sign-ins were refused within the hour; return whether it is a storm."""
    found = queries.refusals(session, ctx.now - rules.STORM_WINDOW)
    if found["refused"] < rules.STORM:
        return False
    audit.report(
        session,
        ctx,
        CHECK,
        "sign-ins",
        f"{found['refused']} sign-ins were refused lately: {found['logins']} logins, {found['places']} addresses.",
        severity=Severity.warning,
        facts=found,
    )
    return True


def forget(session: Session, ctx: Ctx) -> int:
    """Drop the counters and codes nobody needs any more; return how many."""
    facts = {"until": ctx.now - rules.FORGOTTEN}
    gone = run(session, "DELETE FROM sign_in_throttles WHERE last_at < :until", facts)
    return gone + run(session, "DELETE FROM one_time_codes WHERE expires_at < :until", facts)
