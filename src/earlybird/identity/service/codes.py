"""One-time codes: six random digits to a phone, kept as a keyed fingerprint, good for five minutes and five tries."""

from __future__ import annotations

import hmac
import secrets
from datetime import timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.identity import queries, rules
from earlybird.identity.errors import ChooseLogin, CodeWrong, SecondFactorNeeded, SecondFactorWrong, SignInNeeded
from earlybird.identity.models import OneTimeCode, User
from earlybird.identity.service import second_factors, throttle
from earlybird.identity.states import Purpose
from earlybird.infra.db import rows, run
from earlybird.infra.security import Keys
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx
from earlybird.notifications import service as notifications
from earlybird.notifications.states import Channel, MessageKind

PURPOSE = "one-time code"


def request(session: Session, ctx: Ctx, keys: Keys, phone: str, *, purpose: Purpose) -> None:
    """Send a code to a phone. Whether anybody has that phone makes no difference to who asks.

    The newest code is the only one that is good. `TooManyTries` where one was sent a moment ago.
    """
    number = queries.full_number(session, phone)
    throttle.count(session, ctx, throttle.sending(ctx, keys, number))
    people = queries.people_by_phone(session, number)
    run(
        session,
        "UPDATE one_time_codes SET expires_at = :now WHERE phone = :phone AND used_at IS NULL AND expires_at > :now",
        {"now": ctx.now, "phone": number},
    )
    key, code = ids.new_id(), f"{secrets.randbelow(10**rules.CODE_DIGITS):0{rules.CODE_DIGITS}d}"
    until = ctx.now + timedelta(minutes=rules.CODE_MINUTES)
    session.add(
        OneTimeCode(
            id=key,
            phone=number,
            purpose=purpose,
            code_mac=keys.mac(PURPOSE, f"{key} {code}"),
            requested_at=ctx.now,
            expires_at=until,
        )
    )
    if people:
        notifications.tell(
            session,
            ctx,
            keys,
            kind=MessageKind.one_time_code,
            channel=Channel.sms,
            address=number,
            facts={"code": code, "minutes": rules.CODE_MINUTES},
            user_id=people[0]["id"] if len(people) == 1 else None,
            expires_at=until,
        )


def spend(
    session: Session,
    ctx: Ctx,
    keys: Keys,
    phone: str,
    code: str,
    *,
    purpose: Purpose,
    user_id: UUID | None = None,
    otp: str | None = None,
) -> User | SignInNeeded:
    """Spend a code and return its user, locked. A wrong one is returned as the failure the door commits: it counts.

    To sign in, the second factor is asked for where there is one; a wrong one counts as a wrong code.
    `ChooseLogin` lists the logins that share the phone; the code stays good for the one that is chosen.
    """
    number = queries.full_number(session, phone)
    tried = rows(
        session,
        "UPDATE one_time_codes SET tries = tries + 1 WHERE id = (SELECT id FROM one_time_codes WHERE phone = :phone "
        "ORDER BY requested_at DESC, id DESC LIMIT 1) AND purpose = :purpose AND used_at IS NULL "
        "AND expires_at > :now AND tries < :tries RETURNING id, code_mac",
        {"phone": number, "purpose": purpose, "now": ctx.now, "tries": rules.CODE_TRIES},
    )
    given = keys.mac(PURPOSE, f"{tried[0]['id'] if tried else ''} {code}")
    people = queries.people_by_phone(session, number)
    if not tried or not hmac.compare_digest(given, tried[0]["code_mac"]) or not people:
        return CodeWrong()
    chosen = [person["id"] for person in people if user_id is None or person["id"] == user_id]
    if len(chosen) > 1:
        raise ChooseLogin(field="user_id", logins=[{"id": str(p["id"]), "name": p["name"]} for p in people])
    if not chosen:
        return CodeWrong()
    if purpose == Purpose.sign_in:
        try:
            second_factors.ask(session, ctx, keys, chosen[0], otp)
        except (SecondFactorNeeded, SecondFactorWrong) as failure:
            return failure
    run(session, "UPDATE one_time_codes SET used_at = :now WHERE id = :id", {"now": ctx.now, "id": tried[0]["id"]})
    throttle.forgive(session, ctx, throttle.sending(ctx, keys, number))
    user = session.get(User, chosen[0], with_for_update=True)
    return user if user is not None else CodeWrong()
