"""Logins, the roles they hold and where, keys of machines, and who waits for an invitation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.identity.errors import NoSuchKey, NoSuchUser, PlaceNotFitting
from earlybird.infra.db import rows, value
from earlybird.kernel.pages import Page, cut


def _one(session: Session, sql: str, facts: dict[str, Any]) -> dict[str, Any] | None:
    found = rows(session, sql, facts)
    return found[0] if found else None


def only_depot(session: Session) -> UUID | None:
    """Return the depot where there is one; None where there are several or none."""
    found = rows(session, "SELECT id FROM sites WHERE kind = 'depot' AND archived_at IS NULL LIMIT 2")
    return found[0]["id"] if len(found) == 1 else None


def is_site(session: Session, site_id: UUID) -> bool:
    """Say whether there is such a site, in use."""
    sql = "SELECT EXISTS (SELECT FROM sites WHERE id = :id AND archived_at IS NULL)"
    return bool(value(session, sql, {"id": site_id}))


def is_customer(session: Session, customer_id: UUID) -> bool:
    """Say whether there is such a customer, not merged into another."""
    sql = "SELECT EXISTS (SELECT FROM customers WHERE id = :id AND archived_at IS NULL)"
    return bool(value(session, sql, {"id": customer_id}))


def place_named(session: Session, table: str, name: str) -> UUID:
    """Return the site (by name) or customer (by code) that is called so, or has that id."""
    column = {"sites": "name", "customers": "code"}[table]
    found: UUID | None = value(
        session,
        f"SELECT id FROM {table} WHERE archived_at IS NULL AND (id::text = lower(:name) OR upper({column}) = "
        "upper(:name)) ORDER BY id LIMIT 1",
        {"name": name.strip()},
    )
    if found is None:
        raise PlaceNotFitting(field={"sites": "site", "customers": "customer"}[table])
    return found


def own_login(session: Session, customer_id: UUID) -> dict[str, Any] | None:
    """Return a customer's own login (id), and whether it waits unused behind a made-up address, or None."""
    return _one(
        session,
        "SELECT u.id, u.state = 'uninvited' AND u.password_hash IS NULL "
        "AND u.email LIKE 'customer-%@earlybird.local' AS is_unused FROM users u WHERE u.customer_id = :id FOR UPDATE",
        {"id": customer_id},
    )


def membership_of(
    session: Session, user_id: UUID, role: str, site_id: UUID | None, customer_id: UUID | None
) -> UUID | None:
    """Return the membership that gives a login that role there, or None."""
    found: UUID | None = value(
        session,
        "SELECT id FROM memberships WHERE user_id = :user_id AND role = :role AND ended_at IS NULL "
        "AND site_id IS NOT DISTINCT FROM CAST(:site_id AS uuid) "
        "AND customer_id IS NOT DISTINCT FROM CAST(:customer_id AS uuid)",
        {"user_id": user_id, "role": str(role), "site_id": site_id, "customer_id": customer_id},
    )
    return found


ADMINS = """
SELECT count(*) FROM memberships m JOIN users u ON u.id = m.user_id
WHERE m.role = 'admin' AND m.ended_at IS NULL AND u.state <> 'disabled' AND u.archived_at IS NULL AND {which}
"""


def other_admins(session: Session, user_id: UUID) -> bool:
    """Say whether anybody but this login is an admin."""
    return bool(value(session, ADMINS.format(which="u.id <> :id"), {"id": user_id}))


def is_admin(session: Session, user_id: UUID) -> bool:
    """Say whether this login is an admin."""
    return bool(value(session, ADMINS.format(which="u.id = :id"), {"id": user_id}))


USERS = """
SELECT u.id, u.name, u.email, u.phone, u.language, u.state, u.customer_id, u.must_change_password, u.created_at,
       EXISTS (SELECT FROM second_factors f WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL) AS has_second_factor,
       coalesce((SELECT jsonb_agg(jsonb_build_object('id', m.id, 'role', m.role, 'site_id', m.site_id,
                        'customer_id', m.customer_id, 'created_at', m.created_at) ORDER BY m.id)
                 FROM memberships m WHERE m.user_id = u.id AND m.ended_at IS NULL), '[]') AS memberships
FROM users u WHERE u.archived_at IS NULL
"""

IN_ROLE = " AND u.id IN (SELECT user_id FROM memberships WHERE role = :role AND ended_at IS NULL)"

USERS_PAGE = """
  AND (CAST(:cursor AS uuid) IS NULL OR u.id < :cursor)
  AND (CAST(:state AS text) IS NULL OR u.state = :state)
  AND (CAST(:like AS text) IS NULL OR u.name ILIKE :like OR u.email ILIKE :like OR u.phone LIKE :like)
ORDER BY u.id DESC LIMIT :count
"""


def users(
    session: Session,
    *,
    q: str | None = None,
    role: str | None = None,
    state: str | None = None,
    cursor: UUID | None = None,
    limit: int = 50,
) -> Page[Mapping[str, Any]]:
    """List logins with the roles they hold; `q` is looked for in name, e-mail and phone."""
    escaped = re.sub(r"([\\%_])", r"\\\1", q.strip()) if q else None
    facts = {"like": f"%{escaped}%" if escaped else None, "role": role, "state": state}
    sql = USERS + (IN_ROLE if role else "") + USERS_PAGE
    return cut(rows(session, sql, facts | {"cursor": cursor, "count": limit + 1}), limit)


def user(session: Session, user_id: UUID) -> dict[str, Any]:
    """Return one login with the roles it holds."""
    found = _one(session, USERS + "AND u.id = :id", {"id": user_id})
    if found is None:
        raise NoSuchUser(field="user_id")
    return found


API_KEYS = """
SELECT id, name, prefix, role, actions, site_id, customer_id, created_at, created_by_id, expires_at, revoked_at
FROM api_keys WHERE {which} ORDER BY id DESC LIMIT :count
"""


def api_keys(session: Session, *, cursor: UUID | None = None, limit: int = 50) -> Page[Mapping[str, Any]]:
    """List keys of machines, the revoked ones too; never the keys themselves."""
    which = "CAST(:cursor AS uuid) IS NULL OR id < :cursor"
    return cut(rows(session, API_KEYS.format(which=which), {"cursor": cursor, "count": limit + 1}), limit)


def api_key(session: Session, key_id: UUID) -> dict[str, Any]:
    """Return one key's facts."""
    found = _one(session, API_KEYS.format(which="id = :id"), {"id": key_id, "count": 1})
    if found is None:
        raise NoSuchKey(field="key_id")
    return found


READ = """u.email IS NOT NULL AND split_part(u.email, '.', -1) NOT IN ('local', 'example', 'test', 'invalid')"""
DIALLED = "length(regexp_replace(coalesce(u.phone, ''), '[^0-9]', '', 'g')) BETWEEN 10 AND 15"
INVITABLE = f"""
SELECT u.id, u.name, u.email, u.phone, u.customer_id, u.state, coalesce(c.language, u.language) AS language,
       CASE WHEN {READ} THEN 'email' ELSE 'sms' END AS channel,
       coalesce(b.name, (SELECT name FROM businesses ORDER BY created_at, id LIMIT 1), 'Earlybird') AS business
FROM users u LEFT JOIN customers c ON c.id = u.customer_id LEFT JOIN businesses b ON b.id = c.business_id
WHERE u.archived_at IS NULL AND (({READ}) OR {DIALLED})
  AND EXISTS (SELECT FROM memberships m WHERE m.user_id = u.id AND m.ended_at IS NULL)
"""


WAVE = """
  AND u.state = 'uninvited' AND (CAST(:after AS uuid) IS NULL OR u.id > :after)
ORDER BY u.id LIMIT :limit FOR UPDATE OF u SKIP LOCKED
"""


def uninvited(session: Session, *, after: UUID | None, limit: int) -> list[dict[str, Any]]:
    """Return the next logins nobody has written to yet and somebody can be, locked; none that another wave has."""
    return rows(session, INVITABLE + WAVE, {"after": after, "limit": limit})


def invitable(session: Session, user_id: UUID) -> dict[str, Any] | None:
    """Return a login an invitation can be sent to, or None."""
    return _one(session, INVITABLE + "AND u.state <> 'disabled' AND u.id = :id", {"id": user_id})


def waiting(session: Session) -> dict[str, int]:
    """Count the logins that nobody has written to: by e-mail, by SMS, and those nobody can be reached at."""
    found = rows(
        session,
        f"SELECT CASE WHEN {READ} THEN 'email' WHEN {DIALLED} THEN 'sms' ELSE 'unreachable' END AS channel, "
        "count(*) AS count FROM users u WHERE u.state = 'uninvited' AND u.archived_at IS NULL "
        "AND EXISTS (SELECT FROM memberships m WHERE m.user_id = u.id AND m.ended_at IS NULL) GROUP BY 1",
    )
    return {"email": 0, "sms": 0, "unreachable": 0} | {row["channel"]: row["count"] for row in found}


def provider_source(issuer: str) -> str:
    """Return under which name a provider's subjects are kept as keys of users."""
    return f"oidc {issuer}"


def known_at(session: Session, issuer: str, subject: str) -> UUID | None:
    """Return the login that signed in before as that subject of a provider, or None."""
    found: UUID | None = value(
        session,
        "SELECT user_id FROM user_keys WHERE source = :source AND kind = 'sub' AND key = :key",
        {"source": provider_source(issuer), "key": subject},
    )
    return found


def has_subject(session: Session, issuer: str, user_id: UUID) -> bool:
    """Say whether a login is tied to a subject of that provider already."""
    sql = "SELECT EXISTS (SELECT FROM user_keys WHERE source = :source AND kind = 'sub' AND user_id = :id)"
    return bool(value(session, sql, {"source": provider_source(issuer), "id": user_id}))
