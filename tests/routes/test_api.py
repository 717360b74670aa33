"""Rounds over HTTP: a dispatcher changes them, a driver sees and drives their own, nobody else's."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from earlybird.infra import db
from earlybird.kernel.ctx import Ctx
from earlybird.routes.service import cutting
from make.house import House, house, told
from make.rounds import ON, Depot


@pytest.fixture
def place(server: Any) -> Any:
    with house(server) as found:
        yield found


@pytest.fixture
def depot(place: House, ctx: Ctx) -> Depot:
    with db.transaction(place.engine) as session:
        made = Depot.at(session, ctx, place.firm)
        made.several("a b c d")
        made.several("e f", "Bala")
    return made


def names(shown: Any) -> list[str]:
    return [stop["customer_name"] for stop in shown["in_order"]]


def test_a_dispatchers_morning(place: House, depot: Depot) -> None:
    day = {"site_id": str(depot.firm.site_id), "service_on": str(ON)}
    assert place.ask("POST", "/api/rounds/cut", day).json()["placed"] == 6
    assert place.ask("POST", "/api/rounds/cut", day).json()["placed"] == 0
    assert told(place.ask("POST", "/api/rounds/cut", day | {"service_on": "2026-05-01"})) == (422, "/service_on")
    assert told(place.ask("POST", "/api/rounds/cut", day | {"site_id": day["site_id"][:-4] + "0000"})) == (
        422,
        "/site_id",
    )
    listed = {row["name"]: row for row in place.ask("GET", f"/api/rounds?service_on={ON}").json()["items"]}
    asha, bala = listed["Asha"]["id"], listed["Bala"]["id"]
    assert [listed["Asha"][key] for key in ("stops", "open", "delivered")] == [4, 4, 0]
    order = [str(depot.stops[name]) for name in "dcba"]
    saved = place.ask("PUT", f"/api/rounds/{asha}/order", {"delivery_ids": order, "remember": True})
    assert names(saved.json()) == list("dcba")
    standing = place.ask("GET", f"/api/standing-rounds/{saved.json()['standing_round_id']}").json()
    assert [door["customer_name"] for door in standing["in_order"]] == list("dcba")
    assert told(place.ask("PUT", f"/api/rounds/{asha}/order", {"delivery_ids": order[1:]})) == (422, "/delivery_ids")
    moved = place.ask("POST", f"/api/rounds/{asha}/stops/{order[3]}/move", {"position": 1})
    assert names(moved.json()) == list("adcb")
    assert place.ask("POST", f"/api/rounds/{asha}/stops/{order[0]}/lock").json()["in_order"][1]["is_locked"]
    assert told(place.ask("POST", f"/api/rounds/{asha}/stops/{order[0]}/move", {"position": 1}))[0] == 409
    load = place.ask("GET", f"/api/rounds/{asha}/load").json()
    assert (load["packets"], load["crates"], load["products"][0]["quantity"]) == (16, 1, "8.000")
    part = place.ask("POST", f"/api/rounds/{asha}/split", {"from_delivery_id": order[1]})
    assert (part.status_code, names(part.json()), part.json()["driver_id"]) == (201, ["c", "b"], None)
    merged = place.ask("POST", f"/api/rounds/{bala}/merge", {"other_id": part.json()["id"]})
    assert names(merged.json())[2:] == ["c", "b"]
    done = place.ask("POST", f"/api/rounds/{asha}/sequence", {"fresh": False}).json()
    assert (done["moved"], done["is_changed"]) == (0, False)


def test_a_driver_sees_and_drives_their_own_round_and_no_other(place: House, depot: Depot, ctx: Ctx) -> None:
    with db.transaction(place.engine) as session:
        cutting.cut(session, ctx, depot.firm.site_id, ON)
    asha, bala = (str(_round(place, depot.drivers[who])) for who in ("Asha", "Bala"))
    me = {"by": "driver", "user_id": depot.drivers["Asha"]}
    assert [row["id"] for row in place.ask("GET", "/api/rounds", **me).json()["items"]] == [asha]
    assert place.ask("GET", f"/api/rounds/{bala}", **me).status_code == 404
    assert place.ask("POST", f"/api/rounds/{bala}/send-out", **me).status_code == 404
    assert place.ask("POST", f"/api/rounds/{asha}/reassign", {"driver_id": None}, **me).status_code == 403
    out = place.ask("POST", f"/api/rounds/{asha}/send-out", **me).json()
    assert (out["state"], {stop["state"] for stop in out["in_order"]}) == ("out", {"out"})
    assert told(place.ask("POST", f"/api/rounds/{asha}/send-out", **me))[0] == 409
    order = [stop["delivery_id"] for stop in out["in_order"]][::-1]
    assert place.ask("PUT", f"/api/rounds/{asha}/order", {"delivery_ids": order}, **me).status_code == 200
    assert (
        place.ask("POST", f"/api/rounds/{bala}/substitute", {"driver_id": str(depot.drivers["Asha"])}).status_code
        == 200
    )
    assert place.ask("GET", f"/api/rounds/{bala}", **me).json()["substitute_name"] == "Asha"
    assert place.ask("POST", f"/api/rounds/{asha}/finish", **me).json()["state"] == "done"


def _round(place: House, driver_id: UUID) -> Any:
    return place.one("SELECT id FROM rounds WHERE driver_id = :d", d=driver_id)


def test_standing_rounds_windows_and_shifts_are_set_up(place: House, depot: Depot) -> None:
    site, chitra = str(depot.firm.site_id), str(depot.drivers["Chitra"])
    wish = {"site_id": site, "shift": "morning", "driver_id": chitra, "capacity": "400"}
    made = place.ask("POST", "/api/standing-rounds", wish).json()
    assert (made["name"], made["capacity"], made["doors"]) == ("Chitra", "400.000", 0)
    assert told(place.ask("POST", "/api/standing-rounds", wish)) == (409, "/driver_id")
    path = f"/api/standing-rounds/{made['id']}"
    doors = [{"customer_id": str(depot.doors[name])} for name in "ba"]
    assert [d["customer_name"] for d in place.ask("PUT", f"{path}/doors", {"doors": doors}).json()["in_order"]] == [
        "b",
        "a",
    ]
    assert told(place.ask("PUT", f"{path}/doors", {"doors": [*doors, doors[0]]})) == (422, "/doors")
    unknown = {"doors": [doors[0], {"customer_id": chitra}]}
    assert told(place.ask("PUT", f"{path}/doors", unknown)) == (422, "/doors/1")
    assert place.ask("PATCH", path, {"name": "Lake side"}).json()["name"] == "Lake side"
    shifts = f"/api/drivers/{chitra}/shifts"
    assert place.ask("GET", shifts).json()["shift"] == "both"
    assert place.ask("PUT", shifts, {"shift": "evening"}).json() == place.ask("GET", shifts).json()
    assert place.ask("GET", f"/api/drivers/{site}/shifts").status_code == 404
    bala = wish | {"driver_id": str(depot.drivers["Bala"])}
    assert place.ask("POST", "/api/standing-rounds", bala).status_code == 201
    assert told(place.ask("PATCH", path, {"driver_id": bala["driver_id"]})) == (409, "/driver_id")
    assert place.ask("DELETE", path).status_code == 204
    assert place.ask("PATCH", path, {"name": "x"}).status_code == 404
    windows = f"/api/customers/{depot.doors['a']}/windows"
    assert told(place.ask("PUT", windows, {"opens": "06:00", "closes": "05:00"})) == (422, "/closes")
    set_ = place.ask("PUT", windows, {"opens": "05:30", "closes": "06:15", "service_minutes": 4}).json()
    assert set_ == [{"address_id": None, "opens": "05:30", "closes": "06:15", "service_minutes": 4}]
    assert place.ask("PUT", windows, {}).json() == []
    here = place.ask("PATCH", f"/api/sites/{site}", {"latitude": 12.9716, "longitude": 77.5946})
    assert (here.json()["latitude"], here.json()["longitude"]) == (12.9716, 77.5946)
    assert told(place.ask("PATCH", f"/api/sites/{site}", {"longitude": None})) == (422, "/longitude")
