"""What comes in at the door, validated once for every entrance, and what is answered."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any, Literal, NamedTuple, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import from_json

from earlybird.deliveries import errors
from earlybird.deliveries.rules import Claim
from earlybird.deliveries.states import Authority, EventKind, Via
from earlybird.infra.shapes import WHOLE, Currency, Moment
from earlybird.kernel.errors import Failure

CLIENT_ID_LENGTH = 200
THOUSANDTH = Decimal("0.001")
MOST_PHOTOS = 20

NAMING = {"order_id", "order_code", "delivery_id", "device_id"}
"""By which names a confirmation speaks of what it is about: no part of what it says."""


def _counted(value: Any) -> Any:
    """Refuse true and false as quantities."""
    if isinstance(value, bool):
        raise ValueError("a quantity is a number")  # noqa: TRY004 - only a ValueError is told as a field's failure
    return value


def _thousandths(value: Decimal) -> Decimal:
    """Write equal quantities alike."""
    return value.quantize(THOUSANDTH)


Text = Annotated[str, StringConstraints(min_length=1, max_length=CLIENT_ID_LENGTH, pattern=r"^[^\x00]*$")]
Prose = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$")]
Amount = Annotated[
    Decimal,
    BeforeValidator(_counted),
    Field(ge=0, max_digits=14, decimal_places=3, allow_inf_nan=False),
    AfterValidator(_thousandths),
]
Number = Annotated[int, Field(strict=True, ge=1, le=2_000_000_000), WHOLE]


class _Shape(BaseModel):
    """Fields nobody knows are refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OrderKey(_Shape):
    """An order as another system names it."""

    source: Text
    kind: Text
    key: Text


class ConfirmedLine(_Shape):
    """A line, named in one way, and how much of it: delivered, or for a return what came back."""

    order_line_id: UUID | None = None
    product_id: UUID | None = None
    line: Number | None = None
    quantity: Amount
    reason: Prose | None = None


class Teller(_Shape):
    """Who says so."""

    kind: Text
    id: UUID | None = None
    name: Text


class Place(_Shape):
    """Where the device was: degrees, accuracy in metres."""

    lat: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
    lon: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
    accuracy: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class Containers(_Shape):
    """How many containers of a kind: empties taken back, or bottles and crates given."""

    container: Text
    quantity: Annotated[int, Field(strict=True, ge=0, le=2_000_000_000), WHOLE]


class CashTaken(_Shape):
    """Cash taken at the door, in minor units of the customer's currency; 0 says that none was."""

    amount_minor: Annotated[int, Field(strict=True, ge=0, le=10**12, examples=[6000]), WHOLE]
    currency: Currency


class Confirmation(_Shape):
    """One confirmation, correction or return. `client_id` makes repeats harmless."""

    client_id: Text
    kind: EventKind
    order_id: UUID | OrderKey | None = None
    order_code: Text | None = None
    delivery_id: UUID | None = None
    attempt: Number | None = None
    outcome: Literal["delivered", "not_delivered"] | None = None
    lines: Annotated[list[ConfirmedLine], Field(min_length=1, max_length=1000)] | None = None
    device: Text | None = None
    device_seq: Annotated[int, Field(strict=True, ge=0, le=2_147_483_647), WHOLE] | None = None
    device_at: Moment
    via: Via = Via.file
    actor: Teller | None = None
    authority: Literal["staff", "driver", "substitute", "link"] = "driver"
    place: Place | None = None
    reason: Prose | None = None
    empties: Annotated[list[Containers], Field(max_length=100)] | None = None
    given: Annotated[list[Containers], Field(max_length=100)] | None = None
    cash: CashTaken | None = None
    note: Prose | None = None
    photos: Annotated[list[Text], Field(max_length=MOST_PHOTOS)] | None = None
    device_id: Text | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """Refuse what no single field can tell."""
        if (self.order_id is None) == (self.order_code is None):
            raise errors.OrderNotNamed(field="order_id")
        if self.kind == EventKind.return_:
            beside = self.outcome is not None or self.empties or self.given or self.cash
            if beside or not self.lines or any(not n.quantity for n in self.lines):
                raise errors.ReturnNeedsLines(field="lines")
        elif (self.outcome is None) == (self.lines is None) and not (self.lines is None and self._speaks_aside):
            raise errors.ContentNotNamed(field="outcome")
        for place, line in enumerate(self.lines or ()):
            if (line.order_line_id is not None) + (line.product_id is not None) + (line.line is not None) != 1:
                raise errors.LineNotNamed(field=f"lines.{place}")
        for field, counted in (("empties", self.empties), ("given", self.given)):
            if counted and len({e.container for e in counted}) < len(counted):
                raise errors.LineNamedTwice("One confirmation names a container once.", field=field)
        return self

    @property
    def _speaks_aside(self) -> bool:
        """Whether it is a correction of cash or containers alone, which leaves the goods as they are."""
        return self.kind == EventKind.correct and bool(self.cash or self.empties or self.given)

    @property
    def containers(self) -> dict[str, int]:
        """How many containers went which way: `+crate` given, `-crate` taken back."""
        given = {f"+{c.container}": c.quantity for c in self.given or ()}
        return given | {f"-{c.container}": c.quantity for c in self.empties or ()}

    @property
    def rank(self) -> int:
        """How much the teller's word counts."""
        return Authority[self.authority].value

    @property
    def claims(self) -> list[Claim]:
        """The lines as the rules read them."""
        return [Claim(_key(n.order_line_id), _key(n.product_id), n.line, n.quantity) for n in self.lines or ()]

    def digest(self) -> str:
        """Return the SHA-256 of the content; equal content in another spelling has the same.

        How the order and the device are named is left out: the same tap may come alone, in a batch and by a sync.
        """
        return sha256(self.model_dump_json(exclude=NAMING).encode()).hexdigest()


class Answer(StrEnum):
    """What became of a confirmation."""

    accepted = "accepted"
    superseded = "superseded"
    repeated = "repeated"
    rejected = "rejected"


class Verdict(NamedTuple):
    """The answer to one confirmation; a repeated one gets its first outcome again, and its `first` answer."""

    answer: Answer
    client_id: str | None
    order_id: UUID | None = None
    delivery_id: UUID | None = None
    event_id: UUID | None = None
    outcome: str | None = None
    field: str | None = None
    rule: str | None = None
    first: Answer | None = None
    failure: Failure | None = None


class NotRead(NamedTuple):
    """A text that is no confirmation, and why."""

    client_id: str | None
    field: str | None
    rule: str


def read(body: bytes) -> Confirmation | NotRead:
    """Read one confirmation from JSON; what is wrong with it is returned, not raised."""
    try:
        body.decode()
    except UnicodeDecodeError as wrong:
        return NotRead(None, None, f"Not UTF-8 at byte {wrong.start + 1}.")
    try:
        return Confirmation.model_validate_json(body)
    except Failure as failure:
        return NotRead(_client_id(body), failure.field, said(failure))
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            return NotRead(None, None, first["msg"])
        where = [str(step) for step in first["loc"]]
        field = "order_id" if where[:1] == ["order_id"] else ".".join(where)
        rule = "No such field is known." if first["type"] == "extra_forbidden" else first["msg"]
        return NotRead(_client_id(body), field or None, rule)


def said(failure: Failure) -> str:
    """Return the rule that a failure speaks of, with its facts, without the field."""
    return str(failure).removeprefix(f"{failure.field}: ")


def _key(key: UUID | None) -> str | None:
    """Return a key as the rules compare it."""
    return None if key is None else str(key)


def _client_id(body: bytes) -> str | None:
    """Return the client_id of a refused confirmation where it has one."""
    try:
        found = from_json(body)
    except ValueError:
        return None
    name = found.get("client_id") if isinstance(found, dict) else None
    return name[:CLIENT_ID_LENGTH] if isinstance(name, str) and "\0" not in name else None
