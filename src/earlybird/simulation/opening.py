"""A dairy opens: its people, its goods, its households and what they want, before the first night."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from earlybird.catalog import service as catalog
from earlybird.identity.service import grants, links, users
from earlybird.identity.states import Purpose, Role
from earlybird.infra.db import Engine, rehearsal, rows, transaction, value
from earlybird.kernel.ctx import EVERYWHERE, Actor, Ctx
from earlybird.migrations import opening
from earlybird.simulation.clockwork import Clock
from earlybird.simulation.model import Article, Book, Household, Standing, Want
from earlybird.simulation.stage import Driver, Stage
from earlybird.simulation.wire import Person, Wire
from earlybird.territory import service as territory

FIRST_PASSWORD = "welcome to the dairy"  # noqa: S105  # of a database that is thrown away
PASSWORD = "seven green kettles sing"  # noqa: S105  # as above
BEGINNING = date(2020, 1, 1)
A_ROUND = 70
"""How many households one driver serves, about."""

GOODS = (
    ("milk", "Toned Milk", "L", "0.5", "60", ""),
    ("cream", "Full Cream Milk", "L", "0.5", "68.5", ""),
    ("curd", "Curd", "kg", "0.25", "92.3333", ""),
    ("paneer", "Paneer", "kg", "0.2", "410", "GST 5"),
    ("buttermilk", "Buttermilk", "piece", "1", "15", ""),
    ("eggs", "Egg", "piece", "6", "7.125", ""),
    ("bread", "Bread", "piece", "1", "45", "GST 5"),
    ("ghee", "Ghee", "L", "0.25", "640.25", "GST 12"),
)
"""Key, name, unit, packet, price of a unit, tax class."""

RATES = {"GST 5": "CGST=0.025 SGST=0.025", "GST 12": "CGST=0.06 SGST=0.06", "": ""}
DAILY = ("milk", "cream", "curd", "buttermilk", "eggs", "bread")


def articles() -> list[Article]:
    """Return what is sold."""
    return [Article(key, name, Decimal(step), [(BEGINNING, Decimal(price))]) for key, name, _, step, price, _ in GOODS]


def settle_in(owner: Engine, clock: Clock) -> tuple[UUID, dict[str, str]]:
    """Make the business with its depot, and two people of the office as `earlybird user add` does.

    Returns the depot and the way in of each: the token of an invitation by e-mail address.
    """
    ctx = Ctx(actor=Actor(kind="cli", name="simulation", role="admin", reaches=EVERYWHERE), now=clock.now, via="cli")
    ways = {}
    with transaction(owner) as session:
        catalog.seed_units(session)
        grants.fill(session, ctx)
        territory.open_business(session, ctx, "Sunrise Dairy", currency="INR", country="IN", zone="Asia/Kolkata")
        for role, email in ((Role.admin, "asha@dairy.example"), (Role.support, "office@dairy.example")):
            made = users.create(session, ctx, name=email.partition("@")[0].title(), role=role, email=email)
            ways[email] = links.issue(session, ctx, made, purpose=Purpose.invitation)
        site_id: UUID = value(session, "SELECT id FROM sites")
    opening.begin_with_the_rules(owner, ctx)
    return site_id, ways


def come_in(wire: Wire, email: str, way: str) -> Person:
    """Take up an invitation: choose a password by its link."""
    wire.ask(None, "POST", "/api/auth/password/reset", {"token": way, "password": PASSWORD})
    return Person(email.partition("@")[0], email, PASSWORD, device="Firefox")


def open_dairy(stage: Stage, customers: int, first: date) -> None:
    """Bring goods, households and standing orders in as tables, and give each area its driver."""
    dice = stage.dice(first, "opening")
    rounds = max(2, round(customers / A_ROUND))
    book = stage.book
    for n in range(1, customers + 1):
        key = f"H{n:05}"
        book.homes[key] = Household(key, f"{key.lower()}@dairy.example", area=dice.randrange(rounds))
    goods = [
        {"key": key, "name": name, "unit": unit, "pack_size": step, "price": price, "price_from": BEGINNING,
         "tax_class": tax, "tax_rates": RATES[tax]}
        for key, name, unit, step, price, tax in GOODS
    ]  # fmt: skip
    _bring(stage, "products", goods)
    _bring(stage, "customers", [_row(home, n) for n, home in enumerate(book.homes.values(), start=1)])
    wanted = [standing for home in book.homes.values() for standing in wishes(dice, home, book, first)]
    _bring(stage, "subscriptions", [_order(standing) for standing in wanted])
    _find_ids(stage, wanted)
    for home in book.homes.values():
        if dice.random() < 0.25:  # noqa: PLR2004  # one in four uses the portal
            stage.logins[home.key] = Person(home.key, home.email, PASSWORD, first_password=FIRST_PASSWORD)
    _take_on_drivers(stage, rounds)


def _take_on_drivers(stage: Stage, rounds: int) -> None:
    """Make drivers, one more than there are rounds, and let each of the others serve an area in both shifts."""
    areas = {area["name"]: area["id"] for area in stage.wire.see(stage.admin, "/api/areas?limit=200")["items"]}
    today = stage.clock.now.date()
    for n in range(rounds + 1):
        email = f"driver-{n}@dairy.example"
        body = {"name": f"Driver {n}", "role": "driver", "email": email, "site_id": str(stage.site_id)}
        made = stage.wire.ask(stage.admin, "POST", "/api/users", body).facts
        ctx = Ctx(actor=Actor(kind="cli", name="simulation", role="admin"), now=stage.clock.now, via="cli")
        with transaction(stage.owner) as session:
            way = links.issue(session, ctx, UUID(made["id"]), purpose=Purpose.invitation)
        person = come_in(stage.wire, email, way)
        spare = Person(person.name, email, PASSWORD, device="Nokia G21")
        area = n if n < rounds else None
        stage.drivers.append(Driver(f"D{n}", person, spare, UUID(made["id"]), area))
        stage.book.drivers[f"D{n}"] = UUID(made["id"])
        for shift in ("morning", "evening") if area is not None else ():
            body = {"shift": shift, "driver_id": made["id"], "valid_from": str(today)}
            stage.wire.ask(stage.admin, "POST", f"/api/areas/{areas[f'Area {area}']}/drivers", body)


def wishes(dice: random.Random, home: Household, book: Book, first: date) -> list[Standing]:
    """Return the standing orders of a household, each of its own article, and give them to it."""
    found = []
    for n, key in enumerate(dice.sample(DAILY, dice.choices((1, 2, 3), (55, 33, 12))[0]), start=1):
        article = book.articles[key]
        starts_on = first - timedelta(days=dice.randrange(5))
        want = Want(
            since=first,
            article=article,
            quantity=article.step * dice.randint(1, 4),
            pattern=dice.choices(("daily", "weekly", "every_nth"), (70, 18, 12))[0],
            shift=dice.choices(("morning", "evening", "both"), (70, 20, 10))[0],
            weekdays=tuple(sorted(dice.sample(range(7), dice.randint(1, 5)))),
            every_n=dice.randint(2, 4),
            agreed=article.price(first) - Decimal("1.5") if dice.random() < 0.05 else None,  # noqa: PLR2004
        )
        found.append(Standing(f"{home.key}-{n}", home, starts_on, [want]))
    home.standing.extend(found)
    return found


def facts_of(want: Want) -> dict[str, Any]:
    """Return how often and when, as the doors are told."""
    facts: dict[str, Any] = {"pattern": want.pattern, "shift": want.shift}
    if want.pattern == "weekly":
        facts["weekdays"] = list(want.weekdays)
    if want.pattern == "every_nth":
        facts["every_n"] = want.every_n
    return facts


def _row(home: Household, n: int) -> dict[str, Any]:
    return {
        "key": home.key, "name": f"Household {n}", "email": home.email, "phone": f"+9198{n:08}",
        "status": "active", "area": f"Area {home.area}", "address": f"{n} Temple Road", "city": "Bengaluru",
    }  # fmt: skip


def _order(standing: Standing) -> dict[str, Any]:
    want = standing.wants[0]
    facts = facts_of(want)
    return {
        "key": standing.key, "customer": standing.home.key, "product": want.article.key, "quantity": want.quantity,
        "pattern": want.pattern, "weekdays": ",".join(map(str, facts.get("weekdays", ()))),
        "every_n": facts.get("every_n", ""), "shift": want.shift, "starts_on": standing.starts_on,
        "price": want.agreed if want.agreed is not None else "",
    }  # fmt: skip


def _bring(stage: Stage, kind: str, told: Sequence[dict[str, Any]]) -> None:
    """Bring a table in; every row of it is good."""
    text = io.StringIO()
    sheet = csv.DictWriter(text, list(told[0]))
    sheet.writeheader()
    sheet.writerows(told)
    answer = stage.wire.ask(stage.admin, "POST", f"/api/imports/{kind}", text.getvalue().encode(), is_file=True)
    if not answer.is_right or answer.facts["refused"]:
        stage.wire.surprises.append(f"the table of {kind} was refused: {answer.facts}")


def _find_ids(stage: Stage, wanted: Sequence[Standing]) -> None:
    """Learn what the product calls what came in as tables."""
    with rehearsal(stage.owner) as session:
        goods = {row["key"]: row["product_id"] for row in rows(session, "SELECT key, product_id FROM product_keys")}
        orders = {r["key"]: r["subscription_id"] for r in rows(session, "SELECT * FROM subscription_keys")}
        people = {
            row["key"]: row
            for row in rows(
                session, "SELECT k.key, c.id, c.code FROM customer_keys k JOIN customers c ON c.id = k.customer_id"
            )
        }
    for article in stage.book.articles.values():
        article.id = goods[article.key]
    for home in stage.book.homes.values():
        home.id, home.code = people[home.key]["id"], people[home.key]["code"]
    for standing in wanted:
        standing.id = orders[standing.key]
