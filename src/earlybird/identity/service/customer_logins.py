"""The logins of customers: opened with the customer, in the same transaction, one to one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.identity.states import Role, UserState
from earlybird.infra.db import rows, run
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx

GIVEN = """
FROM jsonb_to_recordset(CAST(:logins AS jsonb))
     AS l (id uuid, membership_id uuid, customer_id uuid, name text, email text, phone text, language text)
"""

OPEN = (
    """
INSERT INTO users (id, name, email, phone, language, password_hash, must_change_password, customer_id, state, state_at,
    created_at)
SELECT l.id, l.name, coalesce({email}, 'customer-' || l.customer_id || '@earlybird.local'), l.phone, l.language,
       CAST(:first_hash AS text), CAST(:first_hash AS text) IS NOT NULL, l.customer_id, :state, :now, :now
"""
    + GIVEN
    + "{rest}"
)
BY_OWN_ADDRESS = OPEN.format(email="l.email", rest="ORDER BY l.email ON CONFLICT (email) DO NOTHING")
BY_PLACEHOLDER = OPEN.format(email="NULL", rest="WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = l.id)")
JOIN = (
    "INSERT INTO memberships (id, user_id, role, customer_id, created_at) "
    "SELECT l.membership_id, l.id, :role, l.customer_id, :now " + GIVEN
)


def open_many(
    session: Session, ctx: Ctx, people: Sequence[dict[str, Any]], *, first_hash: str | None = None
) -> list[UUID]:
    """Open a login for each new customer (customer_id, name, email, phone, language); return their ids in that order.

    An e-mail that another login has already stays there, and the new login gets `customer-{id}@earlybird.local`.
    Without a first password (`first_hash`, Argon2id) a login waits for its invitation; with one it must be changed.
    """
    from psycopg.types.json import Jsonb

    opened = [ids.new_id() for _ in people]
    logins = [
        {"id": str(key), "membership_id": str(ids.new_id()), "customer_id": str(each["customer_id"])}
        | {name: each[name] for name in ("name", "email", "phone", "language")}
        for key, each in zip(opened, people, strict=True)
    ]
    facts = {
        "logins": Jsonb(logins),
        "first_hash": first_hash,
        "state": str(UserState.invited if first_hash else UserState.uninvited),
        "role": str(Role.customer),
        "now": ctx.now,
    }
    if run(session, BY_OWN_ADDRESS, facts) < len(opened):
        run(session, BY_PLACEHOLDER, facts)
    run(session, JOIN, facts)
    after = {"first_password": first_hash is not None}
    if len(opened) == 1:
        audit.record(session, ctx, "identity.open_login", "user", opened[0], after=after)
    else:
        audit.record_many(session, ctx, "identity.open_login", "user", opened, after=after)
    return opened


FOLLOW = """
UPDATE users u SET {column} = {wanted}
WHERE u.customer_id = :customer_id
  AND (u.{column} IS NOT DISTINCT FROM CAST(:old AS text)
       OR u.{column} = 'customer-' || u.customer_id || '@earlybird.local')
  AND NOT EXISTS (SELECT FROM users o WHERE o.email = {wanted} AND o.id <> u.id AND '{column}' = 'email')
RETURNING u.id
"""
WANTED = {
    "email": "coalesce(CAST(:new AS text), 'customer-' || u.customer_id || '@earlybird.local')",
    "phone": "CAST(:new AS text)",
}


def follow(session: Session, ctx: Ctx, customer_id: UUID, way: str, *, old: str | None, new: str | None) -> None:
    """Give the customer's login the new `email` or `phone` where it had the old one.

    An e-mail that another login has stays there.
    """
    sql = FOLLOW.format(column=way, wanted=WANTED[way])
    for row in rows(session, sql, {"customer_id": customer_id, "old": old, "new": new}):
        audit.record(session, ctx, "identity.change_user", "user", row["id"], before={way: old}, after={way: new})
