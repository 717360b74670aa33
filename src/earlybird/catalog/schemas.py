"""The shapes of products, prices, tax classes and units at the door."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from earlybird.catalog.states import Measure, PriceScope, TaxComponent
from earlybird.infra.shapes import Currency, Day, Portion, Quantity, Share, Strict, UnitPrice, Word, unsent

ID = "019bc1f4-5e00-7a61-8c3e-2f6b1d0a4e77"
AT = "2026-01-15T12:00:00Z"

UnitCode = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9]{0,11}$"), Field(examples=["L"], description="Code of a unit.")
]
Hsn = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{4,8}$"),
    Field(examples=["0401"], description="Code of the goods in the harmonised system, 4 to 8 digits."),
]
BusinessId = Annotated[
    UUID | None, Field(description="The business it belongs to; not needed where there is only one.", examples=[ID])
]


class UnitIn(Strict):
    """A unit to measure in. It stays as it is."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"code": "ml", "name": "millilitre", "measure": "volume"}]}
    )

    code: UnitCode
    name: Word = Field(examples=["litre"])
    measure: Measure = Field(description="What it measures.", examples=["volume"])


class UnitOut(BaseModel):
    """A unit to measure in."""

    code: str = Field(description="What quantities in it are marked with.", examples=["L"])
    name: str = Field(examples=["litre"])
    measure: Measure = Field(description="What it measures.", examples=["volume"])


class ProductIn(Strict):
    """A new product. Its unit stays what it is: standing orders and prices count in it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "Toned Milk", "category": "Milk", "unit_code": "L", "pack_size": "0.5"}]
        }
    )

    business_id: BusinessId = None
    name: Word = Field(description="What it is called; two products may share a name.", examples=["Toned Milk"])
    category: Word | None = Field(None, description="A heading to list it under.", examples=["Milk"])
    unit_code: UnitCode
    pack_size: Annotated[Portion, Field(gt=0)] = Field(
        Decimal(1), description="How much of the unit one packet holds.", examples=["0.5"]
    )
    tax_class_id: UUID | None = Field(None, description="How it is taxed; without one it is not.", examples=[ID])


class ProductChange(Strict):
    """What is to be different; fields that are not sent stay."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Toned Milk", "category": "Milk", "pack_size": "0.5"}]}
    )

    name: Word = Field(default_factory=unsent, examples=["Toned Milk"])
    category: Word | None = Field(None, description="Null takes it from its heading.", examples=["Milk"])
    pack_size: Annotated[Portion, Field(gt=0)] = Field(
        default_factory=unsent, description="How much of the unit one packet holds.", examples=["0.5"]
    )
    tax_class_id: UUID | None = Field(None, description="Null: not taxed.", examples=[ID])


class ListPrice(BaseModel):
    """What everybody pays who has no price of their own."""

    id: UUID = Field(examples=[ID])
    unit_price: UnitPrice = Field(description="Major units per unit.")
    currency: Currency
    valid_from: date = Field(description="The first day it holds.", examples=["2026-01-19"])


class ProductOut(BaseModel):
    """Something sold."""

    id: UUID = Field(examples=[ID])
    business_id: UUID = Field(description="The business that sells it.", examples=[ID])
    name: str = Field(examples=["Toned Milk"])
    category: str | None = Field(description="The heading it is listed under.", examples=["Milk"])
    unit_code: str = Field(description="The unit its quantities and prices count in.", examples=["L"])
    pack_size: Quantity = Field(description="How much of the unit one packet holds.")
    tax_class_id: UUID | None = Field(description="How it is taxed.", examples=[ID])
    list_price: ListPrice | None = Field(description="The list price in force today; null where there is none yet.")
    has_namesake: bool = Field(
        description="Whether the business sells another product of the same name.", examples=[False]
    )
    created_at: datetime = Field(examples=[AT])
    archived_at: datetime | None = Field(description="Since when it is no longer sold.", examples=[None])


class PriceIn(Strict):
    """A price from a day on, for everybody or for one customer, in the currency of the business."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"unit_price": "62.00", "valid_from": "2026-02-01"}]})

    unit_price: UnitPrice = Field(description="Major units per unit.")
    valid_from: Day = Field(description="The first day it holds: today or later.")
    customer_id: UUID | None = Field(None, description="Whose price it is; everybody's where not given.", examples=[ID])


class PriceOut(BaseModel):
    """A price from a day on; it ends where the next of the same kind begins."""

    id: UUID = Field(examples=[ID])
    product_id: UUID = Field(examples=[ID])
    scope: PriceScope = Field(description="For everybody (list) or for one customer.", examples=["list"])
    customer_id: UUID | None = Field(description="Whose price it is.", examples=[None])
    unit_price: UnitPrice = Field(description="Major units per unit.")
    currency: Currency
    valid_from: date = Field(description="The first day it holds.", examples=["2026-01-19"])
    is_in_force: bool = Field(description="Whether it is the one that holds today.", examples=[True])


class RateIn(Strict):
    """The rate of one tax from a day on; the first of its kind may begin in the past."""

    component: TaxComponent = Field(examples=["CGST"])
    rate: Share = Field(description="Part of the amount: 0.025 is 2.5 %.")
    valid_from: Day = Field(description="The first day it holds.")


class RateOut(BaseModel):
    """The rate of one tax from a day on."""

    component: TaxComponent = Field(examples=["CGST"])
    rate: Share = Field(description="Part of the amount: 0.025 is 2.5 %.")
    valid_from: date = Field(description="The first day it holds.", examples=["2026-01-19"])


class TaxClassIn(Strict):
    """Goods that are taxed alike."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "GST 5 %", "hsn": "0401"}]})

    business_id: BusinessId = None
    name: Word = Field(examples=["GST 5 %"])
    hsn: Hsn | None = None


class TaxClassChange(Strict):
    """What is to be different; fields that are not sent stay."""

    name: Word = Field(default_factory=unsent, examples=["GST 5 %"])
    hsn: Hsn | None = Field(None, description="Null takes it away.")


class TaxClassOut(BaseModel):
    """Goods that are taxed alike, with every rate they had, have and will have."""

    id: UUID = Field(examples=[ID])
    business_id: UUID = Field(examples=[ID])
    name: str = Field(examples=["GST 5 %"])
    hsn: str | None = Field(examples=["0401"])
    rates: list[RateOut] = Field(description="Newest first.")
