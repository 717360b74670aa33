"""Products, their prices and taxes; what one costs a customer on a date, and what a line of it amounts to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.catalog.errors import NoSuchPrice, NoSuchProduct, NoSuchTaxClass, WhichBusiness
from earlybird.catalog.models import Product
from earlybird.catalog.rules import Dated
from earlybird.catalog.states import PriceScope
from earlybird.infra.db import rows, value
from earlybird.kernel.clock import business_day
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.money import DIGITS
from earlybird.kernel.pages import LIMIT, Page, cut


def price_in_force(product: str, customer: str, day: str, agreed: str) -> str:
    """Return a join that adds `price (price_id, unit_price, currency)`, of SQL expressions; `day` is a bound date.

    The customer's own price, else the one agreed on the standing order (it has no price row), else
    the list price; of each the latest not after the day. No price leaves `unit_price` null; an
    agreed price leaves `currency` null: it is in the business's.
    """
    return f"""
    LEFT JOIN LATERAL (
        SELECT dated.id, dated.unit_price, dated.currency FROM prices dated
        WHERE dated.product_id = {product} AND dated.customer_id = {customer} AND dated.valid_from <= {day}
        ORDER BY dated.valid_from DESC LIMIT 1
    ) own_price ON true
    LEFT JOIN (
        SELECT DISTINCT ON (dated.product_id) dated.product_id, dated.id, dated.unit_price, dated.currency
        FROM prices dated WHERE dated.customer_id IS NULL AND dated.valid_from <= {day}
        ORDER BY dated.product_id, dated.valid_from DESC
    ) list_price ON list_price.product_id = {product}
    CROSS JOIN LATERAL (
        SELECT coalesce(own_price.unit_price, {agreed}, list_price.unit_price) AS unit_price,
               CASE WHEN own_price.id IS NOT NULL THEN own_price.id
                    WHEN {agreed} IS NULL THEN list_price.id END AS price_id,
               CASE WHEN own_price.id IS NOT NULL THEN own_price.currency
                    WHEN {agreed} IS NULL THEN list_price.currency END AS currency
    ) price"""


def amount_minor(quantity: str, unit_price: str, currency: str) -> str:
    """Return the SQL of `Money.of`: quantity × unit price in minor units, rounded once, half up."""
    odd = " ".join(f"WHEN '{code}' THEN {10**digits}" for code, digits in DIGITS.items())
    return f"round({quantity} * {unit_price} * CASE {currency} {odd} ELSE 100 END)::bigint"


PRICE = f"""
SELECT p.name, p.unit_code, p.tax_class_id, price.price_id, price.unit_price, coalesce(price.currency, b.currency)
    AS currency
FROM products p JOIN businesses b ON b.id = p.business_id
{price_in_force("p.id", ":customer_id", ":service_on", "CAST(:agreed AS numeric)")}
WHERE p.id = :product_id"""


def price_on(
    session: Session, product_id: UUID, customer_id: UUID, service_on: date, *, agreed: Decimal | None = None
) -> dict[str, Any] | None:
    """Return name, unit_code, tax_class_id, price_id, unit_price and currency; None for no such product.

    `unit_price` is None where no price is in force.
    """
    facts = {
        "product_id": product_id,
        "customer_id": customer_id,
        "service_on": service_on,
        "agreed": agreed,
    }
    found = rows(session, PRICE, facts)
    return found[0] if found else None


TODAY = "CAST(CAST(:now AS timestamptz) AT TIME ZONE b.zone AS date)"

PRODUCT = f"""
SELECT p.id, p.business_id, p.name, p.category, p.unit_code, p.pack_size, p.tax_class_id, p.created_at, p.archived_at,
       price.facts AS list_price,
       EXISTS (SELECT FROM products other WHERE other.business_id = p.business_id AND other.name = p.name
               AND other.archived_at IS NULL AND other.id <> p.id) AS has_namesake
FROM products p JOIN businesses b ON b.id = p.business_id
LEFT JOIN LATERAL (
    SELECT jsonb_build_object('id', d.id, 'unit_price', CAST(d.unit_price AS text), 'currency', d.currency,
                              'valid_from', d.valid_from) AS facts
    FROM prices d WHERE d.product_id = p.id AND d.customer_id IS NULL AND d.valid_from <= {TODAY}
    ORDER BY d.valid_from DESC LIMIT 1
) price ON true"""


def products(
    session: Session,
    ctx: Ctx,
    *,
    cursor: UUID | None = None,
    limit: int = LIMIT,
    q: str | None = None,
    category: str | None = None,
    business_id: UUID | None = None,
    is_archived: bool = False,
) -> Page[Mapping[str, Any]]:
    """Return a page of what is sold (or of what no longer is) with the list price of today."""
    found = rows(
        session,
        f"""{PRODUCT}
        WHERE (p.archived_at IS NOT NULL) = :is_archived
          AND (CAST(:cursor AS uuid) IS NULL OR p.id < :cursor)
          AND (CAST(:q AS text) IS NULL OR position(lower(:q) IN lower(p.name)) > 0)
          AND (CAST(:category AS text) IS NULL OR p.category = :category)
          AND (CAST(:business_id AS uuid) IS NULL OR p.business_id = :business_id)
        ORDER BY p.id DESC LIMIT :limit + 1""",
        {
            "now": ctx.now,
            "cursor": cursor,
            "limit": limit,
            "q": q,
            "category": category,
            "business_id": business_id,
            "is_archived": is_archived,
        },
    )
    return cut(found, limit)


def product(session: Session, ctx: Ctx, product_id: UUID) -> dict[str, Any]:
    """Return one product that is sold, with its list price of today."""
    found = rows(session, f"{PRODUCT} WHERE p.id = :id AND p.archived_at IS NULL", {"id": product_id, "now": ctx.now})
    if not found:
        raise NoSuchProduct(field="product_id", product_id=product_id)
    return found[0]


def product_for_update(session: Session, product_id: UUID) -> Product:
    """Return the product, archived or not, locked until the transaction ends."""
    found = session.get(Product, product_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise NoSuchProduct(field="product_id", product_id=product_id)
    return found


PRICES = f"""
SELECT d.id, d.product_id, d.scope, d.customer_id, d.unit_price, d.currency, d.valid_from,
       d.valid_from <= {TODAY} AND NOT EXISTS (
           SELECT FROM prices later WHERE later.product_id = d.product_id
             AND later.customer_id IS NOT DISTINCT FROM d.customer_id
             AND later.valid_from > d.valid_from AND later.valid_from <= {TODAY}) AS is_in_force
FROM prices d JOIN products p ON p.id = d.product_id JOIN businesses b ON b.id = p.business_id"""


def prices(
    session: Session,
    ctx: Ctx,
    product_id: UUID,
    *,
    cursor: UUID | None = None,
    limit: int = LIMIT,
    customer_id: UUID | None = None,
    scope: PriceScope | None = None,
) -> Page[Mapping[str, Any]]:
    """Return a page of the prices a product had, has and will have, for everybody and for single customers."""
    found = rows(
        session,
        f"""{PRICES}
        WHERE d.product_id = :product_id AND (CAST(:cursor AS uuid) IS NULL OR d.id < :cursor)
          AND (CAST(:customer_id AS uuid) IS NULL OR d.customer_id = :customer_id)
          AND (CAST(:scope AS text) IS NULL OR d.scope = :scope)
        ORDER BY d.id DESC LIMIT :limit + 1""",
        {
            "now": ctx.now,
            "product_id": product_id,
            "cursor": cursor,
            "limit": limit,
            "customer_id": customer_id,
            "scope": scope,
        },
    )
    if not found:
        product_exists(session, product_id)
    return cut(found, limit)


def product_exists(session: Session, product_id: UUID) -> None:
    """Refuse a product that never was; one that is no longer sold keeps its prices."""
    if not value(session, "SELECT true FROM products WHERE id = :id", {"id": product_id}):
        raise NoSuchProduct(field="product_id", product_id=product_id)


def price(session: Session, ctx: Ctx, product_id: UUID, price_id: UUID) -> dict[str, Any]:
    """Return one price of a product."""
    found = rows(
        session,
        f"{PRICES} WHERE d.id = :price_id AND d.product_id = :product_id",
        {"now": ctx.now, "price_id": price_id, "product_id": product_id},
    )
    if not found:
        raise NoSuchPrice(field="price_id", price_id=price_id)
    return found[0]


def prices_of(
    session: Session, customer_id: UUID, product_ids: Sequence[UUID], last: date
) -> dict[tuple[UUID, bool], list[Dated]]:
    """Return the prices that begin by `last`, by product and by whether they are the customer's own."""
    found: dict[tuple[UUID, bool], list[Dated]] = {}
    for row in rows(
        session,
        "SELECT id, product_id, customer_id IS NOT NULL AS own, valid_from, unit_price, currency FROM prices "
        "WHERE product_id = ANY(CAST(:products AS uuid[])) AND valid_from <= :last "
        "AND (customer_id IS NULL OR customer_id = :customer_id)",
        {"products": [str(key) for key in product_ids], "last": last, "customer_id": customer_id},
    ):
        begun = Dated(row["id"], row["valid_from"], row["unit_price"], row["currency"])
        found.setdefault((row["product_id"], row["own"]), []).append(begun)
    return found


TAX_CLASS = """
SELECT t.id, t.business_id, t.name, t.hsn, coalesce((
    SELECT jsonb_agg(jsonb_build_object('component', r.component, 'rate', CAST(r.rate AS text),
                                        'valid_from', r.valid_from) ORDER BY r.valid_from DESC, r.component)
    FROM tax_rates r WHERE r.tax_class_id = t.id), '[]') AS rates
FROM tax_classes t"""


def tax_classes(session: Session, *, cursor: UUID | None = None, limit: int = LIMIT) -> Page[Mapping[str, Any]]:
    """Return a page of tax classes with their dated rates."""
    found = rows(
        session,
        f"{TAX_CLASS} WHERE CAST(:cursor AS uuid) IS NULL OR t.id < :cursor ORDER BY t.id DESC LIMIT :limit + 1",
        {"cursor": cursor, "limit": limit},
    )
    return cut(found, limit)


def tax_class(session: Session, tax_class_id: UUID) -> dict[str, Any]:
    """Return one tax class with its dated rates."""
    found = rows(session, f"{TAX_CLASS} WHERE t.id = :id", {"id": tax_class_id})
    if not found:
        raise NoSuchTaxClass(field="tax_class_id", tax_class_id=tax_class_id)
    return found[0]


def units(session: Session) -> list[dict[str, Any]]:
    """List the units there are: code, name, measure."""
    return rows(session, "SELECT code, name, measure FROM units ORDER BY measure, code")


def only_business(session: Session, business_id: UUID | None) -> UUID:
    """Return the business named, or the only one there is."""
    found = rows(
        session,
        "SELECT id FROM businesses WHERE CAST(:id AS uuid) IS NULL OR id = :id LIMIT 2",
        {"id": business_id},
    )
    if len(found) != 1:
        raise WhichBusiness(field="business_id")
    key: UUID = found[0]["id"]
    return key


def today(session: Session, ctx: Ctx, business_id: UUID) -> date:
    """Return the present date in the zone of a business."""
    zone = str(value(session, "SELECT zone FROM businesses WHERE id = :id", {"id": business_id}))
    return business_day(ctx.now, zone)
