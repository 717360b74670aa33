"""The shapes of customers, addresses and merges at the door."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from earlybird.customers.rules import Door, Newcomer
from earlybird.customers.states import CustomerKind, CustomerState
from earlybird.identity.schemas import Email, Phone
from earlybird.identity.states import UserState
from earlybird.infra.shapes import BLANK, Day, Note, Strict, Word, unsent

ID = "019bc1f4-5e00-7a61-8c3e-2f6b1d0a4e77"
AT = "2026-01-15T12:00:00Z"

Language = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$"),
    Field(description="A tag of BCP 47.", examples=["te"]),
]


class AddressIn(Strict):
    """A door."""

    line1: Word = Field(examples=["12 Temple Road"])
    label: Word | None = Field(None, examples=["Home"])
    line2: Word | None = None
    city: Word | None = Field(None, examples=["Bengaluru"])
    region: Word | None = None
    postal_code: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 -]{1,11}$")] | None = Field(
        None, examples=["560001"]
    )
    latitude: float | None = Field(None, ge=-90, le=90, examples=[12.9716])
    longitude: float | None = Field(None, ge=-180, le=180, examples=[77.5946])
    map_url: Annotated[str, StringConstraints(max_length=500, pattern=rf"^https://[^{BLANK}]+$")] | None = Field(
        None, examples=["https://maps.example.com/?q=12.97,77.59"]
    )

    def facts(self) -> dict[str, Any]:
        """Return the fields that were sent, places exact to six decimals."""
        return {
            name: Decimal(str(fact)).quantize(Decimal("0.000001")) if isinstance(fact, float) else fact
            for name, fact in self.sent().items()
        }


class NewAddress(AddressIn):
    """A further door."""

    is_default: bool = Field(default=False, description="Whether it becomes the usual one.", strict=True)


class AddressChange(NewAddress):
    """What becomes different about a door; what is not sent stays."""

    line1: Word = Field(default_factory=unsent, examples=["14 Temple Road"])
    is_default: Literal[True] = Field(default_factory=unsent, description="Make it the usual one.", examples=[True])


class AddressOut(BaseModel):
    """A door of a customer, or of one merged into them."""

    id: UUID = Field(examples=[ID])
    customer_id: UUID
    label: str | None
    line1: str
    line2: str | None
    city: str | None
    region: str | None
    postal_code: str | None
    latitude: float | None
    longitude: float | None
    map_url: str | None
    is_default: bool = Field(description="Whether goods go there where nothing else is said.")
    created_at: datetime = Field(examples=[AT])


class CustomerIn(Strict):
    """A new customer. The login comes with it, and an invitation follows."""

    name: Word = Field(examples=["Meena Rao"])
    site_id: UUID | None = Field(None, description="The depot; not needed where there is only one.", examples=[None])
    kind: CustomerKind = CustomerKind.household
    phone: Phone | None = Field(None, description="As dialled in the country of the business.")
    email: Email | None = Field(None, description="Also how the login signs in, unless another login has it.")
    language: Language = "en"
    area_id: UUID | None = Field(None, description="An area of the depot.", examples=[None])
    driver_id: UUID | None = Field(None, description="Who delivers, before the area's driver.", examples=[None])
    marketer_id: UUID | None = Field(None, description="Who won them.", examples=[None])
    bill_to_id: UUID | None = Field(None, description="Who pays for them.", examples=[None])
    trial_from: Day | None = None
    notes: Note | None = Field(None, description="For the office alone.")
    delivery_instructions: Note | None = Field(None, examples=["Ring twice"])
    address: AddressIn | None = None

    def newcomer(self) -> Newcomer:
        """Return what the service takes on."""
        facts = self.sent()
        return Newcomer(**facts | {"address": Door(**self.address.facts()) if self.address else None})


class CustomerChange(Strict):
    """What becomes different; what is not sent stays, null takes away.

    Customers change name, phone, email, language and delivery_instructions; the rest is the office's.
    """

    name: Word = Field(default_factory=unsent, examples=["Meena Rao"])
    phone: Phone | None = Field(None)
    email: Email | None = Field(None)
    language: Language = Field(default_factory=unsent)
    area_id: UUID | None = Field(None, examples=[None])
    driver_id: UUID | None = Field(None, examples=[None])
    marketer_id: UUID | None = Field(None, examples=[None])
    bill_to_id: UUID | None = Field(None, examples=[None])
    notes: Note | None = None
    delivery_instructions: Note | None = Field(None, examples=["Ring twice"])

    model_config = ConfigDict(json_schema_extra={"examples": [{"delivery_instructions": "Ring twice"}]})


class CustomerOut(BaseModel):
    """A customer."""

    id: UUID = Field(examples=[ID])
    code: str = Field(description="What people call them on the phone.", examples=["C-7Q4K2M9P"])
    business_id: UUID
    site_id: UUID
    kind: CustomerKind
    name: str
    phone: str | None = Field(examples=["+919845012345"])
    email: str | None
    language: str
    area_id: UUID | None
    area: str | None
    driver_id: UUID | None
    marketer_id: UUID | None
    bill_to_id: UUID | None
    billing_cycle: str
    state: CustomerState
    state_from: date | None = Field(description="From when on nothing is delivered.")
    trial_from: date | None
    notes: str | None = Field(description="Null for whoever is not of the office.")
    delivery_instructions: str | None
    merged_into_id: UUID | None = Field(description="Who they turned out to be.")
    created_at: datetime = Field(examples=[AT])
    archived_at: datetime | None
    login_id: UUID | None
    login_email: str | None = Field(description="What the login signs in with.")
    login_state: UserState | None


class MoveIn(Strict):
    """Why, and from when on."""

    reason: Word | None = Field(None, examples=["On holiday"])
    state_from: Day | None = Field(
        None, description="The first day without delivery, today or later; today where none is given.", examples=[None]
    )


class ActivateIn(Strict):
    """Why."""

    reason: Word | None = Field(None, examples=["Back from holiday"])


class DuplicateOut(BaseModel):
    """Who may be the same customer."""

    id: UUID
    code: str
    name: str
    phone: str | None
    email: str | None
    state: CustomerState
    same: list[Literal["phone", "email", "name_and_address"]] = Field(description="What is the same.")


class MergeIn(Strict):
    """Whom the customer turned out to be."""

    into_id: UUID = Field(examples=[ID])
    reason: Word = Field(examples=["Same household, registered twice"])


class UndoIn(Strict):
    """Why the merge is taken back."""

    reason: Word = Field(examples=["They are two households after all"])


class MergeOut(BaseModel):
    """A merge: its id takes it back."""

    merge_id: UUID
    customer_id: UUID
    into_id: UUID
