"""Change what is known of a customer, where they live, and where they stand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.customers import queries, rules
from earlybird.customers.errors import AddressInUse, DateNeeded, LastAddress, NoSuchAddress, NotYours, SiteUnknown
from earlybird.customers.models import Address, Customer
from earlybird.customers.states import MACHINE, CustomerState
from earlybird.identity import rules as identity
from earlybird.identity.service import customer_logins
from earlybird.infra import fields
from earlybird.infra.db import run
from earlybird.kernel import ids
from earlybird.kernel.clock import business_day
from earlybird.kernel.ctx import Ctx
from earlybird.territory import service as territory


def change(session: Session, ctx: Ctx, customer_id: UUID, **facts: Any) -> Customer:
    """Change facts of a customer; customers themselves change how they are reached, the office everything.

    Where the office changes e-mail or phone, the login follows, as long as it had the old one.
    """
    row = queries.get_for_update(session, ctx, customer_id)
    is_office = queries.is_office(ctx)
    foreign = sorted(set(facts) - rules.OWN_FACTS)
    if foreign and not is_office:
        raise NotYours(field=foreign[0])
    wanted = _spelled(session, row, facts)
    before = {name: getattr(row, name) for name in wanted}
    changed = {name: fact for name, fact in wanted.items() if fact != before[name]}
    if not changed:
        return row
    if any(changed.get(name) for name in queries.LINKS):
        columns = ("id", "business_id", "site_id", *queries.LINKS)
        new = {name: changed.get(name, getattr(row, name)) for name in columns}
        queries.check_links(session, [new | {name: changed.get(name) for name in queries.LINKS}])
    for name, fact in changed.items():
        setattr(row, name, fact)
    session.flush()  # so that what reads next sees the change
    said = _plain({name: before[name] for name in changed})
    audit.record(session, ctx, "customers.change", "customer", row.id, before=said, after=_plain(changed))
    if is_office:
        for way in ("email", "phone"):
            if way in changed:
                customer_logins.follow(session, ctx, row.id, way, old=before[way], new=changed[way])
    return row


def move(
    session: Session, ctx: Ctx, customer_id: UUID, verb: str, *, state_from: date | None = None, reason: str | None
) -> Customer:
    """Activate, pause or stop a customer; paused and stopped ones get nothing from `state_from` on (else today)."""
    row = queries.get_for_update(session, ctx, customer_id)
    today = business_day(ctx.now, queries.zone(session, row.site_id))
    if state_from is not None and state_from < today:
        raise DateNeeded(field="state_from")
    before = row.state_from
    audit.move(session, ctx, row, MACHINE, verb, reason=reason)
    row.state_from = None if row.state == CustomerState.active else state_from or today
    session.flush()  # so that what reads next sees the move
    said = _plain({"state_from": row.state_from})
    audit.record(
        session, ctx, "customers.change", "customer", row.id, before=_plain({"state_from": before}), after=said
    )
    tomorrow = today + timedelta(days=1)  # today's round is on its way as it was planned
    first_on = max(row.state_from or tomorrow, tomorrow)
    territory.replan(session, ctx, row.site_id, first_on=first_on, reason=f"customers.{verb}")
    return row


def add_address(session: Session, ctx: Ctx, customer_id: UUID, *, is_default: bool = False, **facts: Any) -> UUID:
    """Add a door; the first is the usual one."""
    row = queries.get_for_update(session, ctx, customer_id)
    _check_door(session, row.site_id, facts)
    has_one = any(door["customer_id"] == row.id for door in queries.addresses(session, ctx, customer_id))
    if is_default or not has_one:
        _no_default(session, customer_id)
    key = ids.new_id()
    session.add(
        Address(id=key, customer_id=customer_id, is_default=is_default or not has_one, created_at=ctx.now, **facts)
    )
    session.flush()  # so that what reads next sees it
    after = _plain(facts | {"is_default": is_default or not has_one})
    audit.record(session, ctx, "customers.add_address", "address", key, after=after)
    return key


def change_address(session: Session, ctx: Ctx, customer_id: UUID, address_id: UUID, **facts: Any) -> None:
    """Change a door, or make it the usual one."""
    row = _door(session, ctx, customer_id, address_id)
    _check_door(session, session.get_one(Customer, row.customer_id).site_id, facts)
    if facts.get("is_default") is False and row.is_default:
        raise LastAddress(field="is_default")
    before = _plain({name: getattr(row, name) for name in facts})
    if facts.get("is_default") and not row.is_default:
        _no_default(session, customer_id)
    for name, fact in facts.items():
        setattr(row, name, fact)
    session.flush()  # so that what reads next sees it
    audit.record(session, ctx, "customers.change_address", "address", row.id, before=before, after=_plain(facts))


def remove_address(session: Session, ctx: Ctx, customer_id: UUID, address_id: UUID) -> None:
    """Keep a door for the past only; the usual one stays, and one that a standing order goes to."""
    row = _door(session, ctx, customer_id, address_id)
    if row.is_default:
        raise LastAddress(field="address_id")
    if queries.serves_standing_orders(session, address_id):
        raise AddressInUse(field="address_id")
    row.archived_at = ctx.now
    session.flush()  # so that what reads next sees it gone
    audit.record(session, ctx, "customers.remove_address", "address", row.id)


def _door(session: Session, ctx: Ctx, customer_id: UUID, address_id: UUID) -> Address:
    """Return one door of a customer, locked with its customer."""
    owner = queries.get_for_update(session, ctx, customer_id)
    row = session.get(Address, address_id, with_for_update=True, populate_existing=True)
    if row is None or row.customer_id != owner.id or row.archived_at is not None:
        raise NoSuchAddress(field="address_id")
    return row


def _check_door(session: Session, site_id: UUID, facts: Mapping[str, Any]) -> None:
    """Refuse a postal code that is none where the customer is served."""
    if facts.get("postal_code"):
        country = queries.country(session, site_id)
        fields.check_postal_code(session, facts["postal_code"], country)


def _no_default(session: Session, customer_id: UUID) -> None:
    run(
        session,
        "UPDATE addresses SET is_default = false WHERE customer_id = :id AND is_default AND archived_at IS NULL",
        {"id": customer_id},
    )


def _spelled(session: Session, row: Customer, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts in their one spelling."""
    wanted = dict(facts)
    if wanted.get("phone"):
        known = queries.depots(session)
        if row.site_id not in known:
            raise SiteUnknown(field="site_id")
        wanted["phone_as_given"] = wanted["phone"]
        wanted["phone"] = identity.number(wanted["phone"], known[row.site_id]["country"])
    if wanted.get("email"):
        wanted["email"] = identity.email(wanted["email"])
    if "language" in wanted:
        wanted["language"] = rules.language(wanted["language"])
    return wanted


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts as JSON holds them."""
    return {name: fact if isinstance(fact, str | int | bool | None) else str(fact) for name, fact in facts.items()}
