"""Keys of machines: shown once, kept as a fingerprint, able to do some of what one role may."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.identity import queries, rules
from earlybird.identity.errors import ActionsNotFitting, ExpiryPassed, NoSuchKey, NotByThis, PlaceNotFitting
from earlybird.identity.models import ApiKey
from earlybird.identity.states import Role
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx

SHOWN = 8
"""How many signs of a key stay readable, so that people tell their keys apart."""


def create(
    session: Session,
    ctx: Ctx,
    *,
    name: str,
    role: Role,
    actions: Collection[str],
    site_id: UUID | None = None,
    customer_id: UUID | None = None,
    expires_at: datetime | None = None,
) -> tuple[UUID, str]:
    """Make a key; return its id and the key itself, which is kept nowhere. A key makes no keys."""
    if ctx.actor.kind == "key":
        raise NotByThis
    wrong = sorted(set(actions) - queries.may(session, role))
    if wrong or not actions:
        raise ActionsNotFitting(field="actions", actions=wrong)
    if expires_at is not None and expires_at <= ctx.now:
        raise ExpiryPassed(field="expires_at")
    needs_site = role in rules.AT_A_SITE
    if (site_id is not None) != needs_site or (site_id and not queries.is_site(session, site_id)):
        raise PlaceNotFitting(field="site_id")
    if (customer_id is not None) != (role == Role.customer) or (
        customer_id and not queries.is_customer(session, customer_id)
    ):
        raise PlaceNotFitting(field="customer_id")
    secret = rules.KEY_MARK + secrets.token_urlsafe(32)
    key = ids.new_id()
    session.add(
        ApiKey(
            id=key,
            name=name,
            prefix=secret[: len(rules.KEY_MARK) + SHOWN],
            key_hash=rules.fingerprint(secret),
            role=role,
            actions=sorted(set(actions)),
            site_id=site_id,
            customer_id=customer_id,
            created_at=ctx.now,
            created_by_id=ctx.actor.id,
            expires_at=expires_at,
        )
    )
    session.flush()  # so that what reads next sees it
    after = {"name": name, "role": str(role), "actions": sorted(set(actions))}
    audit.record(session, ctx, "identity.create_key", "api_key", key, after=after)
    return key, secret


def revoke(session: Session, ctx: Ctx, key_id: UUID) -> None:
    """End a key at once."""
    row = session.get(ApiKey, key_id, with_for_update=True, populate_existing=True)
    if row is None or row.revoked_at is not None:
        raise NoSuchKey(field="key_id")
    row.revoked_at = ctx.now
    session.flush()  # so that what reads next sees it ended
    audit.record(session, ctx, "identity.revoke_key", "api_key", key_id, before={"name": row.name})
