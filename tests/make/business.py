"""A business with a depot, its customers, products and standing orders, as few words as possible."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from earlybird.catalog.models import Price, Product, TaxClass, TaxRate, Unit
from earlybird.customers.models import Address, Customer
from earlybird.customers.service import logins_later
from earlybird.identity.models import Membership, User
from earlybird.kernel import ids
from earlybird.subscriptions.models import Subscription, SubscriptionVersion
from earlybird.territory.models import Business, ShiftPlan, Site

START = date(2025, 10, 1)


@dataclass(frozen=True)
class Firm:
    """A business and its depot."""

    id: UUID
    site_id: UUID
    zone: str
    currency: str


def business(session: Session, name: str = "Sunrise Dairy", **over: Any) -> Firm:
    """A dairy in Bengaluru with one depot and two shifts; cut-off 20:00 the day before."""
    facts = {"currency": "INR", "country": "IN", "zone": "Asia/Kolkata", "upi_id": "sunrise@example"} | over
    firm = Business(id=ids.new_id(), name=name, **facts)
    session.add(firm)
    session.flush()
    site = Site(id=ids.new_id(), business_id=firm.id, kind="depot", name="Depot", zone=facts["zone"])
    session.add(site)
    session.flush()
    session.add_all(
        ShiftPlan(site_id=site.id, shift=shift, starts=starts, ends=ends, cutoff=time(20), cutoff_days_before=1)
        for shift, starts, ends in (("morning", time(5), time(8)), ("evening", time(17), time(20)))
    )
    session.execute(
        text("INSERT INTO units VALUES ('L','litre','volume'),('piece','piece','number') ON CONFLICT DO NOTHING")
    )
    session.flush()
    return Firm(firm.id, site.id, facts["zone"], facts["currency"])


def customer(session: Session, firm: Firm, name: str = "Meena", **over: Any) -> Customer:
    """An active household with a door."""
    key = ids.new_id()
    facts = {"state": "active", "code": ids.code("C", key)} | over
    row = Customer(id=key, business_id=firm.id, site_id=firm.site_id, name=name, **facts)
    logins_later(session, "a customer of the tests")
    session.add(row)
    session.flush()
    session.add(Address(customer_id=row.id, line1="12 Temple Road", city="Bengaluru", is_default=True))
    session.flush()
    return row


def product(
    session: Session, firm: Firm, name: str = "Toned Milk", price: str = "60", tax: str | None = None, **over: Any
) -> Product:
    """A product with a list price from the beginning; `tax` is a total GST rate as 0.05."""
    tax_class_id = None
    if tax is not None:
        group = TaxClass(id=ids.new_id(), business_id=firm.id, name=f"GST {tax} {ids.new_id().hex[-6:]}")
        session.add(group)
        session.flush()
        session.add_all(
            TaxRate(tax_class_id=group.id, component=component, rate=Decimal(tax) / 2, valid_from=date(2017, 7, 1))
            for component in ("CGST", "SGST")
        )
        tax_class_id = group.id
    facts = {"unit_code": "L", "pack_size": Decimal("0.5")} | over
    row = Product(id=ids.new_id(), business_id=firm.id, name=name, tax_class_id=tax_class_id, **facts)
    session.add(row)
    session.flush()
    session.add(
        Price(product_id=row.id, scope="list", unit_price=Decimal(price), currency=firm.currency, valid_from=START)
    )
    session.flush()
    return row


def subscription(
    session: Session, customer: Customer, product: Product, quantity: str = "1", **over: Any
) -> Subscription:
    """An active standing order: every day, morning, from 1 October 2025; `over` may name either table's columns."""
    own = {"starts_on": START, "stops_on": None, "state": "active"}
    version = {"pattern": "daily", "shift": "morning", "valid_from": START, "weekdays": None, "every_n": None,
               "until_on": None, "agreed_price": None, "driver_id": None}  # fmt: skip
    for name, value in over.items():
        (own if name in own else version)[name] = value
    row = Subscription(id=ids.new_id(), customer_id=customer.id, **own)
    session.add(row)
    session.flush()
    session.add(
        SubscriptionVersion(subscription_id=row.id, product_id=product.id, quantity=Decimal(quantity), **version)
    )
    session.flush()
    return row


def driver(session: Session, firm: Firm, name: str = "Prakash", **over: Any) -> User:
    """A driver of the depot who can sign in."""
    row = User(id=ids.new_id(), name=name, email=f"{name.lower()}@example.com", state="active", **over)
    session.add(row)
    session.flush()
    session.add(Membership(user_id=row.id, role="driver", site_id=firm.site_id))
    session.flush()
    return row


__all__ = ["Firm", "Unit", "business", "customer", "driver", "product", "subscription"]
