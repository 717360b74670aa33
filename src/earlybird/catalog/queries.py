"""What a product costs a customer on a date, and what a line of it amounts to."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.infra.db import rows
from earlybird.kernel.money import DIGITS


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
