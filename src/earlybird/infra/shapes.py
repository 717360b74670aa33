"""The shapes every door speaks in: bounded text, exact decimals, pages with cursors, problems."""

from __future__ import annotations

import base64
import re
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Generic, TypeVar, cast
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

from earlybird.kernel import pages

T = TypeVar("T")

EXACT_BELOW = 2**53
"""From here on a float does not tell one whole number from the next."""

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
WIDE = r"\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
BLANK = rf"\x00-\x20\x7f{WIDE}"
"""What shows nothing, spelled out for a pattern's brackets: every language means something else by a space."""

AROUND = rf"[\x09-\x0d\x20{WIDE}]*"
"""The space around a text that is taken off it, for the ends of a pattern."""

ONE_LINE = rf"^{AROUND}[^{BLANK}]([^\x00-\x1f\x7f]*[^{BLANK}])?{AROUND}$"
LINES = rf"^{AROUND}[^\x00-\x08\x0b-\x1f\x7f]*{AROUND}$"
SEARCHED = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"


def _no_control(text: str) -> str:
    if CONTROL.search(text):
        raise ValueError("text may not hold control characters")
    return text


TRIMMED = AfterValidator(str.strip)
"""The space around a text is taken off, once all of it was held to its rules."""

Word = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=ONE_LINE), TRIMMED]
"""One line of text, 1 to 200 characters."""

Note = Annotated[str, StringConstraints(max_length=2000, pattern=LINES), TRIMMED]
"""Some lines of text, up to 2,000 characters."""

Search = Annotated[str | None, Field(max_length=100, pattern=SEARCHED), AfterValidator(lambda t: t and _no_control(t))]
"""What a list is searched for."""

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), Field(examples=["INR"])]


def _whole(given: Any) -> Any:
    """Return 2 for 2.0: JSON knows one kind of number, and that is a whole one."""
    return int(given) if isinstance(given, float) and given.is_integer() and abs(given) < EXACT_BELOW else given


WHOLE = BeforeValidator(_whole)
"""Beside a strict int: 2.0 is taken as well as 2, but no text, no true or false, and nothing with a fraction."""

Minor = Annotated[int, Field(strict=True, ge=-(10**15), le=10**15, examples=[6000]), WHOLE]
"""Money in whole minor units: paise, cents."""


def exact(given: Any) -> Any:
    """Return the decimal a text or whole number says; one with a fraction is refused, since it lost digits already."""
    given = _whole(given)
    if isinstance(given, bool | float):
        raise ValueError('write the number as text, as "1.5": a float loses digits')  # noqa: TRY004
    if isinstance(given, str):
        if not re.fullmatch(r"-?\d{1,12}(\.\d{1,6})?", given, re.ASCII):
            raise ValueError("a number has digits and at most one point, as 1.5")
        try:
            return Decimal(given)
        except InvalidOperation as failure:  # pragma: no cover
            raise ValueError("not a number") from failure
    return given


def _decimal(places: int, example: str, *, digits: int = 9) -> Any:
    pattern = rf"^[0-9]{{1,{digits}}}(\.[0-9]{{1,{places}}})?$"
    schema = {
        "anyOf": [{"type": "string", "pattern": pattern}, {"type": "integer", "minimum": 0, "maximum": 10**digits - 1}],
        "examples": [example],
    }
    return Annotated[
        Decimal,
        BeforeValidator(exact),
        Field(ge=0, lt=10**digits, decimal_places=places),
        WithJsonSchema(schema, mode="validation"),
        WithJsonSchema({"type": "string", "examples": [example]}, mode="serialization"),
    ]


Quantity = _decimal(3, "1.5")
"""So much of a unit, zero or more, at most three decimals; text in JSON."""

Portion = _decimal(3, "1.5", digits=6)
"""So much of a unit as one person may want of one thing, below a million: its price fits wherever money is kept."""

UnitPrice = _decimal(4, "60.00")
"""Major units per unit, at most four decimals; text in JSON."""

Share = Annotated[
    Decimal,
    BeforeValidator(exact),
    Field(ge=0, lt=1, decimal_places=4),
    WithJsonSchema({"type": "string", "pattern": r"^0(\.[0-9]{1,4})?$", "examples": ["0.025"]}),
]
"""A part of the whole, zero or more and below one, at most four decimals: 0.025 is 2.5 %; text in JSON."""

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 31)
DAY = r"^2[01][0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"


def _day(given: Any) -> Any:
    if isinstance(given, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", given, re.ASCII):
        return given
    if isinstance(given, date) and not isinstance(given, datetime):
        return given
    raise ValueError("a date is written YYYY-MM-DD")


Day = Annotated[
    date,
    BeforeValidator(_day),
    Field(ge=FIRST_DAY, le=LAST_DAY),
    WithJsonSchema({"type": "string", "format": "date", "pattern": DAY, "examples": ["2026-01-19"]}),
]
"""A business date in the zone of the site, of this or the next century."""

FIRST_YEAR, LAST_YEAR = 2000, 2199


def _written(value: Any) -> Any:
    """Refuse instants given as numbers: seconds or milliseconds, nobody can tell."""
    if isinstance(value, datetime) or (isinstance(value, str) and value[4:5] == "-"):
        return value
    raise ValueError("an instant is written as ISO 8601 text with its offset from UTC")


def _utc(value: datetime) -> datetime:
    """Hold an instant in UTC, in a century that has deliveries."""
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"an instant lies between {FIRST_YEAR} and {LAST_YEAR}")
    return value.astimezone(UTC)


INSTANT = (
    r"^2[01][0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?"
    r"(Z|[+-][01][0-9]:[0-5][0-9])$"
)
Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_written),
    AfterValidator(_utc),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "pattern": INSTANT, "examples": ["2026-02-16T06:30:00+05:30"]}
    ),
]
"""An instant of this or the next century, as ISO 8601 text with its offset; held in UTC."""

HOUR = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"


def _hour(given: Any) -> Any:
    if isinstance(given, time) or (isinstance(given, str) and re.fullmatch(HOUR, given)):
        return given
    raise ValueError("a time of day is written HH:MM")


Hour = Annotated[
    time,
    BeforeValidator(_hour),
    PlainSerializer(lambda at: at.strftime("%H:%M"), return_type=str),
    WithJsonSchema({"type": "string", "pattern": HOUR, "examples": ["20:00"]}),
]
"""A time of day in the zone of the site."""


def cursor_of(key: UUID) -> str:
    """Return the opaque text that stands for a place in a list."""
    return base64.urlsafe_b64encode(key.bytes).rstrip(b"=").decode()


def _place(given: Any) -> Any:
    if isinstance(given, str):
        try:
            found = UUID(bytes=base64.b64decode(given + "==", altchars=b"-_", validate=True))
        except ValueError:
            found = None
        if found is None or cursor_of(found) != given:
            raise ValueError("a cursor is what an answer gave as next, unchanged")
        return found
    return given


Cursor = Annotated[
    UUID | None,
    BeforeValidator(_place),
    Field(description="Where the page begins: the `next` of the answer before."),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_-]{21}[AQgw]$"}),
]
Limit = Annotated[int, Field(ge=1, le=pages.LIMIT, description="The most items the page may hold.")]


class Strict(BaseModel):
    """An input: a field that is not listed is refused."""

    model_config = ConfigDict(extra="forbid")

    def sent(self) -> dict[str, Any]:
        """Return the fields that were sent, and no others."""
        return self.model_dump(exclude_unset=True)


def unsent() -> Any:
    """Stand for a field of a change that was not sent, as its default factory: `sent` leaves it out."""
    return None


class Paged(BaseModel, Generic[T]):
    """Some items, newest first, and the cursor of the next page (null at the end)."""

    model_config = ConfigDict(from_attributes=True)

    items: list[T]
    next: Annotated[str | None, BeforeValidator(lambda place: cursor_of(place) if isinstance(place, UUID) else place)]


def paged(page: pages.Page[Any]) -> Paged[Any]:
    """Return a page of rows as it is; the door holds it to the shape its endpoint promises."""
    return cast("Paged[Any]", page)


class Mistake(BaseModel):
    """A field that breaks a rule."""

    pointer: str = Field(examples=["/body/quantity"])
    detail: str


class Problem(BaseModel):
    """What was refused (RFC 9457)."""

    type: str = Field(examples=["urn:earlybird:conflict:CutoffPassed"])
    title: str
    status: int
    detail: str
    instance: str
    trace_id: str
    errors: list[Mistake] | None = None
    facts: dict[str, Any] | None = None
