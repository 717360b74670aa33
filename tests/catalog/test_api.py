"""The catalogue at the door: everybody reads it, only an admin changes it, what was sold keeps its price."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

import make
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from earlybird.kernel import ids
from make.house import House, house, told

TODAY = "2026-01-15"
NOT_ADMIN = ("support", "customer", "driver", "merchant", "warehouse", "marketing", "supplier")


@pytest.fixture(scope="module")
def dairy(server: Embedded) -> Iterator[House]:
    with house(server) as found:
        yield found


@pytest.fixture
def milk(dairy: House) -> dict[str, Any]:
    made = dairy.ask("POST", "/api/products", {"name": "Toned Milk", "unit_code": "L", "pack_size": "0.5"})
    assert made.status_code == 201, made.text
    return dict(made.json())


def test_what_is_made_is_seen_by_everybody(dairy: House, milk: dict[str, Any]) -> None:
    seen = dairy.ask("GET", f"/api/products/{milk['id']}", by=None)
    assert seen.json() == milk
    assert (milk["pack_size"], milk["list_price"], milk["category"]) == ("0.500", None, None)
    assert milk["created_at"] == "2026-01-15T12:00:00Z"
    assert milk["id"] in [row["id"] for row in dairy.ask("GET", "/api/products?q=tONED", by=None).json()["items"]]
    assert dairy.ask("GET", "/api/products?q=%25", by=None).json()["items"] == []


def test_only_an_admin_changes_the_catalogue(dairy: House, milk: dict[str, Any]) -> None:
    path = f"/api/products/{milk['id']}"
    writes = [("POST", "/api/products", {"name": "x", "unit_code": "L"}), ("PATCH", path, {"name": "x"}), ("DELETE", path, None),
              ("POST", f"{path}/prices", {"unit_price": "1", "valid_from": TODAY}), ("POST", f"{path}/restore", None),
              ("POST", "/api/tax-classes", {"name": "x"}), ("POST", "/api/units", {"code": "x", "name": "x", "measure": "mass"})]  # fmt: skip
    for method, where, body in writes:
        assert dairy.ask(method, where, body, by=None).status_code == 401
        assert {role: dairy.ask(method, where, body, by=role).status_code for role in NOT_ADMIN} == dict.fromkeys(
            NOT_ADMIN, 403
        )
    assert {role: dairy.ask("GET", f"{path}/prices", by=role).status_code for role in ("support", "marketing", "customer")} == {
        "support": 200, "marketing": 200, "customer": 403}  # fmt: skip
    assert dairy.ask("GET", path, by=None).json() == milk


def test_a_change_made_meanwhile_is_not_overwritten(dairy: House, milk: dict[str, Any]) -> None:
    path = f"/api/products/{milk['id']}"
    before = dairy.ask("GET", path).headers["etag"]
    changed = dairy.ask("PATCH", path, {"category": "Milk", "pack_size": "1"}, match=before)
    assert (changed.json()["category"], changed.json()["pack_size"], changed.json()["name"]) == (
        "Milk",
        "1.000",
        "Toned Milk",
    )
    assert dairy.ask("PATCH", path, {"name": "x"}, match=before).status_code == 412
    assert dairy.ask("PATCH", path, {"category": None}, match=changed.headers["etag"]).json()["category"] is None
    told_ = dairy.one("SELECT before || after FROM audit_entries WHERE entity_id = :id AND action = 'catalog.change_product' "
                      "ORDER BY id LIMIT 1", id=milk["id"])  # fmt: skip
    assert told_ == {"category": "Milk", "pack_size": "1"}


def test_what_is_archived_is_hidden_and_comes_back(dairy: House, milk: dict[str, Any]) -> None:
    path = f"/api/products/{milk['id']}"
    assert dairy.ask("DELETE", path).status_code == 204
    assert [
        dairy.ask(m, path, b).status_code for m, b in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None))
    ] == [404] * 3
    assert milk["id"] not in [row["id"] for row in dairy.ask("GET", "/api/products?limit=200").json()["items"]]
    assert milk["id"] in [row["id"] for row in dairy.ask("GET", "/api/products/archived").json()["items"]]
    assert dairy.ask("GET", "/api/products/archived", by="support").status_code == 403
    assert dairy.ask("POST", f"{path}/restore").json()["archived_at"] is None
    assert dairy.ask("GET", path).status_code == 200


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "x"}, "/body/unit_code"),
        ({"name": "x", "unit_code": "furlong"}, "/unit_code"),
        ({"name": "x", "unit_code": "L", "pack_size": "0"}, "/body/pack_size"),
        ({"name": "x", "unit_code": "L", "pack_size": 0.5}, "/body/pack_size"),
        ({"name": " ", "unit_code": "L"}, "/body/name"),
        ({"name": "a\0b", "unit_code": "L"}, "/body/name"),
        ({"name": "x", "unit_code": "L", "tax_class_id": str(ids.new_id())}, "/tax_class_id"),
        ({"name": "x", "unit_code": "L", "business_id": str(ids.new_id())}, "/business_id"),
        ({"name": "x", "unit_code": "L", "colour": "white"}, "/body/colour"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(dairy: House, body: dict[str, Any], pointer: str) -> None:
    assert told(dairy.ask("POST", "/api/products", body)) == (422, pointer)


def test_two_products_of_one_name_are_marked(dairy: House) -> None:
    body = {"name": "Ghee", "unit_code": "kg"}
    first, second = (dairy.ask("POST", "/api/products", body).json() for _ in range(2))
    assert (first["has_namesake"], second["has_namesake"]) == (False, True)
    assert dairy.ask("DELETE", f"/api/products/{second['id']}").status_code == 204
    assert dairy.ask("GET", f"/api/products/{first['id']}").json()["has_namesake"] is False


def test_a_price_holds_from_its_day_and_the_past_stays(dairy: House, milk: dict[str, Any]) -> None:
    path = f"/api/products/{milk['id']}/prices"

    def price(amount: str, day: str, **over: Any) -> Any:
        return dairy.ask("POST", path, {"unit_price": amount, "valid_from": day} | over)

    assert told(price("60", "2026-01-14")) == (409, "/valid_from")
    first = price("60", TODAY)
    assert first.status_code == 201
    assert first.json() | {"id": 0} == {
        "id": 0, "product_id": milk["id"], "scope": "list", "customer_id": None, "unit_price": "60.0000", "currency": "INR",
        "valid_from": TODAY, "is_in_force": True,
    }  # fmt: skip
    assert price("60", TODAY).json() == first.json(), "said again it is the same"
    assert told(price("61", TODAY)) == (409, "/valid_from")
    future = price("62.5", "2026-01-20").json()
    again = price("63", "2026-01-20").json()
    assert (again["id"], again["unit_price"], again["is_in_force"]) == (future["id"], "63.0000", False)
    assert dairy.ask("GET", f"/api/products/{milk['id']}", by=None).json()["list_price"]["unit_price"] == "60.0000"
    assert dairy.ask("DELETE", f"{path}/{first.json()['id']}").status_code == 409
    assert dairy.ask("DELETE", f"{path}/{future['id']}").status_code == 204
    assert dairy.ask("GET", f"{path}/{future['id']}").status_code == 404
    for bad, pointer in ((60.5, "/body/unit_price"), ("-1", "/body/unit_price"), ("1.23456", "/body/unit_price")):
        assert told(dairy.ask("POST", path, {"unit_price": bad, "valid_from": TODAY})) == (422, pointer)
    assert told(price("1", "2026-02-30")) == (422, "/body/valid_from")
    assert told(price("1", "9999-12-31")) == (422, "/body/valid_from")
    assert dairy.ask("GET", f"/api/products/{ids.new_id()}/prices").status_code == 404


def test_one_customers_price_is_beside_the_list(dairy: House, milk: dict[str, Any]) -> None:
    with db.transaction(dairy.engine) as session:
        meena = make.customer(session, dairy.firm)
        stranger = make.customer(session, make.business(session, f"Elsewhere {ids.new_id()}"))
    path = f"/api/products/{milk['id']}/prices"
    body = {"unit_price": "55", "valid_from": TODAY, "customer_id": str(meena.id)}
    assert dairy.ask("POST", path, body).json()["scope"] == "customer"
    assert dairy.ask("GET", f"/api/products/{milk['id']}").json()["list_price"] is None
    found = dairy.ask("GET", f"{path}?customer_id={meena.id}").json()["items"]
    assert [row["customer_id"] for row in found] == [str(meena.id)]
    assert dairy.ask("GET", f"{path}?scope=list").json()["items"] == []
    for nobody in (stranger.id, ids.new_id()):
        assert told(dairy.ask("POST", path, body | {"customer_id": str(nobody)})) == (422, "/customer_id")


def test_the_list_goes_page_by_page_and_by_heading(dairy: House) -> None:
    for n in range(5):
        dairy.ask("POST", "/api/products", {"name": f"Bread {n}", "unit_code": "piece", "category": "Bakery",
                                            "business_id": str(dairy.firm.id)})  # fmt: skip
    seen, place = [], ""
    while place is not None:
        found = dairy.ask("GET", f"/api/products?category=Bakery&limit=2{place and '&cursor=' + place}", by=None).json()
        seen += [row["name"] for row in found["items"]]
        place = found["next"]
    assert seen == [f"Bread {n}" for n in reversed(range(5))]
    assert dairy.ask("GET", "/api/products?cursor=x", by=None).status_code == 422


def test_tax_rates_are_dated_and_only_the_first_may_begin_in_the_past(dairy: House) -> None:
    made = dairy.ask("POST", "/api/tax-classes", {"name": "GST 5 %", "hsn": "0401", "business_id": str(dairy.firm.id)})
    assert made.status_code == 201, made.text
    path = f"/api/tax-classes/{made.json()['id']}"
    assert told(dairy.ask("POST", "/api/tax-classes", {"name": "GST 5 %", "business_id": str(dairy.firm.id)})) == (
        409,
        "/name",
    )

    def rate(share: str, day: str) -> Any:
        return dairy.ask("POST", f"{path}/rates", {"component": "CGST", "rate": share, "valid_from": day})

    assert rate("0.025", "2017-07-01").json()["rates"] == [
        {"component": "CGST", "rate": "0.0250", "valid_from": "2017-07-01"}
    ]
    assert told(rate("0.03", "2017-07-01")) == (409, "/valid_from")
    assert told(rate("0.03", "2026-01-14")) == (409, "/valid_from")
    assert rate("0.03", "2026-04-01").status_code == 200
    assert [r["rate"] for r in rate("0.04", "2026-04-01").json()["rates"]] == ["0.0400", "0.0250"]
    assert told(rate("1", "2026-05-01")) == (422, "/body/rate")
    assert dairy.ask("PATCH", path, {"hsn": "1905"}).json()["hsn"] == "1905"
    assert told(dairy.ask("PATCH", path, {"hsn": "19"})) == (422, "/body/hsn")
    taxed = {"name": "Paneer", "unit_code": "kg", "tax_class_id": made.json()["id"], "business_id": str(dairy.firm.id)}
    assert dairy.ask("POST", "/api/products", taxed).json()["tax_class_id"] == made.json()["id"]
    assert dairy.ask("GET", f"/api/tax-classes/{ids.new_id()}").status_code == 404
    assert date.fromisoformat(dairy.ask("GET", "/api/tax-classes").json()["items"][0]["rates"][0]["valid_from"])


def test_a_unit_stays_what_it_is(dairy: House) -> None:
    body = {"code": "ml", "name": "millilitre", "measure": "volume"}
    assert dairy.ask("POST", "/api/units", body).json() == body
    assert told(dairy.ask("POST", "/api/units", body)) == (409, "/code")
    assert body in dairy.ask("GET", "/api/units").json()
