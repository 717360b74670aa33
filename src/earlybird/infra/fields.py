"""What values a field takes: the same bounds at the edge and in the database, and what is said where they are broken.

The edge asks while the policy `check_fields` is on. The database holds what the step `fields_held` built.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from earlybird.infra import policies
from earlybird.infra.db import run
from earlybird.kernel.errors import Invalid

POLICY = "check_fields"
ENDING = "_held_check"

DANGLES = "_held_fkey"
"""The ending of the constraints that hold a reference."""

LONGEST_NAME, LONGEST_EMAIL = 255, 254
DEAREST, MOST = 100_000, 10_000
"""Major units per unit; units of anything."""
RIGHT, STRAIGHT = 90, 180


class ValueOutOfBounds(Invalid):
    """The value lies outside what the field takes."""


class NothingThere(Invalid):
    """That names nothing that is there."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a value must be: as a sentence, as SQL over `{0}`, and as Python."""

    says: str
    sql: str
    fits: Callable[[Any], bool]


NAME = Bound(
    f"A name has 1 to {LONGEST_NAME} characters.",
    f"char_length({{0}}) BETWEEN 1 AND {LONGEST_NAME}",
    lambda text: 1 <= len(text) <= LONGEST_NAME,
)
PART = Bound(
    f"A part of an address has at most {LONGEST_NAME} characters.",
    f"char_length({{0}}) <= {LONGEST_NAME}",
    lambda text: len(text) <= LONGEST_NAME,
)
PHONE = Bound(
    "A phone number is kept in full, as +919876543210, or as the ten digits that the old system kept.",
    "{0} ~ '^([+][1-9][0-9]{{5,14}}|[1-9][0-9]{{9}})$'",
    lambda text: bool(re.fullmatch(r"\+[1-9][0-9]{5,14}|[1-9][0-9]{9}", text)),
)
EMAIL = Bound(
    f"An e-mail address is written as name@example.com, in at most {LONGEST_EMAIL} characters.",
    f"char_length({{0}}) <= {LONGEST_EMAIL} AND {{0}} ~ '^[^@\\s]+@[^@\\s]+[.][^@\\s]+$'",
    lambda text: len(text) <= LONGEST_EMAIL and bool(re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", text)),
)
POSTAL_CODE = Bound(
    "A postal code has 2 to 12 letters and digits, as 560001 or M5V 2T6.",
    "{0} ~ '^[A-Za-z0-9][A-Za-z0-9 -]{{1,11}}$'",
    lambda text: bool(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 -]{1,11}", text)),
)
LATITUDE = Bound("A latitude lies between -90 and 90 degrees.", "abs({0}) <= 90", lambda degrees: abs(degrees) <= RIGHT)
LONGITUDE = Bound(
    "A longitude lies between -180 and 180 degrees.", "abs({0}) <= 180", lambda degrees: abs(degrees) <= STRAIGHT
)
PRICE = Bound(
    f"A unit price lies between 0 and {DEAREST:,}.",
    f"{{0}} BETWEEN 0 AND {DEAREST}",
    lambda price: Decimal(0) <= price <= DEAREST,
)
QUANTITY = Bound(
    f"A quantity lies between 0 and {MOST:,}.",
    f"{{0}} BETWEEN 0 AND {MOST}",
    lambda quantity: Decimal(0) <= quantity <= MOST,
)

INDIA = re.compile(r"[1-9][0-9]{5}")
CANADA = re.compile(r"[ABCEGHJ-NPRSTVXY][0-9][A-Z] ?[0-9][A-Z][0-9]", re.IGNORECASE)
BY_COUNTRY = {
    "IN": (INDIA, "A postal code of India has six digits, the first not 0."),
    "CA": (CANADA, "A postal code of Canada is written as M5V 2T6."),
}
"""How postal codes are written where we deliver; elsewhere any will do. Asked at the edge: a row knows no country."""


@dataclass(frozen=True, slots=True)
class Held:
    """A column and its bound; `unless` is SQL over `{row}` for the rows it does not bind."""

    table: str
    column: str
    bound: Bound
    unless: str | None = None

    @property
    def name(self) -> str:
        """The name of what holds it in the database."""
        return f"{self.table}_{self.column}{ENDING}"

    def fits(self, row: str = "") -> str:
        """Return the SQL for: the row (named with its dot, as `NEW.`) keeps the bound."""
        kept = self.bound.sql.format(row + self.column)
        return f"({self.unless.format(row=row)}) OR ({kept})" if self.unless else kept


PLANNED = "{row}source <> 'one_time'"
"""The plan copies what standing orders and prices say: one of them out of bounds must not stop a night's plan."""

HELD: tuple[Held, ...] = (
    Held("addresses", "line1", PART),
    Held("addresses", "line2", PART),
    Held("addresses", "city", PART),
    Held("addresses", "postal_code", POSTAL_CODE),
    Held("addresses", "latitude", LATITUDE),
    Held("addresses", "longitude", LONGITUDE),
    Held("areas", "name", NAME),
    Held("areas", "postal_code", POSTAL_CODE),
    Held("customers", "name", NAME),
    Held("customers", "phone", PHONE),
    Held("customers", "email", EMAIL),
    Held("order_lines", "quantity", QUANTITY, PLANNED),
    Held("order_lines", "unit_price", PRICE, PLANNED),
    Held("prices", "unit_price", PRICE),
    Held("products", "name", NAME),
    Held("products", "pack_size", QUANTITY),
    Held("requests", "quantity", QUANTITY),
    Held("sites", "name", NAME),
    Held("sites", "latitude", LATITUDE),
    Held("sites", "longitude", LONGITUDE),
    Held("subscription_overrides", "quantity", QUANTITY),
    Held("subscription_versions", "quantity", QUANTITY),
    Held("subscription_versions", "agreed_price", PRICE),
    Held("users", "name", NAME),
    Held("users", "phone", PHONE),
    Held("users", "email", EMAIL),
)
"""Every field that is held; by table."""

BY_NAME = {held.name: held for held in HELD}
BOUNDS = {(held.table, held.column): held.bound for held in HELD}


def check(session: Session, table: str, /, *, inside: str = "", **facts: Any) -> None:
    """Refuse facts of a table that lie outside their bounds, while the rule is on; None and other fields pass.

    `inside` is where the fields stand in what was sent, with its dot. The policy is asked only where one does not fit.
    """
    for name, fact in facts.items():
        bound = BOUNDS.get((table, name))
        if bound is not None and fact is not None and not bound.fits(fact) and policies.is_on(session, POLICY):
            raise ValueOutOfBounds(bound.says, field=inside + name)


def check_postal_code(session: Session, text: str | None, country: str, *, field: str = "postal_code") -> None:
    """Refuse a postal code that is none of that country (ISO 3166-1, two letters), while the rule is on."""
    form, says = BY_COUNTRY.get(country, (None, ""))
    if form and text and not form.fullmatch(text) and policies.is_on(session, POLICY):
        raise ValueOutOfBounds(says, field=field)


def broken(failure: IntegrityError) -> Held | None:
    """Return which field's bound the database found broken, where it was one."""
    return BY_NAME.get(getattr(getattr(failure.orig, "diag", None), "constraint_name", None) or "")


def hold_every_row(session: Session, table: str, wanted: Sequence[Held]) -> None:
    """Hold fields of one table by constraints that old rows are not asked about yet; triggers go."""
    for held in wanted:
        run(session, f"DROP TRIGGER IF EXISTS {held.name} ON {table}")
    parts = (f"ADD CONSTRAINT {held.name} CHECK ({held.fits()}) NOT VALID" for held in wanted)
    run(session, f"ALTER TABLE {table} {', '.join(parts)}")


def hold_changes(session: Session, held: Held) -> None:
    """Hold a field where it is new or changed, by a trigger: rows that break the bound stand and stay changeable.

    What is taken over from elsewhere passes: it is as it was there.
    """
    run(session, f"ALTER TABLE {held.table} DROP CONSTRAINT IF EXISTS {held.name}")
    run(
        session,
        f"CREATE OR REPLACE TRIGGER {held.name} BEFORE INSERT OR UPDATE OF {held.column} ON {held.table} FOR EACH ROW "
        f"WHEN (NOT ({held.fits('NEW.')})) EXECUTE FUNCTION refuse_unfit('{held.column}')",
    )


def refused(failure: IntegrityError) -> Invalid | None:
    """Return what to say where the database refused a value out of its bounds, or a reference to nothing; else None."""
    said = getattr(failure.orig, "diag", None)
    held = broken(failure)
    if held:
        return ValueOutOfBounds(held.bound.says, field=held.column)
    name, table = getattr(said, "constraint_name", None) or "", getattr(said, "table_name", None) or ""
    if name.endswith(DANGLES):
        return NothingThere(field=name.removeprefix(f"{table}_").removesuffix(DANGLES))
    return None
