"""Businesses, sites, areas and policies at the door: an admin changes them, a driver sees the areas they serve."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import make
from earlybird.billing.service.charges import POLICY
from earlybird.deliveries.queries.door import policy
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from earlybird.kernel import ids
from earlybird.territory import queries
from earlybird.territory.rules import GSTIN, POLICIES
from make import entrance
from make.house import House, house, told

NOT_ADMIN = ("support", "customer", "driver", "merchant", "warehouse", "marketing", "supplier")


@pytest.fixture(scope="module")
def dairy(server: Embedded) -> Iterator[House]:
    with house(server) as found:
        yield found


@pytest.fixture
def depot(dairy: House) -> str:
    made = dairy.ask(
        "POST", "/api/sites", {"kind": "depot", "name": f"Depot {ids.new_id()}", "business_id": str(dairy.firm.id)}
    )
    assert made.status_code == 201, made.text
    return f"/api/sites/{made.json()['id']}"


def area(dairy: House, site: str, name: str = "Malleshwaram") -> str:
    made = dairy.ask("POST", "/api/areas", {"site_id": site.rsplit("/", 1)[1], "name": name})
    assert made.status_code == 201, made.text
    return f"/api/areas/{made.json()['id']}"


def test_a_business_changes_what_is_no_history(dairy: House) -> None:
    path = f"/api/businesses/{dairy.firm.id}"
    before = dairy.ask("GET", path, by="support")
    assert (before.json()["upi_id"], before.json()["currency"]) == ("sunrise@example", "INR")
    body = {
        "upi_id": "new@okbank",
        "tax_ids": {"GSTIN": "29ABCDE1234F1Z5"},
        "phone": "+91 80 4000 1234",
        "terms_days": 10,
    }
    assert {role: dairy.ask("PATCH", path, body, by=role).status_code for role in NOT_ADMIN} == dict.fromkeys(
        NOT_ADMIN, 403
    )
    changed = dairy.ask("PATCH", path, body, match=before.headers["etag"])
    assert {name: changed.json()[name] for name in body} == body
    assert dairy.ask("PATCH", path, body, match=before.headers["etag"]).status_code == 412
    told_ = dairy.one("SELECT jsonb_build_array(before -> 'upi_id', after -> 'upi_id', role) FROM audit_entries "
                      "WHERE action = 'territory.change_business'")  # fmt: skip
    assert told_ == ["sunrise@example", "new@okbank", "admin"]
    for bad, pointer in (
        ({"tax_ids": {"GSTIN": "29ABCDE1234F1X5"}}, "/tax_ids/GSTIN"),
        ({"upi_id": "nobody"}, "/body/upi_id"),
        ({"terms_days": -1}, "/body/terms_days"),
        ({"currency": "USD"}, "/body/currency"),
        ({"name": None}, "/body/name"),
    ):
        assert told(dairy.ask("PATCH", path, bad)) == (422, pointer)
    assert {r: dairy.ask("GET", path, by=r).status_code for r in ("customer", "driver", "merchant")} == dict.fromkeys(
        ("customer", "driver", "merchant"), 403
    )
    assert dairy.ask("GET", f"/api/businesses/{ids.new_id()}").status_code == 404


def test_another_business_is_whole_and_its_name_its_own(dairy: House) -> None:
    body = {"name": f"Northside {ids.new_id()}", "currency": "CAD", "country": "CA", "zone": "America/Toronto"}
    made = dairy.ask("POST", "/api/businesses", body)
    assert made.status_code == 201, made.text
    sites = dairy.ask("GET", f"/api/sites?business_id={made.json()['id']}").json()["items"]
    assert [(s["kind"], s["zone"]) for s in sites] == [("depot", "America/Toronto")]
    assert len(dairy.ask("GET", f"/api/sites/{sites[0]['id']}/shifts").json()) == 2
    assert told(dairy.ask("POST", "/api/businesses", body)) == (409, "/name")
    assert told(dairy.ask("POST", "/api/businesses", body | {"zone": "Mars/Olympus", "name": "x"})) == (422, "/zone")
    assert told(dairy.ask("POST", "/api/sites", {"kind": "shop", "name": "x"})) == (422, "/business_id")


def test_a_site_is_seen_by_all_changed_by_an_admin_and_archived_when_it_serves_nobody(dairy: House, depot: str) -> None:
    for method, path, body in (("POST", "/api/sites", {"kind": "shop", "name": "x"}), ("PATCH", depot, {"name": "x"}), ("DELETE", depot, None),
                               ("PUT", f"{depot}/shifts/morning", {"starts": "05:00", "ends": "08:00", "cutoff": "20:00"}),
                               ("PUT", f"{depot}/closures/2026-02-01", {"reason": "x"})):  # fmt: skip
        assert {r: dairy.ask(method, path, body, by=r).status_code for r in NOT_ADMIN} == dict.fromkeys(NOT_ADMIN, 403)
    assert {r: dairy.ask("GET", depot, by=r).status_code for r in NOT_ADMIN} == dict.fromkeys(NOT_ADMIN, 200)
    assert dairy.ask("GET", depot, by=None).status_code == 401
    name = dairy.ask("GET", depot).json()["name"]
    assert dairy.ask("PATCH", depot, {"name": name + "!"}).json()["name"] == name + "!"
    assert told(dairy.ask("PATCH", depot, {"name": "Depot"})) == (409, "/name")
    assert dairy.ask("DELETE", f"/api/sites/{ids.new_id()}").status_code == 404
    with db.transaction(dairy.engine) as session:
        meena = make.customer(session, dairy.firm)
    assert dairy.ask("DELETE", f"/api/sites/{meena.site_id}").status_code == 409
    assert dairy.ask("DELETE", depot).status_code == 204
    assert dairy.ask("GET", depot).status_code == 404
    assert depot.rsplit("/", 1)[1] in [s["id"] for s in dairy.ask("GET", "/api/sites?archived=true").json()["items"]]
    assert dairy.ask("POST", f"{depot}/restore").json()["archived_at"] is None


def test_a_shift_is_set_and_moves_the_cutoff(dairy: House, depot: str) -> None:
    path = f"{depot}/shifts/evening"
    hours = {"starts": "17:00", "ends": "20:00", "cutoff": "12:00", "cutoff_days_before": 0}
    assert dairy.ask("PUT", path, hours).json() == {"shift": "evening"} | hours
    assert dairy.ask("PUT", path, hours | {"cutoff": "13:30"}).json()["cutoff"] == "13:30"
    assert [s["cutoff"] for s in dairy.ask("GET", f"{depot}/shifts", by="customer").json()] == ["13:30"]
    assert told(dairy.ask("PUT", path, hours | {"cutoff": "17:01"})) == (422, "/cutoff")
    for bad in ("24:00", "9:00", "09:00:00", 9, "09:00Z"):
        assert told(dairy.ask("PUT", path, hours | {"starts": bad})) == (422, "/body/starts")
    assert dairy.ask("PUT", f"{depot}/shifts/night", hours).status_code == 422
    changes = dairy.one(
        "SELECT count(*) FROM audit_entries WHERE action = 'territory.set_shift' AND after ->> 'cutoff' LIKE '13:30%'"
    )
    assert changes == 1


def test_a_day_is_closed_and_reopened_until_it_is_past(dairy: House, depot: str) -> None:
    path = f"{depot}/closures"
    assert dairy.ask("PUT", f"{path}/2026-01-20", {"reason": "Feast"}).status_code == 200
    assert dairy.ask("PUT", f"{path}/2026-01-20", {"reason": "Pongal"}).json() == {
        "closed_on": "2026-01-20",
        "reason": "Pongal",
    }
    assert dairy.ask("GET", path, by="driver").json() == [{"closed_on": "2026-01-20", "reason": "Pongal"}]
    assert dairy.ask("GET", f"{path}?from=2026-01-21").json() == []
    assert told(dairy.ask("PUT", f"{path}/2026-01-14", {"reason": "x"})) == (409, "/closed_on")
    assert dairy.ask("PUT", f"{path}/2026-02-30", {"reason": "x"}).status_code == 422
    assert dairy.ask("DELETE", f"{path}/2026-01-20").status_code == 204
    assert dairy.ask("DELETE", f"{path}/2026-01-20").status_code == 404


def test_an_area_is_renamed_archived_and_restored(dairy: House, depot: str) -> None:
    path = area(dairy, depot)
    etag = dairy.ask("GET", path).headers["etag"]
    for method, body in (("PATCH", {"name": "x"}), ("DELETE", None)):
        assert {r: dairy.ask(method, path, body, by=r).status_code for r in NOT_ADMIN} == dict.fromkeys(NOT_ADMIN, 403)
    assert (
        dairy.ask("PATCH", path, {"name": "Malleswaram", "postal_code": "560003"}, match=etag).json()["postal_code"]
        == "560003"
    )
    assert dairy.ask("PATCH", path, {"name": "x"}, match=etag).status_code == 412
    assert told(dairy.ask("POST", "/api/areas", {"site_id": str(ids.new_id()), "name": "x"})) == (422, "/site_id")
    area(dairy, depot, "Rajajinagar")
    assert told(dairy.ask("PATCH", path, {"name": "Rajajinagar"})) == (409, "/name")
    with db.transaction(dairy.engine) as session:
        make.customer(session, dairy.firm, area_id=path.rsplit("/", 1)[1])
    assert dairy.ask("DELETE", path).status_code == 409
    dairy_free = area(dairy, depot, "Hebbal")
    assert dairy.ask("DELETE", dairy_free).status_code == 204
    assert [
        dairy.ask(m, dairy_free, b).status_code for m, b in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None))
    ] == [404] * 3
    assert dairy.ask("POST", f"{dairy_free}/restore").status_code == 200
    found = dairy.ask("GET", f"/api/areas?q=MALLES&site_id={depot.rsplit('/', 1)[1]}", by="marketing").json()["items"]
    assert [row["name"] for row in found] == ["Malleswaram"]


def test_a_driver_sees_the_areas_they_serve_and_no_others(dairy: House, depot: str) -> None:
    mine, other = area(dairy, depot), area(dairy, depot, "Hebbal")
    with db.transaction(dairy.engine) as session:
        ravi, suresh = (
            make.driver(session, dairy.firm, f"{name}{ids.new_id().hex[-6:]}").id for name in ("Ravi", "Suresh")
        )
        clerk = entrance.person(session, "support")

    def assign(path: str, who: Any, day: str, **over: Any) -> Any:
        return dairy.ask(
            "POST", f"{path}/drivers", {"shift": "morning", "driver_id": str(who), "valid_from": day} | over
        )

    def seen(who: Any) -> list[int]:
        return [
            dairy.ask("GET", path, by="driver", user_id=who).status_code for path in (mine, f"{mine}/drivers", other)
        ]

    assert told(assign(mine, clerk, "2026-01-15")) == (422, "/driver_id")
    assert told(assign(mine, ids.new_id(), "2026-01-15")) == (422, "/driver_id")
    assert told(assign(mine, ravi, "2026-01-14")) == (409, "/valid_from")
    assert seen(ravi) == [404, 404, 404]
    assert assign(mine, ravi, "2026-01-15").status_code == 201
    assert seen(ravi) == [200, 200, 404]
    assert [row["id"] for row in dairy.ask("GET", "/api/areas", by="driver", user_id=ravi).json()["items"]] == [
        mine.rsplit("/", 1)[1]
    ]
    later = assign(mine, suresh, "2026-01-18").json()
    assert [(row["valid_from"], row["is_in_force"]) for row in later] == [("2026-01-18", False), ("2026-01-15", True)]
    assert seen(suresh) == [200, 200, 404]
    dairy.now = dairy.now.replace(day=18)
    assert seen(ravi) == [404, 404, 404]
    assert assign(mine, ravi, "2026-01-18", weekday=6).status_code == 201
    assert seen(ravi) == [200, 200, 404], "on Sundays it is theirs again"
    tomorrow = assign(mine, ravi, "2026-01-19").json()[0]["id"]
    assert dairy.ask("DELETE", f"{mine}/drivers/{later[0]['id']}").status_code == 409
    assert dairy.ask("DELETE", f"{mine}/drivers/{tomorrow}").status_code == 204
    assert dairy.ask("DELETE", f"{mine}/drivers/{tomorrow}").status_code == 404
    assert {r: dairy.ask("POST", f"{mine}/drivers", {}, by=r).status_code for r in NOT_ADMIN} == dict.fromkeys(
        NOT_ADMIN, 403
    )
    dairy.now = dairy.now.replace(day=15)


def test_a_policy_is_known_and_takes_its_own_kind_of_value(dairy: House) -> None:
    path = "/api/policies/confirm_window_days"
    assert {r["name"]: r["value"] for r in dairy.ask("GET", "/api/policies", by="support").json()} == {
        name: known.default for name, known in POLICIES.items()
    }
    assert dairy.ask("PUT", path, {"value": 3}, by="support").status_code == 403
    assert dairy.ask("PUT", path, {"value": 3}).json()["value"] == 3
    with db.transaction(dairy.engine) as session:
        assert policy(session).window_days == 3
    assert dairy.ask("GET", path).json()["set_by"]
    for bad in (True, 31, -1):
        assert told(dairy.ask("PUT", path, {"value": bad})) == (422, "/value")
    assert told(dairy.ask("PUT", "/api/policies/check_dates", {"value": 1})) == (422, "/value")
    assert told(dairy.ask("PUT", "/api/policies/be_kind", {"value": True})) == (404, "/name")
    assert dairy.one("SELECT count(*) FROM policies") == 1


def test_every_policy_the_code_obeys_is_known() -> None:
    source = Path(queries.__file__).parent.parent
    text = "".join(
        p.read_text(encoding="utf-8") for p in source.rglob("*.py") if p != source / "territory" / "rules.py"
    )
    assert [name for name in POLICIES if name not in text] == []
    assert {"check_quantities", "units_per_crate", POLICY} <= set(POLICIES)


@pytest.mark.parametrize(("text", "fits"), [("29ABCDE1234F1Z5", True), ("27AAPFU0939F1ZV", True), ("29abcde1234f1z5", False),
                                            ("29ABCDE1234F0Z5", False), ("29ABCDE1234F1Z", False), ("29ABCDE1234F1Z5\n", False)])  # fmt: skip
def test_a_gstin_has_its_form(text: str, fits: bool) -> None:  # noqa: FBT001
    assert bool(GSTIN.fullmatch(text)) == fits
