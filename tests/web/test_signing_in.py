"""The pages by which people come in: without JavaScript, with every way in, and what each refusal looks like."""

from __future__ import annotations

import re
from uuid import UUID

import pyotp
import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from earlybird.identity.service import grants, links
from earlybird.identity.states import Purpose
from earlybird.infra import db
from identity.conftest import OTHER, WORD, House
from make.business import business
from make.entrance import CTX

A = "asha@example.com"


@pytest.fixture
def house(fresh: Engine) -> House:
    with db.transaction(fresh) as session:
        business(session)
        grants.seed(session, CTX)
    return House(fresh)


@pytest.fixture
def asha(house: House) -> UUID:
    return house.add("admin", name="Asha", email=A, phone="9876543210")


def browser(house: House, address: str = "203.0.113.7") -> TestClient:
    found = house.at(address)
    found.headers["Sec-Fetch-Site"] = "same-origin"
    return found


def test_a_password_signs_in_and_the_session_gets_a_new_name(house: House, asha: UUID) -> None:
    page = browser(house)
    page.cookies.set("earlybird_session", "planted-by-somebody-else")
    answer = page.post("/sign-in", data={"email": A, "password": WORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookies = answer.headers.get_list("set-cookie")
    assert all("HttpOnly" in cookie and "SameSite=lax" in cookie for cookie in cookies)
    first = next(c for c in cookies if c.startswith("earlybird_session")).split("=", 1)[1].split(";")[0]
    assert first != "planted-by-somebody-else"
    page.cookies.clear()
    page.cookies.set("earlybird_session", first)
    page.post("/sign-in", data={"email": A, "password": WORD})
    old = browser(house)
    old.cookies.set("earlybird_session", first)
    assert old.get("/account").status_code == 401, "signing in again ends the session of before"


def test_a_wrong_password_is_told_and_not_repeated(house: House, asha: UUID) -> None:
    answer = browser(house).post("/sign-in", data={"email": A, "password": OTHER})
    assert answer.status_code == 401
    assert "do not belong together" in answer.text
    assert OTHER not in answer.text
    assert A in answer.text
    for _ in range(5):
        answer = browser(house).post("/sign-in", data={"email": A, "password": OTHER})
    assert answer.status_code == 429
    assert "Try again in" in answer.text
    assert answer.headers["retry-after"]


def test_another_site_signs_nobody_in(house: House, asha: UUID) -> None:
    page = house.at()
    answer = page.post("/sign-in", data={"email": A, "password": WORD}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_a_code_signs_in_and_asks_who_is_meant(house: House, asha: UUID) -> None:
    driver = house.add("driver", name="Prakash", phone="9876543210")
    page = browser(house)
    assert "Look at your phone" in page.post("/sign-in/code", data={"phone": "98765 43210"}).text
    form = {"phone": "98765 43210", "code": house.code()}
    assert "wrong" in page.post("/sign-in/redeem", data=form | {"code": "000000"}).text
    asked = page.post("/sign-in/redeem", data=form)
    assert asked.status_code == 409
    assert str(driver) in asked.text
    assert page.post("/sign-in/redeem", data=form | {"login": str(driver)}).status_code == 303
    assert page.get("/").headers["location"] == "/account"
    assert "Prakash" in page.get("/account").text


def test_a_first_password_leads_to_the_change_and_nowhere_else(fresh: Engine, house: House) -> None:
    house = House(fresh, keys=house.keys, over={"first_password": "Monsoon Terrace 77"})
    from identity.conftest import HASHER

    house.add("admin", email=A, password_hash=HASHER.hash("Monsoon Terrace 77"), must_change_password=True)
    page = browser(house)
    answer = page.post("/sign-in", data={"email": A, "password": "Monsoon Terrace 77"})
    assert answer.headers["location"] == "/password"
    for path in ("/", "/proof", "/account", "/second-factor"):
        assert page.get(path).status_code == 403
    form = page.get("/password")
    assert 'name="current"' in form.text
    weak = page.post("/password", data={"current": "Monsoon Terrace 77", "password": "password1"})
    assert weak.status_code == 422
    assert "thieves" in weak.text
    assert page.post("/password", data={"current": "wrong one here", "password": WORD}).status_code == 401
    done = page.post("/password", data={"current": "Monsoon Terrace 77", "password": WORD})
    assert done.status_code == 303
    assert page.get("/account").status_code == 200


@pytest.mark.parametrize("purpose", [Purpose.invitation, Purpose.reset])
def test_a_link_leads_to_a_password_and_in(house: House, asha: UUID, purpose: Purpose) -> None:
    with db.transaction(house.engine) as session:
        token = links.issue(session, CTX, asha, purpose=purpose)
    page = browser(house)
    for _ in range(2):
        assert 'name="password"' in page.get(f"/sign-in/{token}").text
    assert page.post(f"/sign-in/{token}/password", data={"password": "asha1234"}).status_code == 422
    assert page.post(f"/sign-in/{token}/password", data={"password": OTHER}).status_code == 303
    assert page.get("/account").status_code == 200
    assert browser(house).post(f"/sign-in/{token}/password", data={"password": WORD}).status_code == 404
    assert browser(house).post("/sign-in", data={"email": A, "password": OTHER}).status_code == 303


def test_a_forgotten_password_comes_back_by_mail_or_phone(house: House, asha: UUID) -> None:
    page = browser(house)
    said = [page.post("/forgotten", data={"email": email}).text for email in (A, "nobody@example.com")]
    assert said[0] == said[1]
    assert page.get(f"/sign-in/{house.link()}").status_code == 200
    page.post("/forgotten", data={"phone": "9876543210"})
    form = {"phone": "9876543210", "code": house.code(), "password": OTHER}
    assert page.post("/forgotten/code", data=form | {"password": "asha1234"}).status_code == 422
    assert page.post("/forgotten/code", data=form | {"code": "000000"}).status_code == 401
    assert page.post("/forgotten/code", data=form).status_code == 303
    assert page.get("/account").status_code == 200


def test_a_second_factor_is_set_up_and_asked_for(house: House, asha: UUID) -> None:
    page = browser(house)
    page.post("/sign-in", data={"email": A, "password": WORD})
    shown = page.post("/second-factor").text
    totp = pyotp.TOTP(re.search(r"<kbd>([A-Z2-7]{32})</kbd>", shown)[1])  # type: ignore[index]
    assert page.post("/second-factor/confirm", data={"code": "000000"}).status_code == 401
    done = page.post("/second-factor/confirm", data={"code": totp.at(house.now)}).text
    assert len(re.findall(r"<kbd>[0-9a-f]{10}</kbd>", done)) == 10
    house.later(seconds=60)
    other = browser(house)
    assert 'name="otp"' in other.post("/sign-in", data={"email": A, "password": WORD}).text
    form = {"email": A, "password": WORD, "otp": totp.at(house.now)}
    assert other.post("/sign-in", data=form).status_code == 303
    house.later(seconds=60)
    assert page.post("/second-factor/remove", data={"code": totp.at(house.now)}).status_code == 303
    assert "off" in page.get("/second-factor").text


def test_a_browser_elsewhere_is_signed_out_from_here(house: House, asha: UUID) -> None:
    here, there = browser(house), browser(house)
    for page in (here, there):
        page.post("/sign-in", data={"email": A, "password": WORD})
    path = re.search(r'action="(/account/sessions/[^"]+)"', here.get("/account").text)[1]  # type: ignore[index]
    assert here.post(path).status_code == 303
    assert (here.get("/account").status_code, there.get("/account").status_code) == (200, 401)


def test_over_https_every_cookie_stays_there(fresh: Engine, house: House, asha: UUID) -> None:
    house = House(fresh, keys=house.keys, over={"public_url": "https://milk.example.com"})
    answer = browser(house).post("/sign-in", data={"email": A, "password": WORD})
    assert all("Secure" in cookie for cookie in answer.headers.get_list("set-cookie"))
