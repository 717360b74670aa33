"""Users: who they are and what they are where."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.identity import queries, rules
from earlybird.identity.errors import NoSuchUser
from earlybird.identity.models import Membership, User
from earlybird.identity.states import Role, UserState
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx


def create_owner(session: Session, ctx: Ctx, address: str) -> UUID:
    """Create the first person: an admin who signs in by link."""
    email = rules.email(address)
    found = queries.find_user(session, email)
    key = found or ids.new_id()
    if found is None:
        session.add(User(id=key, name=email.split("@", maxsplit=1)[0], email=email, state=UserState.invited))
        session.flush()  # the membership points at it
    session.add(Membership(user_id=key, role=Role.admin))
    audit.record(session, ctx, "identity.create_owner", "user", key, after={"email": email})
    return key


def get_for_update(session: Session, user_id: UUID | None) -> User:
    """Return a user, locked."""
    found = session.get(User, user_id, with_for_update=True) if user_id else None
    if found is None:
        raise NoSuchUser
    return found
