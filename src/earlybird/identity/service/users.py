"""Logins and the roles they hold: made, changed, ended; every loss of a role ends the sessions at once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.identity import queries, rules
from earlybird.identity.errors import (
    EmailTaken,
    HoldsAlready,
    LastAdmin,
    NoSuchMembership,
    NotByThis,
    NotDisabled,
    NoWayIn,
    OwnLogin,
    PlaceNotFitting,
)
from earlybird.identity.models import Membership, User
from earlybird.identity.service import sessions
from earlybird.identity.service.people import get_for_update
from earlybird.identity.states import MACHINE, Role, UserState
from earlybird.infra.db import lock, run
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx

ADMINS = "earlybird.admins"
"""Whoever takes an admin away waits here, so that two do not take the last two at once."""


def create(
    session: Session,
    ctx: Ctx,
    *,
    name: str,
    role: Role,
    email: str | None = None,
    phone: str | None = None,
    language: str = "en",
    site_id: UUID | None = None,
    customer_id: UUID | None = None,
) -> UUID:
    """Make a login with its first role, to be invited.

    For a customer who has no login of their own yet, or one that nobody has used and nobody can be written to at,
    it becomes that customer's own.
    """
    if not email and not phone:
        raise NoWayIn(field="email")
    address = rules.email(email) if email else None
    if address is not None and queries.find_user(session, address) is not None:
        raise EmailTaken(field="email")
    number = rules.number(phone, queries.region(session)) if phone else None
    facts = {"name": name, "email": address, "phone": number, "language": language}
    site_id, customer_id = _place(session, role, site_id, customer_id)
    own = queries.own_login(session, customer_id) if customer_id else None
    if own is not None and own["is_unused"]:
        change(session, ctx, own["id"], **{field: fact for field, fact in facts.items() if fact is not None})
        found: UUID = own["id"]
        return found
    key = ids.new_id()
    session.add(
        User(
            id=key,
            customer_id=customer_id if own is None else None,
            state=UserState.uninvited,
            state_at=ctx.now,
            created_at=ctx.now,
            **facts,
        )
    )
    session.flush()  # the membership points at it
    audit.record(session, ctx, "identity.create_user", "user", key, after=facts)
    join(session, ctx, key, role, site_id=site_id, customer_id=customer_id)
    return key


def change(session: Session, ctx: Ctx, user_id: UUID, **facts: Any) -> None:
    """Change name, email, phone or language; links sent to an old address open nothing any more."""
    user = get_for_update(session, user_id)
    wanted = dict(facts)
    if wanted.get("email"):
        wanted["email"] = rules.email(wanted["email"])
        if queries.find_user(session, wanted["email"]) not in {None, user_id}:
            raise EmailTaken(field="email")
    if wanted.get("phone"):
        wanted["phone"] = rules.number(wanted["phone"], queries.region(session))
    before = {name: getattr(user, name) for name in wanted}
    changed = {name: fact for name, fact in wanted.items() if fact != before[name]}
    if not changed:
        return
    for name, fact in changed.items():
        setattr(user, name, fact)
    if not user.email and not user.phone:
        raise NoWayIn(field="email")
    session.flush()  # so that what reads next sees the change
    if "email" in changed or "phone" in changed:
        _spend_links(session, ctx, user_id)
    audit.record(
        session,
        ctx,
        "identity.change_user",
        "user",
        user_id,
        before={name: before[name] for name in changed},
        after=changed,
    )


def join(
    session: Session,
    ctx: Ctx,
    user_id: UUID,
    role: Role,
    *,
    site_id: UUID | None = None,
    customer_id: UUID | None = None,
) -> UUID:
    """Give a login a role: at a site (the only depot where none is named), for a customer, or for the business."""
    if ctx.actor.kind == "key":
        raise NotByThis
    user = get_for_update(session, user_id)
    site_id, customer_id = _place(session, role, site_id, customer_id)
    if queries.membership_of(session, user_id, role, site_id, customer_id) is not None:
        raise HoldsAlready(field="role")
    key = ids.new_id()
    session.add(
        Membership(id=key, user_id=user.id, role=role, site_id=site_id, customer_id=customer_id, created_at=ctx.now)
    )
    session.flush()  # so that what reads next sees it
    after = {
        "membership_id": str(key),
        "role": str(role),
        "site_id": str(site_id) if site_id else None,
        "customer_id": str(customer_id) if customer_id else None,
    }
    audit.record(session, ctx, "identity.join", "user", user_id, after=after)
    sessions.end_all(session, ctx, user_id, reason="the roles changed")
    return key


def leave(session: Session, ctx: Ctx, user_id: UUID, membership_id: UUID) -> None:
    """End a role at once; the last admin stays one, and a customer's own login stays theirs."""
    if ctx.actor.kind == "key":
        raise NotByThis
    lock(session, ADMINS)
    user = get_for_update(session, user_id)
    row = session.get(Membership, membership_id, with_for_update=True, populate_existing=True)
    if row is None or row.user_id != user_id or row.ended_at is not None:
        raise NoSuchMembership(field="membership_id")
    if row.role == Role.admin and not queries.other_admins(session, user_id):
        raise LastAdmin(field="membership_id")
    if row.role == Role.customer and row.customer_id == user.customer_id:
        raise OwnLogin(field="membership_id")
    row.ended_at = ctx.now
    session.flush()  # so that what reads next sees it ended
    before = {"membership_id": str(membership_id), "role": row.role}
    audit.record(session, ctx, "identity.leave", "user", user_id, before=before)
    sessions.end_all(session, ctx, user_id, reason="the roles changed")


def disable(session: Session, ctx: Ctx, user_id: UUID, *, reason: str | None = None) -> None:
    """Shut a login out: its sessions and links end at once. The last admin stays."""
    if ctx.actor.kind == "key":
        raise NotByThis
    lock(session, ADMINS)
    user = get_for_update(session, user_id)
    if queries.is_admin(session, user_id) and not queries.other_admins(session, user_id):
        raise LastAdmin(field="user_id")
    audit.move(session, ctx, user, MACHINE, "disable", reason=reason)
    session.flush()  # so that what reads next sees it
    _spend_links(session, ctx, user_id)
    sessions.end_all(session, ctx, user_id, reason="the login was disabled")


def enable(session: Session, ctx: Ctx, user_id: UUID, *, reason: str | None = None) -> None:
    """Let a disabled login in again; it signs in anew."""
    if ctx.actor.kind == "key":
        raise NotByThis
    user = get_for_update(session, user_id)
    if user.state != UserState.disabled:
        raise NotDisabled(field="user_id")
    audit.move(session, ctx, user, MACHINE, "activate", reason=reason)
    session.flush()  # so that what reads next sees it


def _place(
    session: Session, role: Role, site_id: UUID | None, customer_id: UUID | None
) -> tuple[UUID | None, UUID | None]:
    """Return where a role is held; refuse a place that does not fit it."""
    if role in rules.AT_A_SITE:
        site_id = site_id or queries.only_depot(session)
        if customer_id is not None or site_id is None or not queries.is_site(session, site_id):
            raise PlaceNotFitting(field="customer_id" if customer_id else "site_id")
        return site_id, None
    if role == Role.customer:
        if site_id is not None or customer_id is None or not queries.is_customer(session, customer_id):
            raise PlaceNotFitting(field="site_id" if site_id else "customer_id")
        return None, customer_id
    if site_id is not None or customer_id is not None:
        raise PlaceNotFitting(field="site_id" if site_id else "customer_id")
    return None, None


def _spend_links(session: Session, ctx: Ctx, user_id: UUID) -> None:
    run(
        session,
        "UPDATE sign_in_links SET expires_at = :now WHERE user_id = :id AND used_at IS NULL AND expires_at > :now",
        {"now": ctx.now, "id": user_id},
    )
