"""Logins and the roles they hold, over HTTP."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request

from earlybird.identity import entrance, queries
from earlybird.identity.access import allow
from earlybird.identity.schemas import MembershipIn, PersonChange, PersonIn, PersonOut, WhyIn
from earlybird.identity.service import invitations, users
from earlybird.identity.states import Role, UserState
from earlybird.infra.db import Session
from earlybird.infra.http import PROBLEMS, door
from earlybird.infra.shapes import Cursor, Limit, Paged, Search, paged
from earlybird.kernel.ctx import Ctx

router = APIRouter(prefix="/api/users", tags=["users"], responses=PROBLEMS)

OfRole = Annotated[Role | None, Query(description="Only who holds this role.")]
InState = Annotated[UserState | None, Query(description="Only in this state.")]


@router.get("")
@door(allow("users.read"))
def users_page(
    session: Session,
    _ctx: Ctx,
    *,
    q: Search = None,
    role: OfRole = None,
    state: InState = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Paged[PersonOut]:
    """List logins, newest first; `q` is looked for in name, e-mail and phone."""
    return paged(queries.users(session, q=q, role=role, state=state, cursor=cursor, limit=limit))


@router.post("", status_code=201)
@door(allow("users.change"))
def create_user(session: Session, ctx: Ctx, *, body: PersonIn) -> PersonOut:
    """Make a login with its first role. It waits for its invitation."""
    made = users.create(session, ctx, **body.sent())
    return PersonOut.model_validate(queries.user(session, made))


@router.get("/{user_id}")
@door(allow("users.read"))
def show_user(session: Session, _ctx: Ctx, *, user_id: UUID) -> PersonOut:
    """Show a login, and what it is where."""
    return PersonOut.model_validate(queries.user(session, user_id))


@router.patch("/{user_id}")
@door(allow("users.change"), unchanged=("users", "user_id", show_user))
def change_user(session: Session, ctx: Ctx, *, user_id: UUID, body: PersonChange) -> PersonOut:
    """Change name, e-mail, phone or language; what is not sent stays."""
    users.change(session, ctx, user_id, **body.sent())
    return PersonOut.model_validate(queries.user(session, user_id))


@router.delete("/{user_id}", status_code=204)
@door(allow("users.change"))
def delete_user(session: Session, ctx: Ctx, *, user_id: UUID) -> None:
    """Disable a login: what it did stays told by its name."""
    users.disable(session, ctx, user_id)


@router.post("/{user_id}/disable")
@door(allow("users.change"))
def disable_user(session: Session, ctx: Ctx, *, user_id: UUID, body: WhyIn) -> PersonOut:
    """Shut a login out: its sessions and links end at once."""
    users.disable(session, ctx, user_id, reason=body.reason)
    return PersonOut.model_validate(queries.user(session, user_id))


@router.post("/{user_id}/enable")
@door(allow("users.change"))
def enable_user(session: Session, ctx: Ctx, *, user_id: UUID, body: WhyIn) -> PersonOut:
    """Let a disabled login in again."""
    users.enable(session, ctx, user_id, reason=body.reason)
    return PersonOut.model_validate(queries.user(session, user_id))


@router.post("/{user_id}/invite", status_code=202)
@door(allow("users.change"))
def invite_user(session: Session, ctx: Ctx, *, request: Request, user_id: UUID) -> PersonOut:
    """Send an invitation, again if need be; the link sent before opens nothing any more."""
    keys = entrance.keys_of(request)
    invitations.invite_one(session, ctx, keys, user_id, site=entrance.site_of(request))
    session.expire_all()  # it was moved beneath its object
    return PersonOut.model_validate(queries.user(session, user_id))


@router.post("/{user_id}/memberships", status_code=201)
@door(allow("users.change"))
def join(session: Session, ctx: Ctx, *, user_id: UUID, body: MembershipIn) -> PersonOut:
    """Give a login a role. It signs in anew."""
    users.join(session, ctx, user_id, **body.sent())
    return PersonOut.model_validate(queries.user(session, user_id))


@router.delete("/{user_id}/memberships/{membership_id}", status_code=204)
@door(allow("users.change"))
def leave(session: Session, ctx: Ctx, *, user_id: UUID, membership_id: UUID) -> None:
    """End a role at once: the login signs in anew. The last admin stays one."""
    users.leave(session, ctx, user_id, membership_id)
