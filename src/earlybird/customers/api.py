"""Customers over HTTP."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from earlybird.customers import queries, service
from earlybird.customers.schemas import (
    ActivateIn,
    AddressChange,
    AddressOut,
    CustomerChange,
    CustomerIn,
    CustomerOut,
    DuplicateOut,
    MergeIn,
    MergeOut,
    MoveIn,
    NewAddress,
    UndoIn,
)
from earlybird.customers.service import telling
from earlybird.customers.states import CustomerState
from earlybird.identity import entrance
from earlybird.identity.access import allow
from earlybird.infra.db import Session
from earlybird.infra.http import PROBLEMS, door
from earlybird.infra.shapes import Cursor, Limit, Paged, Search, paged
from earlybird.kernel.ctx import Ctx
from earlybird.notifications import queries as messages
from earlybird.notifications.schemas import PreferencesIn, PreferencesOut

router = APIRouter(prefix="/api/customers", tags=["customers"], responses=PROBLEMS)

OfArea = Annotated[UUID | None, Query(description="Only of this area.")]
InState = Annotated[CustomerState | None, Query(description="Only in this state.")]
Archived = Annotated[bool, Query(description="Those who were merged or archived, instead of the others.")]


async def first_hash(request: Request) -> str | None:
    """Return the hash of the configured first password, made before the transaction; None where they are invited."""
    return await entrance.first_hash(request)


@router.get("")
@door(allow("customers.read"))
def page(
    session: Session,
    ctx: Ctx,
    *,
    q: Search = None,
    area_id: OfArea = None,
    state: InState = None,
    archived: Archived = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Paged[CustomerOut]:
    """List customers, newest first; `q` is looked for in code, name, e-mail and phone."""
    return paged(
        queries.page(session, ctx, q=q, area_id=area_id, state=state, is_archived=archived, cursor=cursor, limit=limit)
    )


@router.post("", status_code=201)
@door(allow("customers.create"))
def create(
    session: Session, ctx: Ctx, *, body: CustomerIn, first: Annotated[str | None, Depends(first_hash)]
) -> CustomerOut:
    """Take a customer on, with their login. Marketing staff take on customers of their own."""
    made = service.create(session, ctx, body.newcomer(), first_hash=first)
    return CustomerOut.model_validate(queries.get(session, ctx, made.id))


@router.get("/{customer_id}")
@door(allow("customers.read"))
def show(session: Session, ctx: Ctx, *, customer_id: UUID) -> CustomerOut:
    """Show a customer; one who was merged says into whom."""
    return CustomerOut.model_validate(queries.get(session, ctx, customer_id))


@router.patch("/{customer_id}")
@door(allow("customers.change"), unchanged=("customers", "customer_id", show))
def change(session: Session, ctx: Ctx, *, customer_id: UUID, body: CustomerChange) -> CustomerOut:
    """Change facts of a customer; what is not sent stays."""
    service.change(session, ctx, customer_id, **body.sent())
    return CustomerOut.model_validate(queries.get(session, ctx, customer_id))


@router.post("/{customer_id}/activate")
@door(allow("customers.move"), unchanged=("customers", "customer_id", show))
def activate(session: Session, ctx: Ctx, *, customer_id: UUID, body: ActivateIn) -> CustomerOut:
    """Deliver to them (again)."""
    service.move(session, ctx, customer_id, "activate", reason=body.reason)
    return CustomerOut.model_validate(queries.get(session, ctx, customer_id))


@router.post("/{customer_id}/pause")
@door(allow("customers.move"), unchanged=("customers", "customer_id", show))
def pause(session: Session, ctx: Ctx, *, customer_id: UUID, body: MoveIn) -> CustomerOut:
    """Deliver nothing from a day on, until they are active again."""
    service.move(session, ctx, customer_id, "pause", state_from=body.state_from, reason=body.reason)
    return CustomerOut.model_validate(queries.get(session, ctx, customer_id))


@router.post("/{customer_id}/stop")
@door(allow("customers.move"), unchanged=("customers", "customer_id", show))
def stop(session: Session, ctx: Ctx, *, customer_id: UUID, body: MoveIn) -> CustomerOut:
    """Deliver nothing from a day on: they have left."""
    service.move(session, ctx, customer_id, "stop", state_from=body.state_from, reason=body.reason)
    return CustomerOut.model_validate(queries.get(session, ctx, customer_id))


@router.get("/{customer_id}/addresses")
@door(allow("customers.read"))
def addresses(session: Session, ctx: Ctx, *, customer_id: UUID) -> list[AddressOut]:
    """List a customer's doors, the usual one first."""
    return [AddressOut.model_validate(row) for row in queries.addresses(session, ctx, customer_id)]


@router.post("/{customer_id}/addresses", status_code=201)
@door(allow("customers.change"))
def add_address(session: Session, ctx: Ctx, *, customer_id: UUID, body: NewAddress) -> AddressOut:
    """Add a door."""
    made = service.add_address(session, ctx, customer_id, **body.facts())
    return AddressOut.model_validate(queries.address(session, ctx, customer_id, made))


@router.patch("/{customer_id}/addresses/{address_id}")
@door(allow("customers.change"))
def change_address(
    session: Session, ctx: Ctx, *, customer_id: UUID, address_id: UUID, body: AddressChange
) -> AddressOut:
    """Change a door, or make it the usual one."""
    service.change_address(session, ctx, customer_id, address_id, **body.facts())
    return AddressOut.model_validate(queries.address(session, ctx, customer_id, address_id))


@router.delete("/{customer_id}/addresses/{address_id}", status_code=204)
@door(allow("customers.change"))
def remove_address(session: Session, ctx: Ctx, *, customer_id: UUID, address_id: UUID) -> None:
    """Keep a door for the past only. The usual one stays, and one that a standing order goes to."""
    service.remove_address(session, ctx, customer_id, address_id)


@router.get("/{customer_id}/duplicates")
@door(allow("customers.merge"))
def duplicates(session: Session, ctx: Ctx, *, customer_id: UUID) -> list[DuplicateOut]:
    """List who may be the same customer: same phone, e-mail, or name and address."""
    return [DuplicateOut.model_validate(row) for row in queries.duplicates(session, ctx, customer_id)]


@router.post("/{customer_id}/merge", status_code=201)
@door(allow("customers.merge"))
def merge(session: Session, ctx: Ctx, *, customer_id: UUID, body: MergeIn) -> MergeOut:
    """Make a duplicate one with the customer it is: what is to come moves over, what was stays and is read together."""
    made = service.merge(session, ctx, customer_id, body.into_id, reason=body.reason)
    return MergeOut(merge_id=made, customer_id=customer_id, into_id=body.into_id)


@router.post("/merges/{merge_id}/undo")
@door(allow("customers.merge"))
def undo(session: Session, ctx: Ctx, *, merge_id: UUID, body: UndoIn) -> CustomerOut:
    """Take a merge back exactly; refused where something it carried over was changed since."""
    found = service.undo(session, ctx, merge_id, reason=body.reason)
    return CustomerOut.model_validate(queries.get(session, ctx, found))


@router.get("/{customer_id}/message-preferences")
@door(allow("customers.read"))
def preferences(session: Session, ctx: Ctx, *, customer_id: UUID) -> PreferencesOut:
    """Show how a customer wants to be told of orders, deliveries, pauses, bills and payments."""
    queries.get(session, ctx, customer_id)
    return messages.preferences(session, customer_id)  # type: ignore[return-value]


@router.put("/{customer_id}/message-preferences")
@door(allow("customers.change"))
def prefer(session: Session, ctx: Ctx, *, customer_id: UUID, body: PreferencesIn) -> PreferencesOut:
    """Set how a customer wants to be told; what is not sent is as for everybody."""
    telling.prefer(session, ctx, customer_id, **body.model_dump())
    return messages.preferences(session, customer_id)  # type: ignore[return-value]
