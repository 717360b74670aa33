"""What is good once is good once, however many come at the same moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID

import pyotp

from identity.conftest import OTHER, WORD, House

A = "asha@example.com"
MANY = 12


def at_once(work: Callable[[], Any], count: int = MANY) -> Counter[int]:
    """Do the same thing in many threads, started together; count the statuses."""
    start = Barrier(count)

    def one(_: int) -> int:
        start.wait()
        return int(work().status_code)

    with ThreadPoolExecutor(count) as pool:
        return Counter(pool.map(one, range(count)))


def test_twenty_refreshes_bring_at_most_one_pair_and_end_the_session(house: House, asha: UUID) -> None:
    body = house.sign_in(A).json()
    door = house.at()
    seen = at_once(lambda: door.post("/api/auth/refresh", json={"refresh_token": body["refresh_token"]}), 20)
    assert seen == {200: 1, 401: 19}
    assert house.at(token=body["access_token"]).get("/api/auth/me").status_code == 401
    assert len(house.sql("SELECT id FROM refresh_tokens")) == 2


def test_a_code_opens_once(house: House, asha: UUID) -> None:
    door = house.at()
    door.post("/api/auth/codes", json={"phone": "9876543210"})
    body = {"phone": "9876543210", "code": house.code()}
    assert at_once(lambda: door.post("/api/auth/codes/redeem", json=body)) == {200: 1, 401: MANY - 1}
    assert len(house.sql("SELECT id FROM sessions")) == 1


def test_five_tries_are_five_in_a_crowd(house: House, asha: UUID) -> None:
    door = house.at()
    door.post("/api/auth/codes", json={"phone": "9876543210"})
    wrong = {"phone": "9876543210", "code": f"{(int(house.code()) + 1) % 10**6:06d}"}
    assert at_once(lambda: door.post("/api/auth/codes/redeem", json=wrong)) == {401: MANY}
    assert house.sql("SELECT tries FROM one_time_codes")[0]["tries"] == 5


def test_a_reset_link_changes_one_password(house: House, asha: UUID) -> None:
    door = house.at()
    door.post("/api/auth/password/reset-request", json={"email": A})
    body = {"token": house.link(), "password": OTHER}
    assert at_once(lambda: door.post("/api/auth/password/reset", json=body)) == {204: 1, 404: MANY - 1}


def test_one_step_of_the_second_factor_opens_once(house: House, asha: UUID) -> None:
    inside = house.at(token=house.sign_in(A).json()["access_token"])
    totp = pyotp.TOTP(inside.post("/api/auth/second-factor").json()["secret"])
    inside.post("/api/auth/second-factor/confirm", json={"code": totp.at(house.now)})
    house.later(seconds=60)
    body = {"email": A, "password": WORD, "otp": totp.at(house.now)}
    door = house.at()
    seen = at_once(lambda: door.post("/api/auth/login", json=body), 8)
    assert seen == {200: 1, 401: 7}


def test_guesses_at_once_are_counted_one_by_one(house: House, asha: UUID) -> None:
    door = house.at("198.51.100.77")
    seen = at_once(lambda: door.post("/api/auth/login", json={"email": A, "password": OTHER}), 20)
    assert seen == {401: 5, 429: 15}


def test_signing_in_and_being_locked_out_do_not_block_each_other(house: House, asha: UUID) -> None:
    for n in range(6):
        house.add("driver", email=f"driver{n}@example.com")
    start = Barrier(12)

    def one(n: int) -> int:
        start.wait()
        email = f"driver{n % 6}@example.com"
        return int(house.sign_in(email, WORD if n < 6 else OTHER, address="203.0.113.9").status_code)

    with ThreadPoolExecutor(12) as pool:
        seen = list(pool.map(one, range(12)))
    assert set(seen[:6]) == {200}
    assert set(seen[6:]) == {401}
