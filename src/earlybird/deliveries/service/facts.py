"""Write what was accepted at the door, and keep what was refused: one statement per table and chunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.audit.states import Severity
from earlybird.deliveries.rules import Cash, Line, Told
from earlybird.deliveries.schemas import Answer, Confirmation, Verdict
from earlybird.deliveries.service import photos
from earlybird.infra.db import rows, run
from earlybird.kernel.ctx import Ctx

KEEP = """
WITH events AS (
    INSERT INTO delivery_events (id, client_id, delivery_id, customer_id, service_on, kind, device, device_seq,
        device_at, received_at, actor_kind, actor_id, actor_name, authority, via, address, place, reason, told)
    SELECT id, client_id, delivery_id, customer_id, service_on, kind, device, device_seq, device_at,
        :now, actor_kind, actor_id, actor_name, authority, via, address, place, reason, told
    FROM json_to_recordset(CAST(:events AS json)) AS r(id uuid, client_id text, delivery_id uuid, customer_id uuid,
        service_on date, kind text, device text, device_seq integer, device_at timestamptz, actor_kind text,
        actor_id uuid, actor_name text, authority smallint, via text, address text, place jsonb, reason text,
        told jsonb)),
lines AS (
    INSERT INTO delivery_event_lines (event_id, delivery_line_id, customer_id, service_on, revision, delta_quantity,
        reason)
    SELECT event_id, delivery_line_id, customer_id, service_on, revision, delta_quantity, reason
    FROM json_to_recordset(CAST(:lines AS json)) AS r(event_id uuid, delivery_line_id uuid, customer_id uuid,
        service_on date, revision smallint, delta_quantity numeric, reason text))
UPDATE delivery_lines SET delivered_quantity = delivered_quantity + r.delta
FROM json_to_recordset(CAST(:deltas AS json)) AS r(id uuid, delta numeric) WHERE delivery_lines.id = r.id
"""
"""The events, by how much each changes its lines, and what is delivered now: one statement, one way to the server."""

CONTAINERS = """
INSERT INTO container_movements (customer_id, container, quantity, event_id, moved_on)
SELECT customer_id, container, quantity, event_id, moved_on
FROM json_to_recordset(CAST(:rows AS json)) AS r(customer_id uuid, container text, quantity integer, event_id uuid,
    moved_on date)
"""

CASH = """
INSERT INTO delivery_cash (event_id, delivery_id, customer_id, revision, amount_minor, currency, holder_id, taken_on)
SELECT event_id, delivery_id, customer_id, revision, amount_minor, currency, holder_id, taken_on
FROM json_to_recordset(CAST(:rows AS json)) AS r(event_id uuid, delivery_id uuid, customer_id uuid, revision integer,
    amount_minor bigint, currency text, holder_id uuid, taken_on date)
"""

REJECTIONS = """
INSERT INTO delivery_rejections (client_id, body, field, rule, digest, received_at, resolved_at)
SELECT client_id, body, field, rule, digest, :now, CASE WHEN is_resolved THEN CAST(:now AS timestamptz) END
FROM json_to_recordset(CAST(:rows AS json)) AS r(client_id text, body text, field text, rule text, digest text,
    is_resolved boolean)
ON CONFLICT (digest) DO NOTHING
"""


SEQUENCES = """
WITH heard AS (
    INSERT INTO device_sequences (owner, device, seen, heard_at)
    SELECT owner, device, range_agg(int8range(seq, seq, '[]')), :now
    FROM json_to_recordset(CAST(:rows AS json)) AS r(owner text, device text, seq bigint)
    GROUP BY owner, device ORDER BY owner, device
    ON CONFLICT (owner, device) DO UPDATE SET seen = device_sequences.seen + excluded.seen, heard_at = :now
    RETURNING owner, device, seen
)
SELECT h.owner, h.device, (SELECT json_agg(json_build_array(lower(hole), upper(hole) - 1) ORDER BY hole)
    FROM (SELECT unnest(int8multirange(range_merge(h.seen)) - h.seen) AS hole LIMIT 100) holes) AS missing
FROM heard h
"""
"""What a device has delivered so far; the holes as pairs of first and last missing number."""


@dataclass(slots=True)
class Kept:
    """The rows that a chunk adds."""

    events: list[dict[str, Any]] = field(default_factory=list)
    tellers: list[Ctx] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    deltas: dict[str, Decimal] = field(default_factory=dict)
    containers: list[dict[str, Any]] = field(default_factory=list)
    cash: list[dict[str, Any]] = field(default_factory=list)
    pictured: set[str] = field(default_factory=set)
    findings: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    settled: set[tuple[str, str]] = field(default_factory=set)

    def add_event(
        self,
        ctx: Ctx,
        item: Confirmation,
        actor: tuple[str, UUID | None, str],
        service_on: date,
        told: Told,
        verdict: Verdict,
        digest: str,
        customer_id: str,
    ) -> None:
        """Note an event with its words: absolute quantities, and the answer a repeat will get."""
        kind, actor_id, name = actor
        words: dict[str, Any] = {
            "lines": {line: str(quantity) for line, quantity in told.quantities.items()},
            "answer": verdict.answer,
            "outcome": verdict.outcome,
            "digest": digest,
        }
        for way, counted in (("empties", item.empties), ("given", item.given)):
            if counted:
                words[way] = {c.container: c.quantity for c in counted}
        if item.cash:
            words["cash"] = item.cash.model_dump()
        if item.note:
            words["note"] = item.note
        if item.device_id:
            words["device_id"] = item.device_id
        if item.photos:
            words["photos"] = item.photos
            self.pictured.add(str(verdict.delivery_id))
        self.tellers.append(ctx)
        self.events.append(
            {
                "id": verdict.event_id,
                "client_id": item.client_id,
                "delivery_id": verdict.delivery_id,
                "customer_id": customer_id,
                "service_on": service_on,
                "kind": item.kind,
                "device": item.device or item.device_id or ctx.device,
                "device_seq": item.device_seq,
                "device_at": item.device_at,
                "actor_kind": kind,
                "actor_id": actor_id,
                "actor_name": name,
                "authority": told.authority,
                "via": item.via,
                "address": ctx.address,
                "place": item.place.model_dump() if item.place else None,
                "reason": item.reason,
                "told": words,
            }
        )

    def add_line(
        self, customer_id: str, event_id: UUID, line: Line, revision: int, delta: Decimal, reason: str | None
    ) -> None:
        """Note by how much an event changes a line; an event that changes nothing adds no row."""
        self.lines.append(
            {
                "event_id": event_id,
                "delivery_line_id": line.id,
                "customer_id": customer_id,
                "service_on": line.service_on,
                "revision": revision,
                "delta_quantity": str(delta),
                "reason": reason,
            }
        )
        self.deltas[line.id] = self.deltas.get(line.id, Decimal(0)) + delta

    def add_containers(self, customer_id: str, event_id: UUID, on: date, container: str, moved: int) -> None:
        """Note containers that moved: those given come to the customer, empties taken back leave."""
        if moved:
            self.containers.append(
                {
                    "customer_id": customer_id,
                    "container": container,
                    "quantity": moved,
                    "event_id": event_id,
                    "moved_on": on,
                }
            )

    def add_cash(
        self, customer_id: str, event_id: UUID, delivery_id: str, revision: int, cash: Cash, taken_on: date
    ) -> None:
        """Note what the cash of a stop stands at from this event on."""
        self.cash.append(
            {
                "event_id": event_id,
                "delivery_id": delivery_id,
                "customer_id": customer_id,
                "revision": revision,
                "amount_minor": cash.amount_minor,
                "currency": cash.currency,
                "holder_id": cash.holder_id,
                "taken_on": taken_on,
            }
        )

    def find(self, check_name: str, subject: str, title: str, customer_id: str, **facts: Any) -> None:
        """Note a finding; a later one about the same subject replaces it."""
        self.settled.discard((check_name, subject))
        self.findings[check_name, subject] = {
            "subject": subject,
            "title": title,
            "severity": str(Severity.warning),
            "money_minor": None,
            "currency": None,
            "customer_id": customer_id,
            "facts": facts,
        }

    def over(self, check_name: str, subject: str) -> None:
        """Note that what may have been found about a subject is over."""
        self.settled.add((check_name, subject))


def _json(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows as one JSON array: far cheaper to bind than as many arrays as there are columns."""
    return orjson.dumps(rows).decode()


def keep(session: Session, ctx: Ctx, kept: Kept) -> None:
    """Add a chunk's events with lines, containers, cash and photos, and bring the delivered quantities up to date."""
    if not kept.events:
        return
    deltas = [{"id": line_id, "delta": str(delta)} for line_id, delta in kept.deltas.items() if delta]
    words = {"events": _json(kept.events), "lines": _json(kept.lines), "deltas": _json(deltas)}
    run(session, KEEP, {**words, "now": ctx.now})
    for sql, added in ((CONTAINERS, kept.containers), (CASH, kept.cash)):
        if added:
            run(session, sql, {"rows": _json(added)})
    if kept.pictured:
        photos.bind(session, ctx, sorted(kept.pictured))
    event_ids = [e["id"] for e in kept.events]
    audit.record_many(session, ctx, "deliveries.confirm", "delivery_event", event_ids, by=kept.tellers)


def keep_findings(session: Session, ctx: Ctx, kept: Kept) -> None:
    """Report what a chunk found, and close what it found to be over."""
    for check_name in sorted({name for name, _ in kept.findings}):
        found = [kept.findings[key] for key in sorted(kept.findings) if key[0] == check_name]
        audit.report_many(session, ctx, check_name, found)
    for check_name in sorted({name for name, _ in kept.settled}):
        subjects = [subject for name, subject in sorted(kept.settled) if name == check_name]
        audit.resolve_many(session, ctx, check_name, subjects)


def note_sequences(session: Session, told: Sequence[tuple[Ctx, Confirmation]]) -> None:
    """Note which of a device's numbers have come; a hole between them is a finding until what is missing comes."""
    names: dict[str, str] = {}
    numbered = []
    for by, item in told:
        if item.device_id is not None and item.device_seq is not None:
            owner = f"{by.actor.kind}:{by.actor.id or by.actor.name}"
            names[owner] = by.actor.name
            numbered.append({"owner": owner, "device": item.device_id, "seq": item.device_seq})
    if not numbered:
        return
    ctx = told[0][0]
    known = rows(session, SEQUENCES, {"rows": _json(numbered), "now": ctx.now})
    gaps = [
        {
            "subject": f"{row['owner']}/{row['device']}",
            "title": "A device has told later things, and something before them has not arrived.",
            "severity": str(Severity.warning),
            "money_minor": None,
            "currency": None,
            "customer_id": None,
            "facts": {"device": row["device"], "told_by": names[row["owner"]], "missing": row["missing"]},
        }
        for row in known
        if row["missing"]
    ]
    audit.report_many(session, ctx, "device_gap", gaps)
    whole = [f"{row['owner']}/{row['device']}" for row in known if not row["missing"]]
    if whole:
        audit.resolve_many(session, ctx, "device_gap", whole)


def resolve_rejections(session: Session, ctx: Ctx, verdicts: Sequence[Verdict]) -> None:
    """Close earlier rejections of what has now been accepted under the same client_id."""
    taken = [v.client_id for v in verdicts if v.answer in {Answer.accepted, Answer.superseded}]
    if taken:
        run(
            session,
            "UPDATE delivery_rejections SET resolved_at = :now "
            "WHERE client_id = ANY(:client_ids) AND resolved_at IS NULL",
            {"now": ctx.now, "client_ids": taken},
        )


def keep_rejections(session: Session, ctx: Ctx, bodies: Sequence[bytes], verdicts: Sequence[Verdict]) -> None:
    """Keep what was refused as it came; the same text refused for the same reason is kept once."""
    last = {v.client_id: n for n, v in enumerate(verdicts) if v.answer in {Answer.accepted, Answer.superseded}}
    found: dict[str, dict[str, Any]] = {}
    for n, (body, verdict) in enumerate(zip(bodies, verdicts, strict=True)):
        if verdict.answer == Answer.rejected:
            digest = sha256(b"\n".join((body, (verdict.field or "").encode(), str(verdict.rule).encode()))).hexdigest()
            found.setdefault(
                digest,
                {
                    "client_id": verdict.client_id,
                    "body": body.decode("utf-8", "backslashreplace").replace("\0", "\\x00"),
                    "field": verdict.field,
                    "rule": verdict.rule,
                    "digest": digest,
                    "is_resolved": verdict.client_id is not None and last.get(verdict.client_id, -1) > n,
                },
            )
    if found:
        run(session, REJECTIONS, {"rows": _json([found[digest] for digest in sorted(found)]), "now": ctx.now})
