"""Change what is sold, what it costs from when, how it is taxed and measured. What was sold keeps its price."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.catalog import queries
from earlybird.catalog.errors import (
    NoSuchProduct,
    NoSuchTaxClass,
    PriceCustomerUnknown,
    PriceHasBegun,
    RateHasBegun,
    TaxClassTaken,
    TaxClassUnknown,
    UnitTaken,
    UnitUnknown,
)
from earlybird.catalog.models import Product, TaxClass
from earlybird.catalog.states import Measure, PriceScope, TaxComponent
from earlybird.infra import fields
from earlybird.infra.db import lock, rows, run, value
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.ids import new_id

UNITS = (("L", "litre", "volume"), ("kg", "kilogram", "mass"), ("piece", "piece", "number"))


def seed_units(session: Session) -> int:
    """Have litre, kilogram and piece; return how many were missing."""
    return run(
        session,
        "INSERT INTO units (code, name, measure) SELECT * FROM unnest(CAST(:codes AS text[]), CAST(:names AS text[]), "
        "CAST(:measures AS text[])) ON CONFLICT DO NOTHING",
        {
            "codes": [unit[0] for unit in UNITS],
            "names": [unit[1] for unit in UNITS],
            "measures": [unit[2] for unit in UNITS],
        },
    )


def create_unit(session: Session, ctx: Ctx, code: str, *, name: str, measure: Measure) -> dict[str, Any]:
    """Add a unit to measure in; it stays as it is."""
    facts = {"code": code, "name": name, "measure": str(measure)}
    made = run(
        session, "INSERT INTO units (code, name, measure) VALUES (:code, :name, :measure) ON CONFLICT DO NOTHING", facts
    )
    if not made:
        raise UnitTaken(field="code", code=code)
    audit.record(session, ctx, "catalog.create_unit", "unit", after=facts)
    return facts


def create_product(
    session: Session,
    ctx: Ctx,
    *,
    name: str,
    unit_code: str,
    pack_size: Decimal = Decimal(1),
    category: str | None = None,
    tax_class_id: UUID | None = None,
    business_id: UUID | None = None,
) -> UUID:
    """Sell something new, of one business; it needs a price before it can be ordered. Two may share a name."""
    business_id = queries.only_business(session, business_id)
    fields.check(session, "products", pack_size=pack_size)
    if not value(session, "SELECT true FROM units WHERE code = :code", {"code": unit_code}):
        raise UnitUnknown(field="unit_code", unit_code=unit_code)
    _check_tax_class(session, business_id, tax_class_id)
    facts = {
        "business_id": business_id,
        "name": name,
        "category": category,
        "unit_code": unit_code,
        "pack_size": pack_size,
        "tax_class_id": tax_class_id,
    }
    row = Product(id=new_id(), created_at=ctx.now, **facts)
    session.add(row)
    session.flush()  # so that what reads next sees it
    audit.record(session, ctx, "catalog.create_product", "product", row.id, after=audit.plain(facts))
    return row.id


def change_product(session: Session, ctx: Ctx, product_id: UUID, **facts: Any) -> None:
    """Change name, category, pack_size or tax_class_id; lines that were sold keep theirs."""
    row = queries.product_for_update(session, product_id)
    if row.archived_at is not None:
        raise NoSuchProduct(field="product_id", product_id=product_id)
    _check_tax_class(session, row.business_id, facts.get("tax_class_id"))
    fields.check(session, "products", **facts)
    audit.change(session, ctx, row, facts, action="catalog.change_product", entity="product")


def archive_product(session: Session, ctx: Ctx, product_id: UUID) -> None:
    """Sell it to nobody new; standing orders that want it go on until they are changed."""
    row = queries.product_for_update(session, product_id)
    if row.archived_at is not None:
        raise NoSuchProduct(field="product_id", product_id=product_id)
    audit.change(session, ctx, row, {"archived_at": ctx.now}, action="catalog.archive_product", entity="product")


def restore_product(session: Session, ctx: Ctx, product_id: UUID) -> None:
    """Sell an archived product again; one that is sold stays as it is."""
    row = queries.product_for_update(session, product_id)
    audit.change(session, ctx, row, {"archived_at": None}, action="catalog.restore_product", entity="product")


def set_price(
    session: Session,
    ctx: Ctx,
    product_id: UUID,
    *,
    unit_price: Decimal,
    valid_from: date,
    customer_id: UUID | None = None,
) -> UUID:
    """Let a unit price (major units, the business's currency) hold from today or a later day; return its row.

    For everybody, or for one customer. One that has not begun is replaced; one that has stays as it was.
    """
    product = queries.product_for_update(session, product_id)
    if product.archived_at is not None:
        raise NoSuchProduct(field="product_id", product_id=product_id)
    today = queries.today(session, ctx, product.business_id)
    if valid_from < today:
        raise PriceHasBegun(field="valid_from", valid_from=valid_from, today=today)
    fields.check(session, "prices", unit_price=unit_price)
    whose = {"customer_id": customer_id, "business_id": product.business_id}
    if customer_id and not value(
        session, "SELECT true FROM customers WHERE id = :customer_id AND business_id = :business_id", whose
    ):
        raise PriceCustomerUnknown(field="customer_id", customer_id=customer_id)
    facts: dict[str, Any] = {
        "product_id": product_id,
        "customer_id": customer_id,
        "scope": str(PriceScope.customer if customer_id else PriceScope.list),
        "unit_price": unit_price,
        "valid_from": valid_from,
        "business_id": product.business_id,
    }
    before = rows(
        session,
        "SELECT id, unit_price FROM prices WHERE product_id = :product_id AND valid_from = :valid_from "
        "AND customer_id IS NOT DISTINCT FROM CAST(:customer_id AS uuid)",
        facts,
    )
    if before and before[0]["unit_price"] == unit_price:
        kept: UUID = before[0]["id"]
        return kept
    if before and valid_from <= today:
        raise PriceHasBegun(field="valid_from", valid_from=valid_from, today=today)
    key: UUID = value(
        session,
        "INSERT INTO prices (product_id, scope, customer_id, unit_price, currency, valid_from) "
        "SELECT :product_id, :scope, :customer_id, :unit_price, b.currency, :valid_from "
        "FROM businesses b WHERE b.id = :business_id "
        "ON CONFLICT (product_id, customer_id, valid_from) DO UPDATE SET unit_price = excluded.unit_price RETURNING id",
        facts,
    )
    said = {"price_id": key, "customer_id": customer_id, "unit_price": unit_price, "valid_from": valid_from}
    old = {"unit_price": str(before[0]["unit_price"])} if before else None
    audit.record(session, ctx, "catalog.set_price", "product", product_id, before=old, after=audit.plain(said))
    return key


def withdraw_price(session: Session, ctx: Ctx, product_id: UUID, *, price_id: UUID) -> None:
    """Take back a price that has not begun."""
    product = queries.product_for_update(session, product_id)
    found = queries.price(session, ctx, product_id, price_id)
    if found["valid_from"] <= queries.today(session, ctx, product.business_id):
        raise PriceHasBegun(field="price_id", valid_from=found["valid_from"])
    run(session, "DELETE FROM prices WHERE id = :id", {"id": price_id})
    told = {name: found[name] for name in ("id", "customer_id", "unit_price", "valid_from")}
    audit.record(session, ctx, "catalog.withdraw_price", "product", product_id, before=audit.plain(told))


def create_tax_class(
    session: Session, ctx: Ctx, *, name: str, hsn: str | None = None, business_id: UUID | None = None
) -> UUID:
    """Have goods that are taxed alike, of one business; the rates are set one by one."""
    business_id = queries.only_business(session, business_id)
    _check_name_free(session, business_id, name)
    row = TaxClass(id=new_id(), business_id=business_id, name=name, hsn=hsn)
    session.add(row)
    session.flush()  # so that what reads next sees it
    after = {"name": name, "hsn": hsn, "business_id": str(business_id)}
    audit.record(session, ctx, "catalog.create_tax_class", "tax_class", row.id, after=after)
    return row.id


def change_tax_class(session: Session, ctx: Ctx, tax_class_id: UUID, **facts: Any) -> None:
    """Change the name or the hsn of a tax class."""
    row = _tax_class_for_update(session, tax_class_id)
    if facts.get("name", row.name) != row.name:
        _check_name_free(session, row.business_id, facts["name"])
    audit.change(session, ctx, row, facts, action="catalog.change_tax_class", entity="tax_class")


def set_rate(
    session: Session, ctx: Ctx, tax_class_id: UUID, *, component: TaxComponent, rate: Decimal, valid_from: date
) -> None:
    """Let a tax rate (0.025 is 2.5 %) hold from a day on: today or later, or any day where it is the first.

    One that has not begun is replaced.
    """
    row = _tax_class_for_update(session, tax_class_id)
    today = queries.today(session, ctx, row.business_id)
    facts = {"id": tax_class_id, "component": str(component), "rate": rate, "valid_from": valid_from}
    known = rows(
        session,
        "SELECT rate, valid_from FROM tax_rates WHERE tax_class_id = :id AND component = :component",
        facts,
    )
    same = [old for old in known if old["valid_from"] == valid_from]
    if same and same[0]["rate"] == rate:
        return
    if (known and valid_from < today) or (same and valid_from <= today):
        raise RateHasBegun(field="valid_from", valid_from=valid_from, today=today)
    run(
        session,
        "INSERT INTO tax_rates (tax_class_id, component, rate, valid_from) VALUES (:id, :component, :rate, :valid_from)"
        " ON CONFLICT (tax_class_id, component, valid_from) DO UPDATE SET rate = excluded.rate",
        facts,
    )
    before = {"rate": str(same[0]["rate"])} if same else None
    after = {"component": str(component), "rate": str(rate), "valid_from": str(valid_from)}
    audit.record(session, ctx, "catalog.set_rate", "tax_class", tax_class_id, before=before, after=after)


def _tax_class_for_update(session: Session, tax_class_id: UUID) -> TaxClass:
    row = session.get(TaxClass, tax_class_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NoSuchTaxClass(field="tax_class_id", tax_class_id=tax_class_id)
    return row


def _check_tax_class(session: Session, business_id: UUID, tax_class_id: UUID | None) -> None:
    facts = {"id": tax_class_id, "business_id": business_id}
    if tax_class_id and not value(
        session, "SELECT true FROM tax_classes WHERE id = :id AND business_id = :business_id", facts
    ):
        raise TaxClassUnknown(field="tax_class_id", tax_class_id=tax_class_id)


def _check_name_free(session: Session, business_id: UUID, name: str) -> None:
    lock(session, f"tax_classes {business_id}")
    facts = {"business_id": business_id, "name": name}
    if value(session, "SELECT true FROM tax_classes WHERE business_id = :business_id AND name = :name", facts):
        raise TaxClassTaken(field="name", name=name)
