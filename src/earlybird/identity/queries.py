"""Who is behind a token, and what they may do."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.identity.rules import fingerprint
from earlybird.infra.db import rows, value

SIGNED_IN = """
SELECT u.id, u.name, u.customer_id, u.must_change_password, s.id AS session_id, s.kind,
       jsonb_agg(jsonb_build_object('role', m.role, 'scope', g.scope, 'site_id', m.site_id,
                                    'customer_id', m.customer_id) ORDER BY m.role, m.id) AS roles
FROM sessions s
JOIN users u ON u.id = s.user_id AND u.state <> 'disabled' AND u.archived_at IS NULL
JOIN memberships m ON m.user_id = u.id AND (m.ended_at IS NULL OR m.ended_at > :now)
LEFT JOIN grants g ON g.role = m.role AND g.action = :action
WHERE {which} AND s.revoked_at IS NULL AND s.expires_at > :now
GROUP BY u.id, s.id"""
BY_COOKIE = SIGNED_IN.format(which="s.token_hash = :cookie AND s.kind = 'browser'")
BY_ID = SIGNED_IN.format(which="s.id = :session_id AND s.user_id = :user_id AND s.kind <> 'browser'")

BY_KEY = """
SELECT k.id, k.name, k.customer_id, false AS must_change_password, CAST(NULL AS uuid) AS session_id, 'key' AS kind,
       jsonb_build_array(jsonb_build_object('role', k.role, 'scope', g.scope, 'site_id', k.site_id,
                                            'customer_id', k.customer_id)) AS roles
FROM api_keys k LEFT JOIN grants g ON g.role = k.role AND g.action = :action AND k.actions @> ARRAY[:action]
WHERE k.key_hash = :key AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > :now)"""


def find_by_cookie(session: Session, cookie: str, action: str, now: datetime) -> dict[str, Any] | None:
    """Return who is behind a browser's living session, with the roles they hold now, or None.

    Keys: id, name, customer_id, must_change_password, session_id, kind, roles (role, site_id, customer_id, and the
    scope in which that role may do `action`, null where it may not).
    """
    return _one(session, BY_COOKIE, {"cookie": fingerprint(cookie), "action": action, "now": now})


def find_by_session(
    session: Session, session_id: UUID, user_id: UUID, action: str, now: datetime
) -> dict[str, Any] | None:
    """Return who is behind the living session an access token names, or None; as `find_by_cookie`."""
    return _one(session, BY_ID, {"session_id": session_id, "user_id": user_id, "action": action, "now": now})


def find_by_key(session: Session, key: str, action: str, now: datetime) -> dict[str, Any] | None:
    """Return the machine whose key that is, or None; as `find_by_cookie`."""
    return _one(session, BY_KEY, {"key": fingerprint(key), "action": action, "now": now})


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
