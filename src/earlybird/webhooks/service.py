"""Endpoints and their secrets; events made of what changed; what is sent, and what came of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import insert

from earlybird.audit import service as audit
from earlybird.audit.states import Severity
from earlybird.infra.db import Session, rows, run
from earlybird.infra.queue import enqueue
from earlybird.infra.security import Keys
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx
from earlybird.webhooks import queries, rules
from earlybird.webhooks.errors import EndpointDisabled, OneOrSince
from earlybird.webhooks.models import WebhookAttempt, WebhookEndpoint, WebhookEvent
from earlybird.webhooks.states import ENDPOINT, HOOK, TEST, EndpointState, EventKind

PURPOSE = "webhooks"
SEND = "webhooks.send"
"""The job that makes events and sends them."""

CHUNK = 2000
"""How many changes become events at a time."""

CHECK = "webhook_failed"
"""The finding of an endpoint that could not be told."""

HAPPENED = {
    EventKind.order_placed: "placed_at",
    EventKind.order_cancelled: "state_at",
    EventKind.delivery_confirmed: "received_at",
    EventKind.delivery_corrected: "received_at",
    EventKind.delivery_returned: "received_at",
    EventKind.invoice_issued: "issued_at",
    EventKind.credit_note_issued: "issued_at",
    EventKind.invoice_voided: "state_at",
    EventKind.payment_recorded: "made_at",
    EventKind.payment_reversed: "state_at",
}
"""Which instant of the subject an event happened at; the others happened when they were noted."""

UNTOLD = frozenset({"placed_at", "state_at", "made_at", "issued_at"})
"""Instants that are the event's own timestamp or say nothing of it."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One event a sender took for one endpoint; `signing` are the secrets that sign it, the newest first."""

    id: UUID
    event_id: UUID
    endpoint_id: UUID
    url: str
    body: str
    signing: tuple[str, ...] = field(repr=False)
    tries: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one try: the endpoint's status, or why there is none, and how long it took in milliseconds."""

    taken: Taken
    status: int | None
    error: str | None
    took_ms: int

    @property
    def is_ok(self) -> bool:
        """Whether the endpoint has it (2xx)."""
        return self.status is not None and self.status // 100 == 2  # noqa: PLR2004


def subscribe(
    session: Session,
    ctx: Ctx,
    keys: Keys,
    *,
    url: str,
    events: Sequence[EventKind],
    description: str = "",
    private: bool = False,
) -> tuple[UUID, str]:
    """Tell a URL of some kinds of events from now on; return the endpoint's id and its secret, shown this once."""
    secret = rules.new_secret()
    endpoint = WebhookEndpoint(
        id=ids.new_id(),
        url=rules.check_url(url, private=private),
        events=sorted(set(map(str, events))),
        description=description,
        secret=keys.seal(PURPOSE, secret.encode()),
        state=ENDPOINT.start,
        state_at=ctx.now,
        created_at=ctx.now,
    )
    session.add(endpoint)
    session.flush()
    audit.record(session, ctx, "webhooks.subscribe", "webhook_endpoint", endpoint.id, after=_shown(endpoint))
    return endpoint.id, secret


def change(
    session: Session,
    ctx: Ctx,
    endpoint_id: UUID,
    *,
    url: str | None = None,
    events: Sequence[EventKind] | None = None,
    description: str | None = None,
    state: EndpointState | None = None,
    private: bool = False,
) -> None:
    """Change what is given. What a disabled endpoint still waited for is given up; a replay brings it back."""
    endpoint = queries.get_for_update(session, endpoint_id)
    before = _shown(endpoint)
    if url is not None:
        endpoint.url = rules.check_url(url, private=private)
    if events is not None:
        endpoint.events = sorted(set(map(str, events)))
    if description is not None:
        endpoint.description = description
    session.flush()
    if (after := _shown(endpoint)) != before:
        audit.record(session, ctx, "webhooks.change", "webhook_endpoint", endpoint_id, before=before, after=after)
    if state is not None and state != endpoint.state:
        if state == EndpointState.disabled:
            _disable(session, ctx, endpoint, "by hand")
        else:
            audit.move(session, ctx, endpoint, ENDPOINT, "enable")
            session.flush()


def unsubscribe(session: Session, ctx: Ctx, endpoint_id: UUID) -> None:
    """Never tell this endpoint anything again."""
    endpoint = queries.get_for_update(session, endpoint_id)
    if endpoint.state == EndpointState.active:
        _disable(session, ctx, endpoint, "unsubscribed")
    endpoint.archived_at = ctx.now
    session.flush()
    audit.record(session, ctx, "webhooks.unsubscribe", "webhook_endpoint", endpoint_id)


def rotate(session: Session, ctx: Ctx, keys: Keys, endpoint_id: UUID) -> str:
    """Give an endpoint a new secret and return it, shown this once; the one before signs too for 24 hours."""
    endpoint = queries.get_for_update(session, endpoint_id)
    secret = rules.new_secret()
    endpoint.old_secret, endpoint.old_secret_until_at = endpoint.secret, ctx.now + rules.OVERLAP
    endpoint.secret = keys.seal(PURPOSE, secret.encode())
    session.flush()
    audit.record(session, ctx, "webhooks.rotate", "webhook_endpoint", endpoint_id)
    return secret


def test(session: Session, ctx: Ctx, endpoint_id: UUID) -> UUID:
    """Send an endpoint an event that says nothing; return its id."""
    endpoint = queries.get_for_update(session, endpoint_id)
    if endpoint.state != EndpointState.active:
        raise EndpointDisabled
    event = _event(ctx, TEST, endpoint_id, ctx.now, {"id": endpoint_id})
    session.execute(insert(WebhookEvent), [event])
    _address(session, ctx, [event["id"]], [endpoint_id])
    audit.record(session, ctx, "webhooks.test", "webhook_endpoint", endpoint_id)
    enqueue(session, SEND)
    return UUID(str(event["id"]))


def replay(
    session: Session,
    ctx: Ctx,
    *,
    endpoint_id: UUID | None = None,
    since: datetime | None = None,
    event_id: UUID | None = None,
) -> int:
    """Send kept events again under their old ids, delivered or failed: one, or those since an instant; return how many.

    Endpoints that were made or enabled since get them too. Without an endpoint all active ones are meant; without
    instant and event only what failed is sent again.
    """
    if since is not None and event_id is not None:
        raise OneOrSince(field="since")
    if endpoint_id is not None and queries.get_for_update(session, endpoint_id).state != EndpointState.active:
        raise EndpointDisabled
    if event_id is not None:
        queries.check_event(session, event_id)
    facts = {"endpoint_id": endpoint_id, "since": since, "event_id": event_id, "now": ctx.now}
    count = 0
    if since is not None or event_id is not None:
        count += run(
            session,
            "INSERT INTO webhook_deliveries (event_id, endpoint_id, state, state_at, next_try_at) "
            f"SELECT v.id, e.id, 'waiting', :now, :now {_MEANT} "
            "AND v.kind = ANY(e.events) ON CONFLICT (event_id, endpoint_id) DO NOTHING",
            facts,
        )
    again = rows(
        session,
        f"SELECT d.id {_MEANT.replace('WHERE', 'JOIN webhook_deliveries d ON d.event_id = v.id WHERE', 1)} "
        "AND d.endpoint_id = e.id AND d.state <> 'waiting' "
        "AND (d.state = 'failed' OR CAST(:since AS timestamptz) IS NOT NULL OR CAST(:event_id AS uuid) IS NOT NULL) "
        "FOR UPDATE OF d",
        facts,
    )
    moved = audit.move_many(session, ctx, "webhook_deliveries", HOOK, "replay", [row["id"] for row in again])
    run(
        session,
        "UPDATE webhook_deliveries SET tries = 0, next_try_at = :now WHERE id = ANY(:ids)",
        {"now": ctx.now, "ids": moved},
    )
    if count + len(moved):
        enqueue(session, SEND)
    return count + len(moved)


_MEANT = """
FROM webhook_events v CROSS JOIN webhook_endpoints e
WHERE e.state = 'active' AND (CAST(:endpoint_id AS uuid) IS NULL OR e.id = :endpoint_id)
  AND (CAST(:event_id AS uuid) IS NULL OR v.id = :event_id)
  AND (CAST(:since AS timestamptz) IS NULL OR v.occurred_at >= :since)
"""


def pull(session: Session, ctx: Ctx) -> int:
    """Turn changes that were committed into events for whoever asks for them; return how many changes were taken.

    Of one transaction an order is told once: placed or cancelled, not changed beside.
    """
    taken = rows(
        session,
        """
        WITH next AS (
            SELECT transaction_no, subject_id, kind FROM webhook_changes
            ORDER BY transaction_no, subject_id, kind LIMIT :limit FOR UPDATE SKIP LOCKED
        ), taken AS (
            DELETE FROM webhook_changes c USING next n
            WHERE c.transaction_no = n.transaction_no AND c.subject_id = n.subject_id AND c.kind = n.kind
            RETURNING c.*
        )
        SELECT t.kind, t.subject_id, t.noted_at, t.kind = 'order.changed' AND EXISTS (
            SELECT FROM webhook_changes x WHERE x.transaction_no = t.transaction_no AND x.subject_id = t.subject_id
            AND x.kind IN ('order.placed', 'order.cancelled')) AS is_said
        FROM taken t ORDER BY t.transaction_no, t.subject_id, t.kind
        """,
        {"limit": CHUNK},
    )
    wanted = queries.wanted_kinds(session)
    told = [row for row in taken if row["kind"] in wanted and not row["is_said"]]
    families: dict[str, list[UUID]] = defaultdict(list)
    for row in told:
        families[_family(row["kind"])].append(row["subject_id"])
    facts = {family: queries.facts(session, family, found) for family, found in families.items()}
    events = [
        _event(ctx, row["kind"], row["subject_id"], found.get(HAPPENED.get(row["kind"], "")) or row["noted_at"], found)
        for row in told
        if (found := facts[_family(row["kind"])].get(row["subject_id"])) is not None
    ]
    if events:
        session.execute(insert(WebhookEvent), events)
        _address(session, ctx, [event["id"] for event in events], None)
    return len(taken)


def take(session: Session, ctx: Ctx, keys: Keys) -> list[Taken]:
    """Take a few events of each endpoint that are due; who took them has two minutes to send and note them."""
    found = queries.due(session, ctx.now)
    run(
        session,
        "UPDATE webhook_deliveries SET tries = tries + 1, next_try_at = :until WHERE id = ANY(:ids)",
        {"until": ctx.now + rules.LEASE, "ids": [row["id"] for row in found]},
    )
    return [
        Taken(
            id=row["id"],
            event_id=row["event_id"],
            endpoint_id=row["endpoint_id"],
            url=row["url"],
            body=row["body"],
            signing=tuple(keys.open(PURPOSE, bytes(sealed)).decode() for sealed in _living(row, ctx.now)),
            tries=row["tries"] + 1,
        )
        for row in found
    ]


def note(session: Session, ctx: Ctx, outcomes: Sequence[Outcome]) -> None:
    """Keep what came of a batch: delivered, tried again later, given up with a finding, or never again (410)."""
    session.execute(
        insert(WebhookAttempt),
        [
            {
                "delivery_id": outcome.taken.id,
                "tried_at": ctx.now,
                "status": outcome.status,
                "error": outcome.error,
                "took_ms": outcome.took_ms,
            }
            for outcome in outcomes
        ],
    )
    arrived = [outcome.taken for outcome in outcomes if outcome.is_ok]
    audit.move_many(session, ctx, "webhook_deliveries", HOOK, "deliver", [taken.id for taken in arrived])
    _recover(session, ctx, {taken.endpoint_id for taken in arrived})
    lost = []
    for outcome in outcomes:
        pause = rules.wait(outcome.taken.tries)
        if outcome.is_ok or outcome.status == rules.GONE:
            continue
        if pause is None:
            lost.append(outcome)
            continue
        run(
            session,
            "UPDATE webhook_deliveries SET next_try_at = :at WHERE id = :id AND state = 'waiting' AND tries = :tries",
            {"at": ctx.now + pause, "id": outcome.taken.id, "tries": outcome.taken.tries},
        )
    _give_up(session, ctx, lost)
    for endpoint_id in sorted({o.taken.endpoint_id for o in outcomes if o.status == rules.GONE}):
        endpoint = queries.get_for_update(session, endpoint_id)
        if endpoint.state == EndpointState.active:
            _disable(session, ctx, endpoint, "it answered 410: gone")


def forget(session: Session, ctx: Ctx) -> int:
    """Drop events older than 30 days with all that was tried, unless they wait; return how many."""
    old = (
        "SELECT v.id FROM webhook_events v WHERE v.made_at < :until AND NOT EXISTS "
        "(SELECT FROM webhook_deliveries d WHERE d.event_id = v.id AND d.state = 'waiting')"
    )
    facts = {"until": ctx.now - rules.KEPT}
    run(
        session,
        "DELETE FROM webhook_attempts a USING webhook_deliveries d "
        f"WHERE d.id = a.delivery_id AND d.event_id IN ({old})",
        facts,
    )
    run(session, f"DELETE FROM webhook_deliveries WHERE event_id IN ({old})", facts)
    return run(
        session,
        "DELETE FROM webhook_events v WHERE made_at < :until "
        "AND NOT EXISTS (SELECT FROM webhook_deliveries d WHERE d.event_id = v.id)",
        facts,
    )


def _living(row: dict[str, Any], now: datetime) -> list[bytes]:
    is_old_good = row["old_secret"] is not None and row["old_secret_until_at"] > now
    return [row["secret"], *([row["old_secret"]] if is_old_good else [])]


def _family(kind: str) -> str:
    family = kind.partition(".")[0]
    return "invoice" if family == "credit_note" else family


def _event(ctx: Ctx, kind: str, subject_id: UUID, at: datetime, found: dict[str, Any]) -> dict[str, Any]:
    told = {name: fact for name, fact in found.items() if name not in UNTOLD}
    body = {"type": kind, "timestamp": at, "data": told}
    return {
        "id": ids.new_id(),
        "kind": kind,
        "subject_id": subject_id,
        "occurred_at": at,
        "made_at": ctx.now,
        "body": orjson.dumps(body, option=orjson.OPT_UTC_Z).decode(),
    }


def _address(session: Session, ctx: Ctx, events: Sequence[UUID], endpoints: Sequence[UUID] | None) -> None:
    """Put events on their way to the endpoints given, else to every active one that asks for them."""
    run(
        session,
        "INSERT INTO webhook_deliveries (event_id, endpoint_id, state, state_at, next_try_at) "
        "SELECT v.id, e.id, 'waiting', :now, :now FROM webhook_events v JOIN webhook_endpoints e "
        "ON e.state = 'active' AND CASE WHEN CAST(:endpoints AS uuid[]) IS NULL THEN v.kind = ANY(e.events) "
        "ELSE e.id = ANY(:endpoints) END WHERE v.id = ANY(:events)",
        {"now": ctx.now, "events": list(events), "endpoints": endpoints and list(endpoints)},
    )


def _disable(session: Session, ctx: Ctx, endpoint: WebhookEndpoint, reason: str) -> None:
    audit.move(session, ctx, endpoint, ENDPOINT, "disable", reason=reason)
    session.flush()
    waiting = rows(
        session,
        "SELECT id FROM webhook_deliveries WHERE endpoint_id = :id AND state = 'waiting' ORDER BY id FOR UPDATE",
        {"id": endpoint.id},
    )
    audit.move_many(
        session, ctx, "webhook_deliveries", HOOK, "fail", [row["id"] for row in waiting], reason="endpoint disabled"
    )


def _give_up(session: Session, ctx: Ctx, lost: Sequence[Outcome]) -> None:
    audit.move_many(session, ctx, "webhook_deliveries", HOOK, "fail", [o.taken.id for o in lost], reason="last try")
    for outcome in {o.taken.endpoint_id: o for o in lost}.values():
        endpoint_id = outcome.taken.endpoint_id
        run(
            session,
            "UPDATE webhook_endpoints SET failing_since_at = coalesce(failing_since_at, :now) WHERE id = :id",
            {"now": ctx.now, "id": endpoint_id},
        )
        audit.report(
            session,
            ctx,
            CHECK,
            str(endpoint_id),
            "A webhook endpoint could not be told of an event; it was tried for more than a day.",
            severity=Severity.warning,
            facts={"event_id": str(outcome.taken.event_id), "status": outcome.status, "error": outcome.error},
        )


def _recover(session: Session, ctx: Ctx, endpoints: set[UUID]) -> None:
    """Take the flag off endpoints that answer again, and close their findings."""
    healed = run(
        session,
        "UPDATE webhook_endpoints SET failing_since_at = NULL WHERE id = ANY(:ids) AND failing_since_at IS NOT NULL",
        {"ids": list(endpoints)},
    )
    if healed:
        failing = rows(session, "SELECT id FROM webhook_endpoints WHERE failing_since_at IS NOT NULL")
        audit.resolve_unseen(session, ctx, CHECK, [str(row["id"]) for row in failing])


def _shown(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {"url": endpoint.url, "events": list(endpoint.events), "description": endpoint.description}
