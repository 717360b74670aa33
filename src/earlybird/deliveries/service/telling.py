"""Who tells what: a confirmation that came over the network is told by whoever sent it, not by whom it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.deliveries import errors
from earlybird.deliveries.queries import shown
from earlybird.deliveries.rules import Whose
from earlybird.deliveries.schemas import Confirmation, NotRead, Teller, Verdict, said
from earlybird.deliveries.service import door, facts
from earlybird.deliveries.states import Authority, EventKind, Via
from earlybird.identity.rules import Scope, reach
from earlybird.kernel.ctx import Ctx

FROM_THE_REQUEST = ("actor", "authority", "via", "device")


def tell(session: Session, ctx: Ctx, delivery_id: UUID, *, words: Mapping[str, Any]) -> Verdict:
    """Take one confirmation of a delivery the actor reaches; a refused one is kept, so its verdict is returned.

    `words` are those of a `Confirmation` without the delivery; the order may be left out, as the delivery names it.
    """
    found = shown.order_of(session, ctx, delivery_id)
    named = {"delivery_id": delivery_id, "order_id": words.get("order_id") or found["order_id"]}
    given = Confirmation.model_validate({**words, **named})
    verdict = door.confirm_many(session, _through(ctx), [_as_told(ctx, given)], whose=_whose(ctx))[0]
    facts.note_sequences(session, ctx, [given])
    return verdict


def tell_many(
    session: Session, ctx: Ctx, confirmations: Sequence[Confirmation | NotRead], *, bodies: Sequence[bytes]
) -> list[Verdict]:
    """Take a synced round; each is judged alone. Who is no admin and says who tells it is refused."""
    items = [item if isinstance(item, NotRead) else _as_told(ctx, item) for item in confirmations]
    verdicts = door.confirm_many(session, _through(ctx), items, bodies=bodies, whose=_whose(ctx))
    facts.note_sequences(session, ctx, [item for item in confirmations if isinstance(item, Confirmation)])
    return verdicts


def _as_told(ctx: Ctx, item: Confirmation) -> Confirmation | NotRead:
    """Return the confirmation as told by the actor; only who reaches every round may speak for another."""
    spoken = [name for name in FROM_THE_REQUEST if name in item.model_fields_set]
    if Scope.all in ctx.actor.scopes:
        mine = {"authority": Authority.staff.name, "via": Via.api}
        return item.model_copy(update={name: word for name, word in mine.items() if name not in spoken})
    if spoken:
        return NotRead(item.client_id, spoken[0], said(errors.TellerNamed()))
    if item.kind == EventKind.correct:
        return NotRead(item.client_id, "kind", said(errors.CorrectionByStaff()))
    actor = Teller.model_construct(kind=ctx.actor.kind, id=ctx.actor.id, name=ctx.actor.name)
    return item.model_copy(update={"via": _entrance(ctx), "actor": actor})


def _entrance(ctx: Ctx) -> Via:
    """Return how it came: who drives tells it by the driver's app, a helper by a link, a machine by the API."""
    if ctx.actor.kind == "link":
        return Via.link
    return Via.driver_app if ctx.actor.kind == "user" and Scope.round in ctx.actor.scopes else Via.api


def _through(ctx: Ctx) -> Ctx:
    return ctx if Scope.all in ctx.actor.scopes else replace(ctx, via=str(_entrance(ctx)))


def _whose(ctx: Ctx) -> Whose | None:
    """Return of which stops the actor may speak; None for every stop."""
    scopes = ctx.actor.scopes
    if Scope.all in scopes:
        return None
    reached = reach(ctx)
    return Whose(
        str(ctx.actor.id) if ctx.actor.id and Scope.round in scopes else None,
        frozenset(reached["my_rounds"]) if Scope.link in scopes else frozenset(),
        frozenset(reached["my_orders"]) if Scope.link in scopes else frozenset(),
    )
