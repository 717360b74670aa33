"""Standing orders at the door: a customer's own and no other's, before the cut-off, by fields that exist."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

import make
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from earlybird.kernel import ids
from make import entrance
from make.business import Firm
from make.house import House, house, told

MON = "2026-01-19"
NO_ROLE = ("driver", "merchant", "warehouse", "supplier")
COMMANDS: tuple[tuple[str, str, Any], ...] = (
    ("PATCH", "", {"valid_from": MON, "quantity": "3"}),
    ("POST", "/pause", {"starts_on": MON}),
    ("POST", "/resume", {"on": MON}),
    ("PUT", f"/overrides/{MON}", {"quantity": "0"}),
    ("DELETE", f"/overrides/{MON}", None),
    ("POST", "/stop", {"stops_on": MON, "reason": "moving"}),
    ("POST", "/reactivate", {"on": MON}),
)


class Cast(House):
    """A dairy with two customers, milk, and a driver."""

    meena: UUID
    ravi: UUID
    milk: UUID
    driver: UUID
    clerk: UUID

    def order(self, **over: Any) -> str:
        """The path of a new standing order of Meena's, made by herself."""
        body = {
            "customer_id": str(self.meena),
            "product_id": str(self.milk),
            "quantity": "1.5",
            "starts_on": MON,
        } | over
        made = self.ask("POST", "/api/subscriptions", body, by="customer", customer_id=self.meena)
        assert made.status_code == 201, made.text
        return f"/api/subscriptions/{made.json()['id']}"

    def try_(self, **over: Any) -> tuple[int, str | None]:
        """What comes of such an order, placed by Meena."""
        body = {
            "customer_id": str(self.meena),
            "product_id": str(self.milk),
            "quantity": "1.5",
            "starts_on": MON,
        } | over
        return told(self.ask("POST", "/api/subscriptions", body, by="customer", customer_id=self.meena))


@pytest.fixture(scope="module")
def dairy(server: Embedded) -> Iterator[Cast]:
    with house(server) as found:
        cast = Cast(found.engine, found.firm, found.keys)
        with db.transaction(cast.engine) as session:
            cast.meena, cast.ravi = (make.customer(session, cast.firm, name).id for name in ("Meena", "Ravi"))
            cast.milk = make.product(session, cast.firm).id
            cast.driver = make.driver(session, cast.firm).id
            cast.clerk = entrance.person(session, "support")
        yield cast


def test_a_customer_makes_and_changes_their_own(dairy: Cast) -> None:
    me: dict[str, Any] = {"by": "customer", "customer_id": dairy.meena}
    path = dairy.order(pattern="weekly", weekdays=[0, 2])
    shown = dairy.ask("GET", path, **me)
    facts = shown.json()
    assert (facts["state"], facts["customer_code"][:2], facts["is_paused"]) == ("active", "C-", False)
    wanted = facts["wanted"]
    assert (wanted["quantity"], wanted["pattern"], wanted["weekdays"], wanted["via"]) == (
        "1.500",
        "weekly",
        [0, 2],
        "api",
    )
    assert wanted["made_at"] == "2026-01-15T12:00:00Z"
    changed = dairy.ask(
        "PATCH",
        path,
        {"valid_from": "2026-01-26", "quantity": "2", "pattern": "daily"},
        match=shown.headers["etag"],
        **me,
    )
    assert [(v["valid_from"], v["quantity"], v["weekdays"]) for v in changed.json()["versions"]] == [
        ("2026-01-26", "2.000", None), (MON, "1.500", [0, 2])]  # fmt: skip
    assert dairy.ask("POST", f"{path}/pause", {"starts_on": MON}, match=shown.headers["etag"], **me).status_code == 412
    paused = dairy.ask(
        "POST", f"{path}/pause", {"starts_on": MON, "ends_on": "2026-01-22"}, match=changed.headers["etag"], **me
    )
    assert [(p["starts_on"], p["ends_on"]) for p in paused.json()["pauses"]] == [(MON, "2026-01-22")]
    resumed = dairy.ask("POST", f"{path}/resume", {"on": "2026-01-21"}, **me)
    assert [p["ends_on"] for p in resumed.json()["pauses"]] == ["2026-01-20"]
    said = dairy.ask("PUT", f"{path}/overrides/2026-01-28", {"quantity": "0", "reason": "away"}, **me)
    assert [(o["service_on"], o["quantity"], o["reason"]) for o in said.json()["overrides"]] == [
        ("2026-01-28", "0.000", "away")
    ]
    assert dairy.ask("DELETE", f"{path}/overrides/2026-01-28", **me).status_code == 204
    assert dairy.ask("DELETE", f"{path}/overrides/2026-01-28", **me).status_code == 404
    assert (
        dairy.ask("POST", f"{path}/stop", {"stops_on": "2026-02-01", "reason": "moving"}, **me).json()["state"]
        == "stopped"
    )
    again = dairy.ask("POST", f"{path}/reactivate", {"on": "2026-02-03"}, **me).json()
    assert (again["state"], again["stops_on"], again["pauses"][0]["starts_on"]) == ("active", None, "2026-02-01")
    assert dairy.ask("POST", f"{path}/reactivate", {"on": "2026-02-03"}, **me).status_code == 409


def test_what_is_another_customers_is_not_there(dairy: Cast) -> None:
    path, ravi = dairy.order(), {"by": "customer", "customer_id": dairy.ravi}
    unknown = f"/api/subscriptions/{ids.new_id()}"
    for where in (path, unknown):
        assert dairy.ask("GET", where, **ravi).status_code == 404
        assert dairy.ask("GET", f"{where}/calendar", **ravi).status_code == 404
        for method, tail, body in COMMANDS:
            assert dairy.ask(method, where + tail, body, **ravi).status_code == 404, (where, tail)
    body = {"customer_id": str(dairy.meena), "product_id": str(dairy.milk), "quantity": "1", "starts_on": MON}
    assert told(dairy.ask("POST", "/api/subscriptions", body, **ravi)) == (404, "/customer_id")
    assert told(dairy.ask("POST", "/api/subscriptions", body | {"customer_id": str(ids.new_id())}, **ravi)) == (
        404,
        "/customer_id",
    )
    for who in (dairy.meena, ids.new_id()):
        assert dairy.ask("GET", f"/api/customers/{who}/calendar", **ravi).status_code == 404
        assert dairy.ask("GET", f"/api/subscriptions?customer_id={who}", **ravi).json() == {"items": [], "next": None}
    assert dairy.ask("GET", f"/api/customers/{dairy.ravi}/calendar", **ravi).status_code == 200
    assert dairy.ask("GET", path).json()["pauses"] == []


def test_who_has_no_business_with_standing_orders_is_refused(dairy: Cast) -> None:
    path = dairy.order()
    looks = [("GET", path, None), ("GET", f"{path}/calendar", None), ("GET", "/api/subscriptions", None),
             ("GET", f"/api/customers/{dairy.meena}/calendar", None)]  # fmt: skip
    writes = [("POST", "/api/subscriptions", {}), *((method, path + tail, body) for method, tail, body in COMMANDS)]
    for asks, roles in ((looks, NO_ROLE), (writes, (*NO_ROLE, "marketing"))):
        for method, where, body in asks:
            assert {role: dairy.ask(method, where, body, by=role).status_code for role in roles} == dict.fromkeys(
                roles, 403
            )
            assert dairy.ask(method, where, body, by=None).status_code == 401
    agreed = {"valid_from": MON, "agreed_price": "1"}
    assert dairy.ask("PUT", f"{path}/agreed-price", agreed, by="customer", customer_id=dairy.meena).status_code == 403
    assert dairy.ask("PUT", f"{path}/agreed-price", agreed, by="support").status_code == 403
    assert dairy.ask("PUT", f"{path}/agreed-price", agreed).json()["versions"][0]["agreed_price"] == "1.0000"
    assert (
        dairy.ask("PUT", f"{path}/agreed-price", agreed | {"agreed_price": None}).json()["versions"][0]["agreed_price"]
        is None
    )


def test_marketing_sees_the_standing_orders_of_whom_they_brought(dairy: Cast) -> None:
    path = dairy.order()
    with db.transaction(dairy.engine) as session:
        seller = entrance.person(session, "marketing")
        brought = make.customer(session, dairy.firm, "Brought", marketer_id=seller)
        theirs = make.subscription(session, brought, make.product(session, dairy.firm, "Oil")).id
    me: dict[str, Any] = {"by": "marketing", "user_id": seller}
    assert [row["id"] for row in dairy.ask("GET", "/api/subscriptions", **me).json()["items"]] == [str(theirs)]
    assert dairy.ask("GET", f"/api/customers/{brought.id}/calendar", **me).status_code == 200
    for where in (path, f"{path}/calendar", f"/api/customers/{dairy.meena}/calendar"):
        assert dairy.ask("GET", where, **me).status_code == 404


def test_what_cannot_be_is_refused_by_its_field(dairy: Cast) -> None:
    with db.transaction(dairy.engine) as session:
        elsewhere = make.business(session, "Elsewhere")
        theirs = make.product(session, elsewhere).id
        old = make.product(session, dairy.firm, "Old", archived_at=datetime(2026, 1, 1, tzinfo=UTC)).id
        address = db.value(session, "SELECT id FROM addresses WHERE customer_id = :id", {"id": dairy.ravi})
        own = db.value(session, "SELECT id FROM addresses WHERE customer_id = :id", {"id": dairy.meena})
    for product in (theirs, old, ids.new_id()):
        assert dairy.try_(product_id=str(product)) == (422, "/product_id")
    for where in (address, ids.new_id()):
        assert dairy.try_(address_id=str(where)) == (422, "/address_id")
    assert dairy.try_(address_id=str(own)) == (201, None)
    assert dairy.try_(pattern="weekly") == (422, "/weekdays")
    assert dairy.try_(pattern="weekly", weekdays=[7]) == (422, "/body/weekdays/0")
    assert dairy.try_(pattern="every_nth", every_n=0) == (422, "/body/every_n")
    assert dairy.try_(pattern="one_time", until_on="2026-01-18") == (422, "/until_on")
    assert dairy.try_(stops_on="2026-01-18") == (422, "/stops_on")
    assert dairy.try_(quantity="0") == (422, "/quantity")
    assert dairy.try_(quantity="1000000") == (422, "/body/quantity")
    assert dairy.try_(quantity=1.5) == (422, "/body/quantity")
    assert dairy.try_(agreed_price="0") == (422, "/body/agreed_price")
    assert dairy.try_(starts_on="2026-01-16") == (201, None)
    assert dairy.try_(starts_on="2026-01-15") == (409, "/starts_on")
    assert dairy.try_(driver_id=str(dairy.driver)) == (403, "/driver_id")
    path = dairy.order()
    for who, expected in (
        (dairy.driver, (200, None)),
        (dairy.clerk, (422, "/driver_id")),
        (ids.new_id(), (422, "/driver_id")),
    ):
        assert told(dairy.ask("PATCH", path, {"valid_from": MON, "driver_id": str(who)}, by="support")) == expected
    assert told(dairy.ask("PUT", f"{path}/overrides/{MON}", {}, by="support")) == (422, "/quantity")
    assert told(dairy.ask("POST", f"{path}/pause", {"starts_on": MON, "ends_on": "2026-01-18"})) == (422, "/ends_on")
    assert told(dairy.ask("POST", f"{path}/resume", {"on": MON})) == (404, "/on")
    assert told(dairy.ask("PATCH", path, {"valid_from": "2026-01-18", "quantity": "1"})) == (409, "/valid_from")


def test_after_the_cutoff_the_day_stays_as_it_is(dairy: Cast) -> None:
    path = dairy.order()
    before = dairy.ask("GET", path).json()
    dairy.now = datetime(2026, 1, 18, 14, 30, 1, tzinfo=UTC)
    for by in ("customer", "admin"):
        for method, tail, body in COMMANDS:
            answer = dairy.ask(method, path + tail, body, by=by, customer_id=dairy.meena if by == "customer" else None)
            assert answer.status_code == 409, (by, tail, answer.text)
            assert "cut-off" in answer.json()["detail"]
    assert dairy.ask("GET", path).json() == before
    line = dairy.ask("GET", f"{path}/calendar?from={MON}&to={MON}").json()["days"][0]["lines"][0]
    assert (line["is_changeable"], line["cutoff_at"]) == (False, "2026-01-18T14:30:00Z")
    dairy.now = entrance.CTX.now


def test_the_calendar_is_shown_in_the_zone_of_the_depot(dairy: Cast) -> None:
    path = dairy.order(quantity="1.5")
    found = dairy.ask("GET", f"{path}/calendar?from=2026-01-18&to={MON}", by="customer", customer_id=dairy.meena).json()
    assert (found["first_on"], found["last_on"], found["zone"]) == ("2026-01-18", MON, "Asia/Kolkata")
    assert [line["why"] for day in found["days"] for line in day["lines"]] == ["It starts on 2026-01-19.", "Every day."]
    line = found["days"][1]["lines"][0]
    assert (line["quantity"], line["unit_price"], line["currency"], line["amount_minor"]) == (
        "1.500",
        "60.0000",
        "INR",
        9000,
    )
    everything = dairy.ask("GET", f"/api/customers/{dairy.meena}/calendar?from={MON}&to={MON}").json()
    assert line in everything["days"][0]["lines"]
    for query in ("from=2026-01-01&to=2026-04-03", "from=2026-01-02&to=2026-01-01"):
        assert told(dairy.ask("GET", f"{path}/calendar?{query}")) == (422, "/to")
    assert told(dairy.ask("GET", f"{path}/calendar?from=yesterday")) == (422, "/query/from")


def test_the_list_is_filtered_and_goes_page_by_page(dairy: Cast) -> None:
    with db.transaction(dairy.engine) as session:
        site = dairy.firm.site_id
        area = db.value(
            session, "INSERT INTO areas (site_id, name) VALUES (:site, 'Hebbal') RETURNING id", {"site": site}
        )
        anu = make.customer(session, dairy.firm, "Anu", area_id=area)
        curd, milk = make.product(session, dairy.firm, "Curd"), make.product(session, dairy.firm, "Milk")
        kept = [make.subscription(session, anu, milk).id for _ in range(3)]
        other = make.subscription(session, anu, curd)
        gone = make.subscription(session, anu, curd, state="stopped")

    def ask(query: str) -> list[str]:
        found, place = [], ""
        while place is not None:
            page = dairy.ask(
                "GET", f"/api/subscriptions?limit=2&{query}{place and '&cursor=' + place}", by="support"
            ).json()
            found += [row["id"] for row in page["items"]]
            place = page["next"]
        return found

    newest = [str(key) for key in reversed([*kept, other.id, gone.id])]
    assert ask(f"customer_id={anu.id}") == newest
    assert ask(f"area_id={area}") == newest
    assert ask(f"product_id={milk.id}") == newest[2:]
    assert ask(f"customer_id={anu.id}&state=stopped") == newest[:1]
    changed = {"valid_from": "2026-01-16", "product_id": str(milk.id)}
    assert dairy.ask("PATCH", f"/api/subscriptions/{other.id}", changed).status_code == 200
    assert str(other.id) not in ask(f"product_id={milk.id}"), "it is wanted tomorrow, not today"
    assert dairy.ask("GET", "/api/subscriptions?state=asleep").status_code == 422


def test_a_business_from_nothing_is_set_up_over_the_api(dairy: Cast) -> None:
    """What `earlybird init` leaves: units, a depot, two shifts. The rest comes through the door."""
    body = {"name": "Fresh", "currency": "INR", "country": "IN", "zone": "Asia/Kolkata"}
    firm = dairy.ask("POST", "/api/businesses", body).json()["id"]
    depot = dairy.ask("GET", f"/api/sites?business_id={firm}").json()["items"][0]["id"]
    area = dairy.ask("POST", "/api/areas", {"site_id": depot, "name": "Hebbal"}).json()["id"]
    bread = dairy.ask("POST", "/api/products", {"name": "Bread", "unit_code": "piece", "business_id": firm}).json()[
        "id"
    ]
    price = {"unit_price": "40", "valid_from": "2026-01-15"}
    assert dairy.ask("POST", f"/api/products/{bread}/prices", price).status_code == 201
    assigned = {"shift": "morning", "driver_id": str(dairy.driver), "valid_from": "2026-01-15"}
    assert dairy.ask("POST", f"/api/areas/{area}/drivers", assigned).status_code == 201
    with db.transaction(dairy.engine) as session:
        who = make.customer(session, Firm(UUID(firm), UUID(depot), "Asia/Kolkata", "INR"), area_id=UUID(area))
    order = {"customer_id": str(who.id), "product_id": bread, "quantity": "2", "starts_on": MON}
    made = dairy.ask("POST", "/api/subscriptions", order).json()
    line = dairy.ask("GET", f"/api/subscriptions/{made['id']}/calendar?from={MON}").json()["days"][0]["lines"][0]
    assert (line["quantity"], line["amount_minor"]) == ("2.000", 8000)
