"""Tell customers of orders placed, rounds sent out, outcomes at the door and pauses: each fact once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.customers.service import telling
from earlybird.customers.service.telling import CHUNK, Tiding
from earlybird.deliveries.queries import told
from earlybird.infra.db import Engine, transaction
from earlybird.infra.security import Keys
from earlybird.kernel.ctx import Ctx
from earlybird.notifications.service import pull
from earlybird.notifications.states import FactKind, MessageKind
from earlybird.territory import queries as territory

FACTS = ("order", "date", "items", "amount")


def tell(engine: Engine, ctx: Ctx, keys: Keys, channels: Collection[str]) -> int:
    """Tell everything that happened since the last time, one transaction per chunk; return how many messages."""
    told_count = 0
    for kind, tidings in _FOUND.items():
        taken = CHUNK
        while taken == CHUNK:
            with transaction(engine) as session:
                ready, facts = _ready(session, ctx, kind)
                ids = [row["subject_id"] for row in pull(session, kind, limit=CHUNK, ready=ready, facts=facts)]
                taken = len(ids)
                told_count += telling.tell(session, ctx, keys, channels, list(tidings(session, ctx, ids)))
    return told_count


def _ready(session: Session, ctx: Ctx, kind: FactKind) -> tuple[str, Mapping[str, Any]]:
    """Return what a fact must meet to be told now: an outcome at the door has to stand for some minutes."""
    if kind != FactKind.delivery:
        return "true", {}
    minutes = territory.policy_values(session, "tell_after_minutes")["tell_after_minutes"]
    return told.SETTLED, {"settled_at": ctx.now - timedelta(minutes=minutes)}


def _tiding(kind: MessageKind, row: Mapping[str, Any], revision: object = "1") -> Tiding:
    facts = {name: _short(row[name]) for name in FACTS if name in row}
    return Tiding(kind, row["customer_id"], row["id"], str(revision), row["happened_at"], facts)


def _short(fact: object) -> str:
    """Return a fact as a message can hold it: a long list of goods is cut."""
    most = 300
    text = str(fact)
    return text if len(text) <= most else text[: most - 1] + "…"


def _orders(session: Session, _ctx: Ctx, ids: list[UUID]) -> Iterable[Tiding]:
    return [_tiding(MessageKind.order_confirmed, row) for row in told.orders(session, ids)]


def _rounds(session: Session, _ctx: Ctx, ids: list[UUID]) -> Iterable[Tiding]:
    return [_tiding(MessageKind.out_for_delivery, row) for row in told.on_their_way(session, ids)]


def _doors(session: Session, _ctx: Ctx, ids: list[UUID]) -> Iterable[Tiding]:
    return [_tiding(MessageKind(row["outcome"]), row, row["event_id"]) for row in told.doors(session, ids)]


def _pauses(session: Session, _ctx: Ctx, ids: list[UUID]) -> Iterable[Tiding]:
    """Return what is told of pauses made; those taken back before anybody knew are not spoken of."""
    made = [row for row in told.pauses(session, ids) if not row["is_cancelled"] and row["told"] is None]
    return _grouped((row["customer_id"], row["starts_on"], row["ends_on"], row["made_at"], row) for row in made)


def _resumed(session: Session, ctx: Ctx, ids: list[UUID]) -> Iterable[Tiding]:
    """Return what is told of pauses that end earlier than was said: the first day of deliveries."""
    ended = [row for row in told.pauses(session, ids) if _ends_anew(row)]
    for tiding in _grouped((row["customer_id"], _again_on(row), None, ctx.now, row) for row in ended):
        yield replace(tiding, kind=MessageKind.pause_ended)


def _again_on(row: Mapping[str, Any]) -> date:
    """Return the first day of deliveries after a pause that was cut short or taken back."""
    first: date = row["starts_on"] if row["is_cancelled"] else row["ends_on"] + timedelta(days=1)
    return first


def _ends_anew(row: Mapping[str, Any]) -> bool:
    if row["told"] == MessageKind.pause_ended:
        return False
    if row["is_cancelled"]:
        return row["told"] is not None
    return row["ends_on"] is not None and row["told_until"] != str(row["ends_on"])


def _grouped(paused: Iterable[tuple[UUID, date, date | None, datetime, dict[str, Any]]]) -> Iterable[Tiding]:
    """Return one tiding for all standing orders of a customer that are paused for the same days."""
    groups: dict[tuple[UUID, date, date | None], list[tuple[datetime, dict[str, Any]]]] = {}
    for customer_id, since, until, at, row in paused:
        groups.setdefault((customer_id, since, until), []).append((at, row))
    for (customer_id, since, until), found in groups.items():
        at, first = found[0]
        days = {"since": since} | ({} if until is None else {"until": until})
        items = _short(", ".join(sorted({row["item"] for _, row in found})))
        kind = MessageKind.pause_open if until is None else MessageKind.pause_set
        yield Tiding(kind, customer_id, first["id"], f"{since}..{until or ''}", at, {**days, "items": items})


def _customers(session: Session, _ctx: Ctx, ids: list[UUID]) -> Iterable[Tiding]:
    for row in told.paused_customers(session, ids):
        kind = MessageKind.pause_open if row["state"] == "paused" else MessageKind.pause_ended
        facts = {"since": row["since"], "items": _short(row["items"])}
        yield Tiding(kind, row["id"], row["id"], str(row["state_at"]), row["state_at"], facts)


_FOUND: Mapping[FactKind, Callable[[Session, Ctx, list[UUID]], Iterable[Tiding]]] = {
    FactKind.order: _orders,
    FactKind.round: _rounds,
    FactKind.delivery: _doors,
    FactKind.pause: _pauses,
    FactKind.pause_changed: _resumed,
    FactKind.customer: _customers,
}
