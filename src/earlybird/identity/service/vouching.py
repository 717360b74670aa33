"""Sign in whom a provider vouches for: somebody who is here already, never anybody new."""

from __future__ import annotations

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.identity import queries, rules
from earlybird.identity.errors import NotKnownHere
from earlybird.identity.models import User, UserKey
from earlybird.identity.service.people import get_for_update
from earlybird.identity.states import UserState
from earlybird.infra.db import lock
from earlybird.infra.ports.provider import Known
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Invalid


def recognise(session: Session, ctx: Ctx, known: Known) -> User:
    """Return the login, locked: the one tied to that subject, else the one with the verified e-mail, tied by this."""
    lock(session, f"earlybird.vouched {known.issuer} {known.subject}")
    found = queries.known_at(session, known.issuer, known.subject)
    is_new = found is None
    if found is None and known.email is not None:
        try:
            found = queries.find_user(session, rules.email(known.email))
        except Invalid as failure:
            raise NotKnownHere from failure
    if found is None:
        raise NotKnownHere
    user = get_for_update(session, found)
    if user.state == UserState.disabled or user.archived_at is not None:
        raise NotKnownHere
    if is_new:
        if queries.has_subject(session, known.issuer, user.id):
            raise NotKnownHere  # the address was given to somebody else at the provider
        session.add(
            UserKey(source=queries.provider_source(known.issuer), kind="sub", key=known.subject, user_id=user.id)
        )
        session.flush()  # so that it is there before the session opens
        audit.record(session, ctx, "identity.tie_to_provider", "user", user.id, after={"issuer": known.issuer})
    return user
