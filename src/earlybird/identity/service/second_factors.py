"""The second factor (TOTP, RFC 6238): set up, confirmed, asked for, removed."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from uuid import UUID

import pyotp
from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.identity import queries
from earlybird.identity.errors import (
    NoSecondFactor,
    SecondFactorNeeded,
    SecondFactorSet,
    SecondFactorWrong,
)
from earlybird.identity.models import SecondFactor
from earlybird.infra.db import rows, run
from earlybird.infra.security import Keys
from earlybird.kernel.ctx import Ctx

PURPOSE = "second factor"
RECOVERY = "recovery code"
STEP_SECONDS = 30
RECOVERY_CODES = 10
DRIFT = (0, -1, 1)
"""How many steps a phone's clock may be off."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator app is given, once."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


def enrol(session: Session, ctx: Ctx, keys: Keys, user_id: UUID) -> Enrolment:
    """Make a secret for an authenticator app; it counts from its first confirmed code on."""
    found = session.get(SecondFactor, user_id, with_for_update=True)
    if found is not None and found.confirmed_at is not None:
        raise SecondFactorSet
    secret = pyotp.random_base32()
    sealed = keys.seal(PURPOSE, secret.encode())
    run(
        session,
        "INSERT INTO second_factors (user_id, secret_sealed, created_at) VALUES (:user_id, :sealed, :now) "
        "ON CONFLICT (user_id) DO UPDATE SET secret_sealed = excluded.secret_sealed, created_at = excluded.created_at "
        "WHERE second_factors.confirmed_at IS NULL",
        {"user_id": user_id, "sealed": sealed, "now": ctx.now},
    )
    audit.record(session, ctx, "identity.enrol_second_factor", "user", user_id)
    name = queries.sign_in_name(session, user_id)
    return Enrolment(secret, pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name="Earlybird"))


def confirm(session: Session, ctx: Ctx, keys: Keys, user_id: UUID, code: str) -> list[str]:
    """Prove that the app has the secret; return the recovery codes, which are kept nowhere."""
    found = session.get(SecondFactor, user_id, with_for_update=True)
    if found is None:
        raise NoSecondFactor
    if found.confirmed_at is not None:
        raise SecondFactorSet
    step = _step(keys, found.secret_sealed, ctx, code)
    if step is None:
        raise SecondFactorWrong(field="code")
    found.confirmed_at, found.last_step = ctx.now, step
    codes = [secrets.token_hex(5) for _ in range(RECOVERY_CODES)]
    run(session, "DELETE FROM recovery_codes WHERE user_id = :user_id", {"user_id": user_id})
    run(
        session,
        "INSERT INTO recovery_codes (user_id, code_mac) SELECT :user_id, unnest(CAST(:macs AS text[]))",
        {"user_id": user_id, "macs": [_mac(keys, user_id, code) for code in codes]},
    )
    audit.record(session, ctx, "identity.confirm_second_factor", "user", user_id)
    return codes


def is_on(session: Session, user_id: UUID) -> bool:
    """Return whether a user's second factor is asked for."""
    found = session.get(SecondFactor, user_id)
    return found is not None and found.confirmed_at is not None


def ask(session: Session, ctx: Ctx, keys: Keys, user_id: UUID, code: str | None) -> None:
    """Hold a sign-in to the second factor where there is one: a code of now, unused, or a recovery code, once."""
    found = session.get(SecondFactor, user_id, with_for_update=True)
    if found is None or found.confirmed_at is None:
        return
    if not code:
        raise SecondFactorNeeded(field="otp")
    code = code.strip().replace(" ", "").lower()
    step = _step(keys, found.secret_sealed, ctx, code)
    if step is not None and step > found.last_step:
        found.last_step = step
        return
    used = rows(
        session,
        "UPDATE recovery_codes SET used_at = :now WHERE code_mac = :mac AND used_at IS NULL RETURNING id",
        {"now": ctx.now, "mac": _mac(keys, user_id, code)},
    )
    if not used:
        raise SecondFactorWrong(field="otp")
    audit.record(session, ctx, "identity.use_recovery_code", "user", user_id)


def remove(session: Session, ctx: Ctx, keys: Keys, user_id: UUID, code: str | None) -> None:
    """Take the second factor away, on proof of having it."""
    found = session.get(SecondFactor, user_id, with_for_update=True)
    if found is None:
        raise NoSecondFactor
    ask(session, ctx, keys, user_id, code)
    drop(session, ctx, user_id)


def drop(session: Session, ctx: Ctx, user_id: UUID, *, reason: str | None = None) -> None:
    """Take a second factor away without proof: for the owner, when somebody lost phone and recovery codes."""
    found = session.get(SecondFactor, user_id, with_for_update=True)
    if found is None:
        raise NoSecondFactor
    session.delete(found)
    run(session, "DELETE FROM recovery_codes WHERE user_id = :user_id", {"user_id": user_id})
    audit.record(session, ctx, "identity.remove_second_factor", "user", user_id, reason=reason)


def _mac(keys: Keys, user_id: UUID, code: str) -> str:
    return keys.mac(RECOVERY, f"{user_id} {code}")


def _step(keys: Keys, sealed: bytes, ctx: Ctx, code: str) -> int | None:
    """Return the step of time that a code belongs to, None for none near now."""
    totp = pyotp.TOTP(keys.open(PURPOSE, bytes(sealed)).decode())
    now = int(ctx.now.timestamp()) // STEP_SECONDS
    found = [
        now + drift for drift in DRIFT if hmac.compare_digest(totp.generate_otp(now + drift).encode(), code.encode())
    ]
    return max(found, default=None)
