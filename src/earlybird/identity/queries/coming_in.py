"""Who is behind a token, and what they may do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.identity import rules
from earlybird.identity.errors import BadPhone, NoSuchUser
from earlybird.identity.rules import fingerprint
from earlybird.infra.db import rows, value

SIGNED_IN = """
SELECT u.id, u.name, u.customer_id, s.id AS session_id, s.kind, s.token_hash AS mark,
       u.must_change_password AND s.method = 'password' AS must_change_password,
       bool_or(m.role = 'admin') AND s.method <> 'script'
           AND EXISTS (SELECT FROM policies WHERE name = 'admins_need_second_factor' AND value = CAST('true' AS jsonb))
           AND NOT EXISTS (SELECT FROM second_factors f WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL)
           AS must_add_factor,
       jsonb_agg(jsonb_build_object('role', m.role, 'scope', g.scope, 'site_id', m.site_id,
                                    'customer_id', m.customer_id) ORDER BY m.role, m.id) AS roles
FROM sessions s
JOIN users u ON u.id = s.user_id AND u.state <> 'disabled' AND u.archived_at IS NULL
JOIN memberships m ON m.user_id = u.id AND (m.ended_at IS NULL OR m.ended_at > :now)
LEFT JOIN grants g ON g.role = m.role AND g.action = :action
WHERE (s.id = ANY(CAST(:session_ids AS uuid[])) AND s.kind <> 'browser'
       OR s.token_hash = ANY(:cookies) AND s.kind = 'browser') AND s.revoked_at IS NULL AND s.expires_at > :now
GROUP BY u.id, s.id"""

BY_KEY = """
SELECT k.id, k.name, k.customer_id, false AS must_change_password, false AS must_add_factor,
       CAST(NULL AS uuid) AS session_id, 'key' AS kind, k.key_hash AS mark,
       jsonb_build_array(jsonb_build_object('role', k.role, 'scope', g.scope, 'site_id', k.site_id,
                                            'customer_id', k.customer_id)) AS roles
FROM api_keys k LEFT JOIN grants g ON g.role = k.role AND g.action = :action AND k.actions @> ARRAY[:action]
WHERE k.key_hash = ANY(:keys) AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > :now)"""


class Credential(NamedTuple):
    """What somebody comes with: the token of a `cookie`, a `key`, or the `session` an access token names."""

    kind: Literal["cookie", "key", "session"]
    token: str
    user_id: UUID | None = None


def find_behind(
    session: Session, credentials: Sequence[Credential], action: str, now: datetime
) -> list[dict[str, Any] | None]:
    """Return who is behind each credential, if it is good at this moment, with the roles they hold now; else None.

    Keys: id, name, customer_id, must_change_password, must_add_factor, session_id, kind, mark, roles (role, site_id,
    customer_id, and the scope in which that role may do `action`, null where it may not). Many are found in one
    statement for sessions and one for keys.
    """
    sessions = [c.token for c in credentials if c.kind == "session"]
    cookies = [fingerprint(c.token) for c in credentials if c.kind == "cookie"]
    keys = [fingerprint(c.token) for c in credentials if c.kind == "key"]
    facts = {"action": action, "now": now}
    found: dict[tuple[str, Any], dict[str, Any]] = {}
    if sessions or cookies:
        for row in rows(session, SIGNED_IN, {**facts, "session_ids": sessions, "cookies": cookies}):
            by_cookie = row["kind"] == "browser"
            found[("cookie", row["mark"]) if by_cookie else ("session", str(row["session_id"]))] = row
    if keys:
        found.update((("key", row["mark"]), row) for row in rows(session, BY_KEY, {**facts, "keys": keys}))
    each = []
    for kind, token, user_id in credentials:
        who = found.get((kind, token if kind == "session" else fingerprint(token)))
        each.append(who if who is not None and (user_id is None or who["id"] == user_id) else None)
    return each


def may(session: Session, role: str) -> frozenset[str]:
    """Return the actions a role may do at this moment."""
    return frozenset(
        row["action"] for row in rows(session, "SELECT action FROM grants WHERE role = :role", {"role": role})
    )


def _one(session: Session, sql: str, facts: dict[str, Any]) -> dict[str, Any] | None:
    found = rows(session, sql, facts)
    return found[0] if found else None


def find_user(session: Session, email: str) -> UUID | None:
    """Return the id of the user with that e-mail address, or None."""
    found: UUID | None = value(session, "SELECT id FROM users WHERE email = :email", {"email": email})
    return found


def find_owner(session: Session) -> dict[str, Any] | None:
    """Return the first admin (id, email), or None where nobody is yet."""
    found = rows(
        session,
        "SELECT u.id, u.email FROM users u JOIN memberships m ON m.user_id = u.id "
        "WHERE m.role = 'admin' AND m.ended_at IS NULL AND u.archived_at IS NULL ORDER BY m.created_at, m.id LIMIT 1",
    )
    return found[0] if found else None


def find_login(session: Session, email: str) -> dict[str, Any] | None:
    """Return id and password_hash of the user with that e-mail address, or None."""
    return _one(session, "SELECT id, password_hash FROM users WHERE email = :email", {"email": email})


def region(session: Session) -> str:
    """Return the country whose phone numbers come without a country code: that of the first business."""
    found = value(session, "SELECT country FROM businesses ORDER BY created_at, id LIMIT 1")
    return str(found or "IN")


def full_number(session: Session, phone: str) -> str:
    """Return a phone number in full, as +919876543210; what is no number is returned as it is: nobody has it."""
    try:
        return rules.number(phone, region(session))
    except BadPhone:
        return phone.strip()


def people_by_phone(session: Session, number: str) -> list[dict[str, Any]]:
    """Return the logins that share a phone number given in full (id, name, password_hash), oldest first."""
    home = region(session)
    found = rows(
        session,
        "SELECT id, name, phone, password_hash FROM users WHERE right(regexp_replace(phone, '[^0-9]', '', 'g'), 10) "
        "= :digits AND state <> 'disabled' AND archived_at IS NULL ORDER BY created_at, id",
        {"digits": rules.digits(number)},
    )
    return [person for person in found if _is_number(person["phone"], home, number)]


def _is_number(kept: str, home: str, number: str) -> bool:
    try:
        return rules.number(kept, home) == number
    except BadPhone:
        return False


def code_is_open(session: Session, number: str, now: datetime) -> bool:
    """Return whether a code for that phone may still be tried."""
    found = value(
        session,
        "SELECT EXISTS (SELECT FROM one_time_codes WHERE phone = :phone AND used_at IS NULL AND expires_at > :now "
        "AND tries < :tries)",
        {"phone": number, "now": now, "tries": rules.CODE_TRIES},
    )
    return bool(found)


def link_purpose(session: Session, token: str, now: datetime) -> str | None:
    """Return what a link that is still open is for, or None."""
    found: str | None = value(
        session,
        "SELECT purpose FROM sign_in_links WHERE token_hash = :token AND used_at IS NULL AND expires_at > :now",
        {"token": fingerprint(token), "now": now},
    )
    return found


def known_about(session: Session, user_id: UUID) -> list[str | None]:
    """Return what anybody may know of a user: no password is made of it."""
    found = rows(
        session,
        "SELECT u.name, u.email, u.phone, (SELECT string_agg(b.name, ' ') FROM businesses b) AS business "
        "FROM users u WHERE u.id = :id",
        {"id": user_id},
    )
    return list(found[0].values()) if found else []


def sign_in_name(session: Session, user_id: UUID) -> str:
    """Return what a user signs in with."""
    found = value(session, "SELECT coalesce(email, phone, name) FROM users WHERE id = :id", {"id": user_id})
    return str(found)


def password_facts(session: Session, user_id: UUID, session_id: UUID | None) -> dict[str, Any] | None:
    """Return password_hash, and how (method) and when (created_at) the session that asks was opened."""
    return _one(
        session,
        "SELECT u.password_hash, s.method, s.created_at FROM users u JOIN sessions s ON s.user_id = u.id "
        "WHERE u.id = :id AND s.id = :session_id",
        {"id": user_id, "session_id": session_id},
    )


def who_is(session: Session, user: str) -> UUID:
    """Return the id of the user with that e-mail address or id."""
    found: UUID | None = value(
        session,
        "SELECT id FROM users WHERE (email = lower(:user) OR id::text = lower(:user)) AND archived_at IS NULL",
        {"user": user.strip()},
    )
    if found is None:
        raise NoSuchUser(field="user")
    return found


RANKS = ["admin", "support", "warehouse", "merchant", "driver", "marketing", "supplier", "customer"]
"""Which of several roles a token names."""


def claims(session: Session, user_id: UUID, now: datetime) -> dict[str, Any] | None:
    """Return what the answer to a sign-in says of a user: id, name, email, role, roles, customer_id.

    None where they hold no role. `role` is the one that reaches furthest.
    """
    return _one(
        session,
        """
        SELECT u.id, u.name, u.email, u.customer_id, u.must_change_password,
               (array_agg(m.role ORDER BY array_position(CAST(:ranks AS text[]), m.role)))[1] AS role,
               array_agg(DISTINCT m.role) AS roles
        FROM users u JOIN memberships m ON m.user_id = u.id AND (m.ended_at IS NULL OR m.ended_at > :now)
        WHERE u.id = :id AND u.state <> 'disabled' AND u.archived_at IS NULL GROUP BY u.id
        """,
        {"id": user_id, "now": now, "ranks": RANKS},
    )


def spent_refresh(session: Session, token: str) -> dict[str, Any] | None:
    """Return the session of a refresh token that was used before, or None."""
    return _one(
        session,
        "SELECT session_id FROM refresh_tokens WHERE token_hash = :token AND used_at IS NOT NULL",
        {"token": fingerprint(token)},
    )


def living_sessions(session: Session, user_id: UUID, now: datetime) -> list[UUID]:
    """Return the ids of a user's sessions that are not over."""
    found = rows(
        session,
        "SELECT id FROM sessions WHERE user_id = :user_id AND revoked_at IS NULL AND expires_at > :now",
        {"user_id": user_id, "now": now},
    )
    return [row["id"] for row in found]


def own_sessions(session: Session, user_id: UUID, current: UUID | None, now: datetime) -> list[dict[str, Any]]:
    """Return a user's sessions that are not over, newest first."""
    return rows(
        session,
        "SELECT id, kind, method, created_at, expires_at, address, device, "
        "id IS NOT DISTINCT FROM CAST(:current AS uuid) AS is_current FROM sessions "
        "WHERE user_id = :user_id AND revoked_at IS NULL AND expires_at > :now ORDER BY id DESC LIMIT 200",
        {"user_id": user_id, "current": current, "now": now},
    )


def session_of_cookie(session: Session, cookie: str) -> UUID | None:
    """Return the id of the session behind a cookie, or None."""
    found: UUID | None = value(
        session,
        "SELECT id FROM sessions WHERE token_hash = :cookie AND kind = 'browser'",
        {"cookie": fingerprint(cookie)},
    )
    return found


KNOWN_FOR = timedelta(days=90)
"""How long an address is remembered as one that somebody signs in from."""


def sign_in_addresses(session: Session, user_id: UUID | None, now: datetime) -> list[str | None]:
    """Return the addresses a user signed in from lately."""
    found = rows(
        session,
        "SELECT DISTINCT address FROM sessions WHERE user_id = CAST(:user_id AS uuid) AND created_at > :since",
        {"user_id": user_id, "since": now - KNOWN_FOR},
    )
    return [row["address"] for row in found]


def refusals(session: Session, since: datetime) -> dict[str, int]:
    """Return how many sign-ins were refused of late (refused), of how many logins, from how many addresses."""
    found = rows(
        session,
        """
        SELECT coalesce(sum(failures) FILTER (WHERE kind = 'account'), 0)::int AS refused,
               count(*) FILTER (WHERE kind = 'account')::int AS logins,
               count(*) FILTER (WHERE kind = 'address')::int AS places
        FROM sign_in_throttles WHERE kind IN ('account', 'address') AND last_at > :since AND failures > 0
        """,
        {"since": since},
    )
    return dict(found[0])
