"""The catalogue, prices, taxes and units over HTTP."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from earlybird.catalog import queries, service
from earlybird.catalog.schemas import (
    PriceIn,
    PriceOut,
    ProductChange,
    ProductIn,
    ProductOut,
    RateIn,
    TaxClassChange,
    TaxClassIn,
    TaxClassOut,
    UnitIn,
    UnitOut,
)
from earlybird.catalog.states import PriceScope
from earlybird.identity.access import allow
from earlybird.infra.db import Session
from earlybird.infra.http import PROBLEMS, PUBLIC, door
from earlybird.infra.shapes import Cursor, Limit, Paged, Search, paged
from earlybird.kernel.ctx import Ctx

router = APIRouter(prefix="/api", tags=["catalogue"], responses=PROBLEMS)

Category = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$", description="Only under this heading.")]
OfBusiness = Annotated[UUID | None, Query(description="Only of this business.")]


@router.get("/products")
@door(PUBLIC)
def products(
    session: Session,
    ctx: Ctx,
    *,
    q: Search = None,
    category: Category = None,
    business_id: OfBusiness = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Paged[ProductOut]:
    """List what is sold, with the list price of today; `q` looks in the names."""
    return paged(
        queries.products(session, ctx, q=q, category=category, business_id=business_id, cursor=cursor, limit=limit)
    )


@router.get("/products/archived")
@door(allow("products.change"))
def archived_products(
    session: Session, ctx: Ctx, *, q: Search = None, cursor: Cursor = None, limit: Limit = 50
) -> Paged[ProductOut]:
    """List what is no longer sold."""
    return paged(queries.products(session, ctx, q=q, cursor=cursor, limit=limit, is_archived=True))


@router.get("/products/{product_id}")
@door(PUBLIC)
def product(session: Session, ctx: Ctx, *, product_id: UUID) -> ProductOut:
    """Show something that is sold, with the list price of today."""
    return ProductOut.model_validate(queries.product(session, ctx, product_id))


@router.post("/products", status_code=201)
@door(allow("products.change"))
def create_product(session: Session, ctx: Ctx, *, body: ProductIn) -> ProductOut:
    """Sell something new. It can be ordered once it has a price."""
    made = service.create_product(session, ctx, **body.sent())
    return ProductOut.model_validate(queries.product(session, ctx, made))


@router.patch("/products/{product_id}")
@door(allow("products.change"), unchanged=("products", "product_id", product))
def change_product(session: Session, ctx: Ctx, *, product_id: UUID, body: ProductChange) -> ProductOut:
    """Change a product; what was ordered keeps the name it was ordered under."""
    service.change_product(session, ctx, product_id, **body.sent())
    return ProductOut.model_validate(queries.product(session, ctx, product_id))


@router.delete("/products/{product_id}", status_code=204)
@door(allow("products.change"), unchanged=("products", "product_id", product))
def archive_product(session: Session, ctx: Ctx, *, product_id: UUID) -> None:
    """Sell it to nobody new; standing orders that want it go on until they are changed."""
    service.archive_product(session, ctx, product_id)


@router.post("/products/{product_id}/restore")
@door(allow("products.change"))
def restore_product(session: Session, ctx: Ctx, *, product_id: UUID) -> ProductOut:
    """Sell an archived product again."""
    service.restore_product(session, ctx, product_id)
    return ProductOut.model_validate(queries.product(session, ctx, product_id))


@router.get("/products/{product_id}/prices")
@door(allow("prices.read"))
def prices(
    session: Session,
    ctx: Ctx,
    *,
    product_id: UUID,
    customer_id: Annotated[UUID | None, Query(description="Only the prices of this customer.")] = None,
    scope: Annotated[PriceScope | None, Query(description="Only list prices, or only those of customers.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Paged[PriceOut]:
    """List every price a product had, has and will have."""
    return paged(
        queries.prices(session, ctx, product_id, customer_id=customer_id, scope=scope, cursor=cursor, limit=limit)
    )


@router.post("/products/{product_id}/prices", status_code=201)
@door(allow("prices.change"))
def set_price(session: Session, ctx: Ctx, *, product_id: UUID, body: PriceIn) -> PriceOut:
    """Set a price from today or a later day on; one of that day that has not begun is replaced."""
    made = service.set_price(session, ctx, product_id, **body.sent())
    return PriceOut.model_validate(queries.price(session, ctx, product_id, made))


@router.get("/products/{product_id}/prices/{price_id}")
@door(allow("prices.read"))
def price(session: Session, ctx: Ctx, *, product_id: UUID, price_id: UUID) -> PriceOut:
    """Show one price."""
    return PriceOut.model_validate(queries.price(session, ctx, product_id, price_id))


@router.delete("/products/{product_id}/prices/{price_id}", status_code=204)
@door(allow("prices.change"))
def withdraw_price(session: Session, ctx: Ctx, *, product_id: UUID, price_id: UUID) -> None:
    """Take back a price that has not begun."""
    service.withdraw_price(session, ctx, product_id, price_id=price_id)


@router.get("/tax-classes")
@door(allow("prices.read"))
def tax_classes(session: Session, _ctx: Ctx, *, cursor: Cursor = None, limit: Limit = 50) -> Paged[TaxClassOut]:
    """List the tax classes with their dated rates."""
    return paged(queries.tax_classes(session, cursor=cursor, limit=limit))


@router.get("/tax-classes/{tax_class_id}")
@door(allow("prices.read"))
def tax_class(session: Session, _ctx: Ctx, *, tax_class_id: UUID) -> TaxClassOut:
    """Show a tax class with its dated rates."""
    return TaxClassOut.model_validate(queries.tax_class(session, tax_class_id))


@router.post("/tax-classes", status_code=201)
@door(allow("prices.change"))
def create_tax_class(session: Session, ctx: Ctx, *, body: TaxClassIn) -> TaxClassOut:
    """Have goods that are taxed alike."""
    made = service.create_tax_class(session, ctx, **body.sent())
    return TaxClassOut.model_validate(queries.tax_class(session, made))


@router.patch("/tax-classes/{tax_class_id}")
@door(allow("prices.change"), unchanged=("tax_classes", "tax_class_id", tax_class))
def change_tax_class(session: Session, ctx: Ctx, *, tax_class_id: UUID, body: TaxClassChange) -> TaxClassOut:
    """Change the name or the code of a tax class."""
    service.change_tax_class(session, ctx, tax_class_id, **body.sent())
    return TaxClassOut.model_validate(queries.tax_class(session, tax_class_id))


@router.post("/tax-classes/{tax_class_id}/rates")
@door(allow("prices.change"), unchanged=("tax_classes", "tax_class_id", tax_class))
def set_rate(session: Session, ctx: Ctx, *, tax_class_id: UUID, body: RateIn) -> TaxClassOut:
    """Set a tax rate from a day on; one of that day that has not begun is replaced."""
    service.set_rate(session, ctx, tax_class_id, **body.sent())
    return TaxClassOut.model_validate(queries.tax_class(session, tax_class_id))


@router.get("/units")
@door(allow("prices.read"))
def units(session: Session, _ctx: Ctx) -> list[UnitOut]:
    """List the units that quantities may be measured in."""
    return [UnitOut.model_validate(row) for row in queries.units(session)]


@router.post("/units", status_code=201)
@door(allow("products.change"))
def create_unit(session: Session, ctx: Ctx, *, body: UnitIn) -> UnitOut:
    """Add a unit; it stays as it is."""
    made = service.create_unit(session, ctx, body.code, name=body.name, measure=body.measure)
    return UnitOut.model_validate(made)
