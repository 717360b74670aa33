"""Who is behind a token, and what they may do."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.identity.rules import fingerprint
from earlybird.infra.db import rows, value


def find_session(session: Session, token: str, now: datetime) -> dict[str, Any] | None:
    """Return the user of a living session with the roles they hold now, or None."""
    found = rows(
        session,
        """
        SELECT u.id, u.name, u.customer_id, array_agg(DISTINCT m.role) AS roles, min(m.site_id::text)::uuid AS site_id
        FROM sessions s
        JOIN users u ON u.id = s.user_id AND u.state <> 'disabled' AND u.archived_at IS NULL
        JOIN memberships m ON m.user_id = u.id AND (m.ended_at IS NULL OR m.ended_at > :now)
        WHERE s.token_hash = :token AND s.revoked_at IS NULL AND s.expires_at > :now
        GROUP BY u.id
        """,
        {"token": fingerprint(token), "now": now},
    )
    return found[0] if found else None


def find_grant(session: Session, roles: list[str], action: str) -> dict[str, Any] | None:
    """Return the widest grant of `action` among `roles` (role, scope), or None."""
    found = rows(
        session,
        "SELECT role, scope FROM grants WHERE action = :action AND role = ANY(:roles) "
        "ORDER BY array_position(ARRAY['all', 'site', 'own'], scope), role LIMIT 1",
        {"action": action, "roles": roles},
    )
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
