"""Record money received, settle what is open with it, and take back what did not hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.billing import errors, queries
from earlybird.billing.schemas import LegacyKey, PaymentIn, ReversalIn
from earlybird.billing.service import allocation
from earlybird.billing.states import PAYMENT, PaymentState
from earlybird.infra.db import rows, run
from earlybird.kernel.clock import business_day
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Failure
from earlybird.kernel.money import scale
from earlybird.ledger import service as ledger

POSTINGS = """
SELECT n.journal_id, y.business_id, 'payment' AS kind, y.received_on AS posted_on, y.reference AS memo,
       CAST(NULL AS uuid) AS reverses_id, p.account, p.customer_id, p.user_id, p.amount_minor, y.currency
FROM posted_payments n JOIN payments y ON y.id = n.id
CROSS JOIN LATERAL (VALUES
    (CASE WHEN y.method <> 'cash' THEN 'bank' WHEN y.delivery_id IS NULL THEN 'depot_cash' ELSE 'driver_cash' END,
     CAST(NULL AS uuid), y.holder_id, y.amount_minor),
    ('customer_advance', y.customer_id, NULL, -y.amount_minor)
) AS p (account, customer_id, user_id, amount_minor)
"""
"""Money comes to the bank, to the depot, or at the door into the driver's bag; to the customer it is advance."""


@dataclass
class Outcome:
    """What became of the rows of a file."""

    recorded: int = 0
    reversed: int = 0
    repeats: list[int] = field(default_factory=list)
    rejected: list[dict[str, Any]] = field(default_factory=list)

    @property
    def repeated(self) -> int:
        """How many rows said what was known already."""
        return len(self.repeats)

    def add(self, other: Outcome) -> None:
        """Count another chunk in."""
        self.recorded += other.recorded
        self.reversed += other.reversed
        self.repeats += other.repeats
        self.rejected += other.rejected


@dataclass(frozen=True)
class _Row:
    place: int
    body: str
    fact: PaymentIn
    customer_id: UUID
    business_id: UUID
    amount_minor: int


def receive(session: Session, ctx: Ctx, given: Sequence[tuple[int, str, Any]]) -> Outcome:
    """Record payments and settle the oldest open documents with them.

    `given` holds (line number, text as it came, what it parsed to or None). Each row is judged on its own; a refused
    one is kept in `payment_rejections` with its field and rule. A known `client_id` is a repeat and
    changes nothing, unless it speaks of another payment: that is refused.
    """
    outcome = Outcome()
    facts = _judged(session, ctx, outcome, given, PaymentIn)
    people = _people(session, [fact for _, _, fact in facts])
    fit: dict[str, _Row] = {}
    for place, body, fact in facts:
        assert isinstance(fact, PaymentIn)  # noqa: S101
        row = _fitting(session, ctx, outcome, place, body, fact, people)
        if row is None:
            continue
        earlier = fit.setdefault(fact.client_id, row)
        if earlier is not row:
            _same_or_reject(session, ctx, outcome, row, _told(earlier))
    queries.lock_payers(session, sorted({row.customer_id for row in fit.values()}))
    made = {
        row["client_id"]: row["id"]
        for row in rows(
            session,
            """
            INSERT INTO payments (business_id, customer_id, client_id, amount_minor, currency, method, received_on,
                                  reference, note, made_at, state_at)
            SELECT business_id, customer_id, client_id, amount_minor, currency, method, received_on, reference, note,
                   :now, :now
            FROM jsonb_to_recordset(CAST(:payments AS jsonb)) AS p (business_id uuid, customer_id uuid,
                 client_id text, amount_minor bigint, currency text, method text, received_on date, reference text,
                 note text)
            ORDER BY client_id
            ON CONFLICT (client_id) DO NOTHING RETURNING id, client_id
            """,
            {"now": ctx.now, "payments": orjson.dumps([_told(row) for row in fit.values()]).decode()},
        )
    }
    known = {
        row["client_id"]: row
        for row in rows(
            session,
            "SELECT client_id, business_id, customer_id, amount_minor, currency, method, received_on "
            "FROM payments WHERE client_id = ANY(:ids)",
            {"ids": [client_id for client_id in fit if client_id not in made]},
        )
    }
    for client_id, row in fit.items():
        if client_id not in made:
            _same_or_reject(session, ctx, outcome, row, known[client_id])
    outcome.recorded += len(made)
    if made:
        post(session, ctx, list(made.values()))
        audit.record_many(session, ctx, "payments.record", "payment", list(made.values()))
        allocation.allocate_open(session, ctx, sorted({fit[client_id].customer_id for client_id in made}))
    return outcome


def record(session: Session, ctx: Ctx, fact: PaymentIn) -> UUID | Failure:
    """Record one payment as `receive` does; return its id, the known one's for a repeat, or why it was refused.

    A refusal is returned, not raised: the refused row is kept.
    """
    told = fact.model_dump(exclude_none=True)
    outcome = receive(session, ctx, [(1, fact.model_dump_json(exclude_none=True), told)])
    for refused in outcome.rejected:
        kind = errors.PaymentDiffers if refused["field"] == "client_id" else errors.PaymentRefused
        return kind(refused["rule"], field=refused["field"])
    return queries.payments_by_client_id(session, [fact.client_id])[fact.client_id]


def receive_batch(session: Session, ctx: Ctx, given: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Record a batch as `receive` does; return the counts and one verdict per row, in order."""
    outcome = receive(session, ctx, [(place, json.dumps(row), row) for place, row in enumerate(given)])
    refused = {row["line"]: row for row in outcome.rejected}
    repeats = set(outcome.repeats)
    names = [name if isinstance(name := row.get("client_id"), str) else None for row in given]
    made = queries.payments_by_client_id(
        session, [name.strip() for place, name in enumerate(names) if name and place not in refused]
    )
    verdicts = []
    for place, name in enumerate(names):
        why = refused.get(place)
        verdicts.append(
            {
                "place": place,
                "client_id": legible(name) if name else None,
                "verdict": "rejected" if why else "repeated" if place in repeats else "recorded",
                "payment_id": None if why else made[str(name).strip()],
                "field": why["field"] if why else None,
                "rule": why["rule"] if why else None,
            }
        )
    return {
        "recorded_count": outcome.recorded,
        "repeated_count": outcome.repeated,
        "rejected_count": len(refused),
        "rows": verdicts,
    }


def post(session: Session, ctx: Ctx, payment_ids: Sequence[UUID]) -> int:
    """Book recorded payments that have no journal yet: bank or cash to the customer's advance; return how many."""
    run(session, "DROP TABLE IF EXISTS pg_temp.posted_payments")
    run(
        session,
        "CREATE TEMPORARY TABLE posted_payments ON COMMIT DROP AS SELECT id, new_id() AS journal_id "
        "FROM payments WHERE id = ANY(:ids) AND journal_id IS NULL",
        {"ids": list(payment_ids)},
    )
    ledger.post_many(session, ctx, POSTINGS)
    return run(
        session,
        "UPDATE payments y SET journal_id = n.journal_id FROM posted_payments n WHERE n.id = y.id",
    )


def reverse(session: Session, ctx: Ctx, given: Sequence[tuple[int, str, Any]]) -> Outcome:
    """Take former payments back: mirror their journals, undo their allocations; a repeat changes nothing."""
    outcome = Outcome()
    facts = _judged(session, ctx, outcome, given, ReversalIn)
    names = [fact.reverse for _, _, fact in facts if isinstance(fact, ReversalIn)]
    known = rows(
        session,
        "SELECT y.id, y.client_id, y.customer_id FROM payments y WHERE y.client_id = ANY(:names)",
        {"names": names},
    )
    queries.lock_payers(session, sorted({row["customer_id"] for row in known if row["customer_id"]}))
    state = {row["client_id"]: row for row in _locked(session, [row["id"] for row in known])}
    owners: set[UUID] = set()
    for place, body, fact in facts:
        assert isinstance(fact, ReversalIn)  # noqa: S101
        row = state.get(fact.reverse)
        if row is None:
            _reject(session, ctx, outcome, place, body, "reverse", "There is no payment of that client_id.")
        elif row["state"] == PaymentState.reversed:
            outcome.repeats.append(place)
        else:
            row["state"] = PaymentState.reversed
            take_back(session, ctx, [row], reason=fact.reason)
            outcome.reversed += 1
            if row["customer_id"]:
                owners.add(row["customer_id"])
    if owners:
        allocation.allocate_open(session, ctx, sorted(owners))
    return outcome


def reverse_one(session: Session, ctx: Ctx, payment_id: UUID, *, reason: str) -> None:
    """Take one payment back; one that was taken back before stays as it is."""
    known = rows(session, "SELECT customer_id FROM payments WHERE id = :id", {"id": payment_id})
    queries.lock_payers(session, [row["customer_id"] for row in known if row["customer_id"]])
    found = _locked(session, [payment_id])
    if not found:
        raise errors.NoSuchPayment(payment=payment_id)
    row = found[0]
    if row["state"] == PaymentState.reversed:
        return
    take_back(session, ctx, [row], reason=reason)
    if row["customer_id"]:
        allocation.allocate_open(session, ctx, [row["customer_id"]])


def legible(text: str) -> str:
    """Return a text as the database and JSON can hold it: no NUL, no half of a character."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def _locked(session: Session, payments: Sequence[UUID]) -> list[dict[str, Any]]:
    return rows(
        session,
        "SELECT y.id, y.client_id, y.customer_id, y.state, y.journal_id, b.zone FROM payments y "
        "JOIN businesses b ON b.id = y.business_id WHERE y.id = ANY(:ids) ORDER BY y.id FOR UPDATE OF y",
        {"ids": list(payments)},
    )


def take_back(session: Session, ctx: Ctx, found: Sequence[dict[str, Any]], *, reason: str) -> None:
    """Undo locked payments, given by id, journal_id and their zone: allocations, journals, then their state."""
    keys = [row["id"] for row in found]
    allocation.take_back(session, ctx, payments=keys)
    for zone in sorted({row["zone"] for row in found}):
        ledger.reverse_many(
            session,
            ctx,
            [row["journal_id"] for row in found if row["zone"] == zone],
            kind="payment_reversal",
            posted_on=business_day(ctx.now, zone),
            memo=reason,
        )
    audit.move_many(session, ctx, "payments", PAYMENT, "reverse", keys, reason=reason)


def _judged(
    session: Session, ctx: Ctx, outcome: Outcome, given: Sequence[tuple[int, str, Any]], shape: type[BaseModel]
) -> list[tuple[int, str, BaseModel]]:
    good = []
    for place, body, parsed in given:
        if not isinstance(parsed, dict):
            _reject(session, ctx, outcome, place, body, None, "The line is not a JSON object.")
            continue
        try:
            good.append((place, body, shape.model_validate(parsed)))
        except ValidationError as wrong:
            first = wrong.errors(include_url=False)[0]
            where = legible(str(first["loc"][0])) if first["loc"] else "amount"
            _reject(session, ctx, outcome, place, body, where, first["msg"])
    return good


def _people(session: Session, facts: Sequence[BaseModel]) -> dict[Any, dict[str, Any]]:
    """Find the customers of a chunk by id, code and legacy key: one statement, names as they were given."""
    named = [fact.customer for fact in facts if isinstance(fact, PaymentIn)]
    keys = [name for name in named if isinstance(name, LegacyKey)]
    found = rows(
        session,
        """
        SELECT 'id' AS by, CAST(c.id AS text) AS name, c.id, c.business_id, b.currency, b.zone
        FROM customers c JOIN businesses b ON b.id = c.business_id WHERE c.id = ANY(CAST(:ids AS uuid[]))
        UNION ALL
        SELECT 'code', c.code, c.id, c.business_id, b.currency, b.zone
        FROM customers c JOIN businesses b ON b.id = c.business_id WHERE c.code = ANY(CAST(:codes AS text[]))
        UNION ALL
        SELECT 'key', concat_ws(chr(31), k.source, k.kind, k.key), c.id, c.business_id, b.currency, b.zone
        FROM customer_keys k JOIN customers c ON c.id = k.customer_id JOIN businesses b ON b.id = c.business_id
        WHERE (k.source, k.kind, k.key) IN (
            SELECT * FROM unnest(CAST(:sources AS text[]), CAST(:kinds AS text[]), CAST(:keys AS text[])))
        """,
        {
            "ids": [name for name in named if isinstance(name, UUID)],
            "codes": [name for name in named if isinstance(name, str)],
            "sources": [key.source for key in keys],
            "kinds": [key.kind for key in keys],
            "keys": [key.key for key in keys],
        },
    )
    return {(row["by"], row["name"]): row for row in found}


def _fitting(
    session: Session,
    ctx: Ctx,
    outcome: Outcome,
    place: int,
    body: str,
    fact: PaymentIn,
    people: dict[Any, dict[str, Any]],
) -> _Row | None:
    name = fact.customer
    if isinstance(name, LegacyKey):
        sought = ("key", f"{name.source}\x1f{name.kind}\x1f{name.key}")
    else:
        sought = ("id" if isinstance(name, UUID) else "code", str(name))
    person = people.get(sought)
    wrong: tuple[str, str] | None = None
    minor = fact.amount_minor or 0
    if person is None:
        wrong = ("customer", "There is no such customer.")
    elif fact.currency != person["currency"]:
        wrong = ("currency", f"This customer is billed in {person['currency']}.")
    elif fact.received_on > business_day(ctx.now, person["zone"]):
        wrong = ("received_on", "The date is in the future.")
    elif fact.amount is not None:
        exact = fact.amount * scale(fact.currency)
        minor = int(exact)
        if exact != minor:
            wrong = ("amount", f"{fact.currency} has fewer decimals than that.")
    if wrong or person is None:
        _reject(session, ctx, outcome, place, body, *(wrong or ("customer", "")))
        return None
    return _Row(place, body, fact, person["id"], person["business_id"], minor)


def _told(row: _Row) -> dict[str, Any]:
    return {
        "business_id": row.business_id,
        "customer_id": row.customer_id,
        "client_id": row.fact.client_id,
        "amount_minor": row.amount_minor,
        "currency": row.fact.currency,
        "method": row.fact.method,
        "received_on": row.fact.received_on,
        "reference": row.fact.reference,
        "note": row.fact.note,
    }


def _same_or_reject(session: Session, ctx: Ctx, outcome: Outcome, row: _Row, other: dict[str, Any]) -> None:
    told = _told(row)
    differs = [
        name
        for name in ("customer_id", "amount_minor", "currency", "method", "received_on")
        if told[name] != other[name]
    ]
    if differs:
        rule = f"Another payment came under this client_id: {', '.join(differs)} differ."
        _reject(session, ctx, outcome, row.place, row.body, "client_id", rule)
    else:
        outcome.repeats.append(row.place)


def _reject(session: Session, ctx: Ctx, outcome: Outcome, place: int, body: str, where: str | None, rule: str) -> None:
    run(
        session,
        "INSERT INTO payment_rejections (body, field, rule, digest, received_at) "
        "VALUES (:body, :field, :rule, :digest, :now) ON CONFLICT (digest) DO NOTHING",
        {
            "body": legible(body),
            "field": where,
            "rule": rule,
            "digest": hashlib.sha256(body.encode(errors="surrogatepass")).hexdigest(),
            "now": ctx.now,
        },
    )
    outcome.rejected.append({"line": place, "field": where, "rule": rule})
