"""Guessing is slowed down, told of, and keeps no owner out for long."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import SOAK
from earlybird.identity import jobs, rules
from earlybird.identity.errors import TooManyTries, WrongCredentials
from earlybird.identity.service import signing_in
from earlybird.identity.states import ThrottleKind
from earlybird.infra import db
from earlybird.kernel.ctx import Ctx
from identity.conftest import HASHER, OTHER, WORD, House
from make.entrance import CTX

A = "asha@example.com"
LOGINS, GUESSES = (1000, 10) if SOAK else (60, 25)
"""Full counts: ten guesses on each of a thousand logins."""


def guess(house: House, email: str, word: str, address: str, mark: str | None = None) -> str:
    """One try as the door makes it, without the wire; return what came of it."""
    ctx = Ctx(actor=CTX.actor, now=house.now, via="api", address=address)
    try:
        with db.transaction(house.engine) as session:
            attempt = signing_in.approach(session, ctx, house.keys, email=email, mark=mark)
        verdict = HASHER.check(word, attempt.password_hash, typed=word)
        with db.transaction(house.engine) as session:
            signing_in.finish(session, ctx, house.keys, attempt, word=word, verdict=verdict, first=None)
    except TooManyTries as failure:
        return "waits" if 0 < failure.facts["retry_after"] <= 900 else "waits too long"
    except WrongCredentials:
        return "refused"
    return "in"


def test_thousands_of_guesses_open_nothing_and_shut_nobody_out(house: House) -> None:
    emails = [f"owner{n}@example.com" for n in range(LOGINS)]
    hashed = HASHER.hash(WORD)
    for n, email in enumerate(emails):
        house.add(email=email, password_hash=hashed)
        if n % 2:  # every second one signed in at home before
            assert house.sign_in(email, address=f"192.0.2.{n % 250}").status_code == 200
    seen: dict[str, int] = {}
    for turn in range(GUESSES):
        for n, email in enumerate(emails):
            found = guess(house, email, f"{OTHER} {turn}", f"10.{n % 7}.{turn}.{n % 250}")
            seen[found] = seen.get(found, 0) + 1
        house.later(seconds=20)
    assert sum(seen.values()) == LOGINS * GUESSES
    assert seen.get("in", 0) == 0
    told = house.sql("SELECT title, facts FROM findings WHERE check_name = 'refused_sign_ins' AND state = 'open'")
    assert len(told) == 1
    assert told[0]["facts"]["logins"] == LOGINS
    late = 0
    for n, email in enumerate(emails):
        at_home = guess(house, email, WORD, f"192.0.2.{n % 250}")
        assert at_home == "in" or not n % 2, "who signed in from there before is not made to wait"
        late += at_home != "in"
    house.later(seconds=901)
    for n, email in enumerate(emails):
        assert guess(house, email, WORD, f"198.51.100.{n % 250}") == "in", "a quarter of an hour is the longest wait"
    assert late <= LOGINS // 2


def test_one_address_trying_everybody_is_stopped(house: House) -> None:
    seen = [guess(house, f"nobody{n}@example.com", WORD, "203.0.113.9") for n in range(120)]
    assert seen.count("refused") == rules.ALLOWANCES[ThrottleKind.address].free
    assert house.add(email=A)
    assert guess(house, A, WORD, "203.0.113.9") == "waits"
    assert guess(house, A, WORD, "203.0.113.10") == "in"
    house.later(seconds=2)
    assert guess(house, A, WORD, "203.0.113.9") == "in"


def test_one_login_tried_from_everywhere_is_guarded_and_its_owners_devices_are_not(house: House, asha: UUID) -> None:
    browser = house.at("192.0.2.1")
    browser.headers["Sec-Fetch-Site"] = "same-origin"
    assert browser.post("/sign-in", data={"email": A, "password": WORD}).status_code == 303
    mark = browser.cookies["earlybird_device"]
    seen = [guess(house, A, OTHER, f"10.0.{n // 200}.{n % 200}") for n in range(100)]
    assert seen.count("refused") == rules.ALLOWANCES[ThrottleKind.account].free
    assert guess(house, A, WORD, "198.51.100.1") == "waits"
    assert guess(house, A, WORD, "198.51.100.1", mark=mark) == "in", "the device is known wherever it is"
    assert guess(house, A, WORD, "192.0.2.1") == "in", "so is the address"
    forged = mark[:-1] + ("0" if mark[-1] != "0" else "1")
    for wrong in (forged, "x.y", "." + mark, mark.partition(".")[2], "☃"):
        assert guess(house, A, WORD, "198.51.100.1", mark=wrong) == "waits"


def test_a_device_is_known_for_one_login_and_has_an_allowance_of_its_own(house: House, asha: UUID) -> None:
    browser = house.at("192.0.2.1")
    browser.headers["Sec-Fetch-Site"] = "same-origin"
    browser.post("/sign-in", data={"email": A, "password": WORD})
    mark = browser.cookies["earlybird_device"]
    house.add(email="ravi@example.com")
    for n in range(20):
        guess(house, "ravi@example.com", OTHER, f"10.0.0.{n}", mark=mark)
    assert guess(house, "ravi@example.com", WORD, "10.0.1.1", mark=mark) == "waits"
    seen = [guess(house, A, OTHER, f"10.1.0.{n}", mark=mark) for n in range(30)]
    assert seen.count("refused") == rules.ALLOWANCES[ThrottleKind.known].free, "a stolen device does not guess on"
    varied = [guess(house, A, OTHER, "192.0.2.1", mark=f"made.up{n}") for n in range(30)]
    assert varied.count("refused") <= rules.ALLOWANCES[ThrottleKind.known].free, "made-up devices are no devices"


def test_waiting_is_told_and_hammering_does_not_lengthen_it(house: House, asha: UUID) -> None:
    for _ in range(8):
        house.sign_in(A, OTHER)
        house.later(seconds=30)
    assert house.sign_in(A, OTHER).status_code == 401
    first = house.sign_in(A)
    assert first.status_code == 429
    assert first.json()["type"].endswith("TooManyTries")
    wait = int(first.headers["retry-after"])
    assert first.json()["facts"]["retry_after"] == wait
    for _ in range(50):
        assert int(house.sign_in(A).headers["retry-after"]) == wait
    house.later(seconds=wait)
    assert house.sign_in(A).status_code == 200
    assert house.sql("SELECT * FROM sign_in_throttles WHERE kind <> 'address' AND failures > 0") == []


def test_unknown_names_wait_like_known_ones(house: House, asha: UUID) -> None:
    def walk(email: str, address: str) -> list[tuple[int, str | None]]:
        found = []
        for _ in range(9):
            answer = house.sign_in(email, OTHER, address=address)
            found.append((answer.status_code, answer.headers.get("retry-after")))
        return found

    assert walk(A, "203.0.113.50") == walk("nobody@example.com", "203.0.113.51")


def test_no_name_and_no_address_is_kept_in_the_counters(house: House, asha: UUID) -> None:
    house.sign_in(A, OTHER)
    house.sign_in("nobody@example.com", OTHER)
    said = str(house.sql("SELECT * FROM sign_in_throttles"))
    assert said != "[]"
    assert not {part for part in (A, "nobody", "203.0.113", str(asha)) if part in said}


def test_who_is_signed_in_may_not_guess_the_password_either(house: House, asha: UUID) -> None:
    inside = house.at(token=house.sign_in(A).json()["access_token"])
    body = {"password": "another fine day here", "current_password": OTHER}
    seen = [inside.post("/api/auth/password", json=body).status_code for _ in range(14)]
    assert seen == [401] * 10 + [429] * 4


def test_the_watch_tells_of_a_storm_and_forgets_old_counters(house: House) -> None:
    ctx = Ctx(actor=CTX.actor, now=house.now, via="job")
    assert jobs.watch(house.engine, ctx) is False
    for n in range(110):
        guess(house, f"nobody{n}@example.com", WORD, f"10.0.0.{n}")
    assert jobs.watch(house.engine, ctx) is True
    assert jobs.watch(house.engine, ctx.at(house.now + timedelta(hours=2))) is False
    assert jobs.forget(house.engine, ctx) == 0
    assert jobs.forget(house.engine, ctx.at(house.now + timedelta(days=2))) >= 220
    assert house.sql("SELECT * FROM sign_in_throttles") == []


@pytest.mark.parametrize("kind", ThrottleKind)
def test_a_wait_doubles_and_ends(kind: ThrottleKind) -> None:
    allowance = rules.ALLOWANCES[kind]
    waits = [allowance.wait(n) for n in range(allowance.free + 40)]
    assert waits[: allowance.free] == [None] * allowance.free
    paid = [wait for wait in waits if wait is not None]
    assert paid == sorted(paid)
    assert paid[-1] == timedelta(seconds=allowance.longest) <= timedelta(minutes=30)


@given(st.lists(st.none() | st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 2)), max_size=4))
def test_what_is_left_of_a_wait_is_whole_seconds_rounded_up(ends: list[datetime | None]) -> None:
    now = datetime(2026, 1, 1, 12)
    left = rules.blocked(ends, now)
    assert all(end is None or end <= now + timedelta(seconds=left) for end in ends)
    assert left == 0 or any(end is not None and end > now + timedelta(seconds=left - 1) for end in ends)


@pytest.mark.parametrize(
    ("address", "place"),
    [("203.0.113.7", "203.0.113.7"), ("::ffff:203.0.113.7", "203.0.113.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
     ("2001:db8:1:2::1", "2001:db8:1:2::/64"), (None, "nowhere"), ("testclient", "testclient")],
)  # fmt: skip
def test_a_place_on_the_net(address: str | None, place: str) -> None:
    assert rules.network(address) == place
