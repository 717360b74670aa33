"""Payments as a table: one row each, once per `client_id`; recorded and allocated as any payment is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from earlybird.billing.service import payments
from earlybird.importers.tables import cells, parties
from earlybird.importers.tables.columns import Column, Columns, Problem, Row
from earlybird.importers.tables.home import Home
from earlybird.importers.tables.kinds import Export, Kind, Piece, Written, alone, as_json
from earlybird.importers.tables.reading import Cell
from earlybird.kernel.ctx import Ctx


def currency(cell: Cell, home: Home) -> str:
    """Return the currency, which must be the business's."""
    said = cells.word(cell, home).upper()
    if said != home.currency:
        raise cells.Unfit(f"This business is paid in {home.currency}.")
    return said


def received(cell: Cell, home: Home) -> Any:
    """Return the day money came in, not after today."""
    found = cells.day(cell, home)
    if found > home.today:
        raise cells.Unfit("The date is in the future.")
    return found


def above_zero(cell: Cell, home: Home) -> Any:
    """Return an amount above zero."""
    found = cells.amount(cell, home)
    if found <= 0:
        raise cells.Unfit("An amount above zero; a payment that did not hold is reversed, not imported.")
    return found


def method(cell: Cell, home: Home) -> str:
    """Return how it was paid, in lower case."""
    found = cells.word(cell, home).lower()
    if len(found) > 40:  # noqa: PLR2004
        raise cells.Unfit("At most 40 characters.")
    return found


def client_id(cell: Cell, home: Home) -> str:
    """Return the payment's own name."""
    found = cells.word(cell, home)
    if len(found) > 200:  # noqa: PLR2004
        raise cells.Unfit("At most 200 characters.")
    return found


COLUMNS = Columns(
    (
        Column("client_id", client_id, "the payment's own name", required=True, also=("key", "external_id", "id")),
        Column("customer", cells.word, "key or code of the customer", required=True, also=("customer_key",)),
        Column("amount", above_zero, "major units, as 1,250.00", required=True),
        Column("currency", currency, "the business's (default)"),
        Column("method", method, "cash, upi, card, bank …", required=True),
        Column("received_on", received, "the day it came in", required=True, also=("date",)),
        Column("reference", cells.text, "number of the transfer or cheque"),
        Column("note", cells.text, "anything else"),
        Column("state", cells.one_of("recorded", "reversed"), "recorded (default); a reversed one is not taken"),
    )
)

EXPORT = Export(
    "payments",
    """
    SELECT y.client_id, coalesce(ck.key, c.code) AS customer, y.amount_minor AS amount, y.currency,
           y.method, y.received_on, y.reference, y.note, y.state
    FROM payments y
    LEFT JOIN customers c ON c.id = y.customer_id
    LEFT JOIN LATERAL (SELECT min(k.key) AS key FROM customer_keys k
                       WHERE k.customer_id = c.id AND k.source = :source AND k.kind = :kind) ck ON true
    WHERE y.business_id = :business_id
    ORDER BY y.received_on, y.client_id
    """,
)


def judge(row: Row, home: Home) -> Problem | None:
    """Refuse a payment that was taken back: it is no money."""
    if row.facts.get("state") == "reversed":
        return Problem("state", "A reversed payment is no money; reverse it with `earlybird pay`.")
    row.facts.setdefault("currency", home.currency)
    return None


def write(session: Session, ctx: Ctx, home: Home, pieces: Sequence[Piece]) -> Written:
    """Hand the rows to the one service that receives money; a known `client_id` changes nothing."""
    done = Written()
    customers = parties.find(session, home, {row.facts["customer"] for row in alone(pieces)})
    given = []
    by_line = {piece.line: piece for piece in pieces}
    for row in alone(pieces):
        customer = customers.get(row.facts["customer"])
        if customer is None:
            done.refuse(by_line[row.line], "customer", parties.UNKNOWN)
            continue
        told = {**row.facts, "customer": customer["id"], "amount": str(row.facts["amount"])}
        told.pop("state", None)
        given.append((row.line, as_json([told]), told))
    outcome = payments.receive(session, ctx, given)
    for rejected in outcome.rejected:
        done.refuse(by_line[rejected["line"]], rejected["field"], rejected["rule"])
    done.counts["created"] += outcome.recorded
    done.counts["same"] += outcome.repeated
    return done


def identity(piece: Piece) -> tuple[object, ...]:
    """Return the payment's own name."""
    return ("key", piece.facts["client_id"])


KIND = Kind("payments", COLUMNS, write, identity, judge=judge)
