"""Signing in over HTTP: passwords, codes, links, the second factor, refresh, and how each of them ends."""

from __future__ import annotations

import hashlib
import re
from typing import Any
from uuid import UUID

import bcrypt
import pyotp
import pytest
from sqlalchemy import Engine

from earlybird.identity.service import links
from earlybird.identity.states import Purpose
from earlybird.infra import db
from identity.conftest import HASHER, OTHER, WORD, House
from make.entrance import CTX

A = "asha@example.com"


def me(house: House, token: str) -> int:
    return int(house.at(token=token).get("/api/auth/me").status_code)


def refused(answer: Any, status: int, kind: str) -> None:
    assert (answer.status_code, answer.json()["type"].rsplit(":", 1)[1]) == (status, kind), answer.text


def test_a_password_opens_and_the_answer_holds_no_hash(house: House, asha: UUID) -> None:
    for path in ("/api/auth/login", "/auth/login"):
        answer = house.at().post(path, json={"email": " Asha@Example.com", "password": WORD})
        assert answer.status_code == 200
        body = answer.json()
        assert (body["token_type"], body["expires_in"], body["must_change_password"]) == ("bearer", 600, False)
        assert body["user"] == {
            "id": str(asha), "name": "Asha", "email": A, "role": "admin", "roles": ["admin"], "customer_v2_id": None,
        }  # fmt: skip
        assert "argon2" not in answer.text
        assert me(house, body["access_token"]) == 200
    assert house.at().post("/api/auth/login", json={"phone": "98765 43210", "password": WORD}).status_code == 200
    kept = house.sql("SELECT * FROM sessions") + house.sql("SELECT * FROM refresh_tokens")
    assert body["refresh_token"] not in str(kept)
    assert body["access_token"] not in str(kept)


@pytest.mark.parametrize("given", [{"email": A}, {"email": "nobody@example.com"}, {"phone": "9000000000"}])
def test_wrong_is_wrong_whoever_it_is(house: House, asha: UUID, given: dict[str, str]) -> None:
    refused(house.at().post("/api/auth/login", json=given | {"password": OTHER}), 401, "WrongCredentials")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE users SET state = 'disabled'",
        "UPDATE users SET archived_at = now()",
        "UPDATE users SET password_hash = NULL",
    ],
)
def test_who_is_gone_does_not_get_in(house: House, asha: UUID, change: str) -> None:
    token = house.sign_in(A).json()["access_token"]
    house.run(change)
    refused(house.sign_in(A), 401, "WrongCredentials")
    if "password" not in change:
        assert me(house, token) == 401


@pytest.mark.parametrize("kind", ["bcrypt", "sha256"])
def test_imported_hashes_are_accepted_and_replaced(house: House, kind: str) -> None:
    old = {
        "bcrypt": bcrypt.hashpw(b"milk at the gate", bcrypt.gensalt(4)).decode(),
        "sha256": "sha256$" + hashlib.sha256(b"milk at the gate").hexdigest(),
    }[kind]
    must = kind == "sha256"
    house.add(email=A, password_hash=old, must_change_password=must)
    body = house.sign_in(A, "milk at the gate").json()
    assert body["must_change_password"] is must
    kept = house.sql("SELECT password_hash FROM users WHERE email = :a", a=A)[0]["password_hash"]
    assert kept.startswith("$argon2id$")
    assert me(house, body["access_token"]) == (403 if must else 200)


@pytest.mark.parametrize("word", ["earlybird2025", "customer123", "Admin123"])
def test_a_password_everybody_got_opens_nothing_and_shows_nothing(house: House, word: str) -> None:
    house.add(email=A, password_hash=bcrypt.hashpw(word.encode(), bcrypt.gensalt(4)).decode())
    refused(house.sign_in(A, word), 401, "PasswordResetNeeded")
    refused(house.sign_in("nobody@example.com", word), 401, "PasswordResetNeeded")


def test_the_configured_first_password_opens_only_the_change(fresh: Engine, house: House) -> None:
    house = House(fresh, keys=house.keys, over={"first_password": "earlybird2025"})
    house.add("admin", email=A, password_hash=bcrypt.hashpw(b"earlybird2025", bcrypt.gensalt(4)).decode())
    body = house.sign_in(A, "earlybird2025").json()
    assert body["must_change_password"] is True
    inside = house.at(token=body["access_token"])
    for path in ("/api/auth/me", "/api/auth/sessions", "/api/proof"):
        refused(inside.get(path), 403, "PasswordChangeNeeded")
    refused(inside.post("/api/auth/second-factor"), 403, "PasswordChangeNeeded")
    weak = {"current_password": "earlybird2025", "password": "earlybird2025"}
    refused(inside.post("/api/auth/password", json=weak), 422, "WeakPassword")
    changed = inside.post("/api/auth/password", json={"current_password": "earlybird2025", "password": WORD})
    assert changed.status_code == 200
    assert changed.json()["must_change_password"] is False
    assert me(house, changed.json()["access_token"]) == 200
    assert me(house, body["access_token"]) == 401
    refused(house.sign_in(A, "earlybird2025"), 401, "WrongCredentials")


def test_a_new_password_needs_the_old_and_ends_every_session(house: House, asha: UUID) -> None:
    first, second = house.sign_in(A).json(), house.sign_in(A).json()
    inside = house.at(token=first["access_token"])
    refused(inside.post("/api/auth/password", json={"password": OTHER}), 401, "WrongCredentials")
    wrong = {"password": OTHER, "current_password": "wrong kettles sing"}
    refused(inside.post("/api/auth/password", json=wrong), 401, "WrongCredentials")
    known = inside.post("/api/auth/password", json={"password": "Asha1234", "current_password": WORD})
    refused(known, 422, "WeakPassword")
    done = inside.post("/api/auth/password", json={"password": OTHER, "current_password": WORD})
    assert done.status_code == 200
    for old in (first, second):
        assert me(house, old["access_token"]) == 401
        assert house.at().post("/api/auth/refresh", json={"refresh_token": old["refresh_token"]}).status_code == 401
    assert me(house, done.json()["access_token"]) == 200
    refused(house.sign_in(A), 401, "WrongCredentials")
    assert house.sign_in(A, OTHER).status_code == 200
    assert len(house.letters("password_changed")) == 1


def test_signing_out_ends_it_at_once(house: House, asha: UUID) -> None:
    for path in ("/api/auth/logout", "/auth/logout"):
        body = house.sign_in(A).json()
        assert house.at(token=body["access_token"]).post(path).status_code == 204
        assert me(house, body["access_token"]) == 401
        assert house.at().post("/auth/refresh", json={"refresh_token": body["refresh_token"]}).status_code == 401


def test_one_sees_and_ends_ones_own_sessions_and_no_other(house: House, asha: UUID) -> None:
    house.add("admin", email="ravi@example.com")
    other = house.sign_in("ravi@example.com").json()["access_token"]
    first, second = (house.sign_in(A).json()["access_token"] for _ in range(2))
    shown = house.at(token=second).get("/api/auth/sessions").json()
    assert [row["is_current"] for row in shown] == [True, False]
    theirs = house.at(token=other).get("/api/auth/sessions").json()[0]["id"]
    inside = house.at(token=second)
    refused(inside.delete(f"/api/auth/sessions/{theirs}"), 404, "NoSuchSession")
    assert inside.delete(f"/api/auth/sessions/{shown[1]['id']}").status_code == 204
    assert (me(house, first), me(house, second), me(house, other)) == (401, 200, 200)


def test_refreshing_turns_the_token_and_reuse_ends_the_session(house: House, asha: UUID) -> None:
    body = house.sign_in(A).json()
    chain = [body["refresh_token"]]
    for _ in range(3):
        house.later(minutes=9)
        answer = house.at().post("/api/auth/refresh", json={"refresh_token": chain[-1]})
        assert answer.status_code == 200
        chain.append(answer.json()["refresh_token"])
        assert me(house, answer.json()["access_token"]) == 200
    assert len(set(chain)) == 4
    refused(house.at().post("/api/auth/refresh", json={"refresh_token": chain[1]}), 401, "RefreshReused")
    assert me(house, answer.json()["access_token"]) == 401
    refused(house.at().post("/api/auth/refresh", json={"refresh_token": chain[-1]}), 401, "RefreshRefused")
    assert house.sql("SELECT revoked_reason FROM sessions")[0]["revoked_reason"] == "a refresh token came twice"


def test_refresh_tokens_and_sessions_grow_old(house: House, asha: UUID) -> None:
    body = house.sign_in(A).json()
    house.later(days=31)
    refused(house.at().post("/api/auth/refresh", json={"refresh_token": body["refresh_token"]}), 401, "RefreshRefused")
    token = house.sign_in(A).json()["refresh_token"]
    for _ in range(4):
        house.later(days=25)
        answer = house.at().post("/api/auth/refresh", json={"refresh_token": token})
        token = answer.json().get("refresh_token")
    assert answer.status_code == 401, "ninety days are the end, however often it was refreshed"
    refused(house.at().post("/api/auth/refresh", json={"refresh_token": "x" * 43}), 401, "RefreshRefused")


def test_a_code_opens_once_for_five_minutes_and_five_tries(house: House, asha: UUID) -> None:
    ask = {"phone": "+91 98765 43210"}
    assert house.at().post("/api/auth/codes", json=ask).status_code == 202
    code = house.code()
    assert code not in str(house.sql("SELECT * FROM one_time_codes"))
    assert house.at().post("/api/auth/codes/redeem", json={"phone": "9876543210", "code": code}).status_code == 200
    refused(house.at().post("/api/auth/codes/redeem", json=ask | {"code": code}), 401, "CodeWrong")

    house.later(minutes=10)
    house.at().post("/api/auth/codes", json=ask)
    code = house.code()
    house.later(minutes=5)
    refused(house.at().post("/api/auth/codes/redeem", json=ask | {"code": code}), 401, "CodeWrong")

    house.later(minutes=10)
    house.at().post("/api/auth/codes", json=ask)
    code = house.code()
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    for _ in range(5):
        refused(house.at().post("/api/auth/codes/redeem", json=ask | {"code": wrong}), 401, "CodeWrong")
    refused(house.at().post("/api/auth/codes/redeem", json=ask | {"code": code}), 401, "CodeWrong")

    house.later(minutes=30)
    house.at().post("/api/auth/codes", json=ask)
    older = house.code()
    house.later(minutes=2)
    house.at().post("/api/auth/codes", json=ask)
    newer = house.code()
    if older != newer:
        refused(house.at().post("/api/auth/codes/redeem", json=ask | {"code": older}), 401, "CodeWrong")
    assert house.at().post("/api/auth/codes/redeem", json=ask | {"code": newer}).status_code == 200


def test_a_code_is_for_what_it_was_asked_for(house: House, asha: UUID) -> None:
    ask = {"phone": "9876543210"}
    house.at().post("/api/auth/codes", json=ask | {"purpose": "reset"})
    refused(house.at().post("/api/auth/codes/redeem", json=ask | {"code": house.code()}), 401, "CodeWrong")


def test_nobodys_phone_gets_the_same_answer_and_no_message(house: House, asha: UUID) -> None:
    known = house.at("198.51.100.1").post("/api/auth/codes", json={"phone": "9876543210"})
    stranger = house.at("198.51.100.2").post("/api/auth/codes", json={"phone": "9876500000"})
    assert (known.status_code, known.json()) == (stranger.status_code, stranger.json())
    assert len(house.letters("one_time_code")) == 1
    again = [house.at("198.51.100.3").post("/api/auth/codes", json={"phone": p}) for p in ("9876543210", "9876500000")]
    assert [(a.status_code, a.headers["retry-after"]) for a in again] == [(429, "30"), (429, "30")]
    codes = ({"phone": "9876500000", "code": f"{n:06d}"} for n in range(6))
    for body in codes:
        refused(house.at().post("/api/auth/codes/redeem", json=body), 401, "CodeWrong")


def test_a_shared_phone_chooses_and_nobody_else_is_chosen(house: House, asha: UUID) -> None:
    second = house.add("driver", name="Prakash", phone="+91 98765-43210")
    house.add("driver", name="Abroad", phone="+1 987 654 3210")
    ask = {"phone": "9876543210"}
    house.at().post("/api/auth/codes", json=ask)
    code = house.code()
    answer = house.at().post("/api/auth/codes/redeem", json=ask | {"code": code})
    refused(answer, 409, "ChooseLogin")
    assert {login["name"] for login in answer.json()["facts"]["logins"]} == {"Asha", "Prakash"}
    stranger = house.add("admin", name="Stranger", phone="9000000000")
    refused(
        house.at().post("/api/auth/codes/redeem", json=ask | {"code": code, "user_id": str(stranger)}), 401, "CodeWrong"
    )
    done = house.at().post("/api/auth/codes/redeem", json=ask | {"code": code, "user_id": str(second)})
    assert done.json()["user"]["id"] == str(second)


def test_a_reset_by_link_works_once_and_ends_every_session(house: House, asha: UUID) -> None:
    session = house.sign_in(A).json()
    same = [
        house.at().post("/api/auth/password/reset-request", json={"email": email})
        for email in (A, "nobody@example.com")
    ]
    assert same[0].json() == same[1].json()
    assert len(house.letters("password_reset")) == 1
    token = house.link()
    weak = house.at().post("/api/auth/password/reset", json={"token": token, "password": "asha1234"})
    refused(weak, 422, "WeakPassword")
    assert house.at().post("/api/auth/password/reset", json={"token": token, "password": OTHER}).status_code == 204
    assert me(house, session["access_token"]) == 401
    refused(house.at().post("/api/auth/password/reset", json={"token": token, "password": WORD}), 404, "LinkSpent")
    assert house.sign_in(A, OTHER).status_code == 200
    assert house.at().post(f"/sign-in/{token}").status_code == 404


def test_a_link_is_good_for_what_it_was_made_for(house: House, asha: UUID) -> None:
    with db.transaction(house.engine) as session:
        made = {purpose: links.issue(session, CTX, asha, purpose=purpose) for purpose in Purpose}
    assert house.at().post(f"/sign-in/{made[Purpose.reset]}").status_code == 404
    assert house.at().post(f"/sign-in/{made[Purpose.invitation]}").status_code == 404
    sign_in = {"token": made[Purpose.sign_in], "password": OTHER}
    assert house.at().post("/api/auth/password/reset", json=sign_in).status_code == 404
    house.later(days=7)
    late = {"token": made[Purpose.invitation], "password": OTHER}
    assert house.at().post("/api/auth/password/reset", json=late).status_code == 404


def test_a_reset_by_code_and_addresses_nobody_reads(house: House, asha: UUID) -> None:
    house.at().post("/api/auth/password/reset-request", json={"phone": "9876543210"})
    body = {"phone": "9876543210", "code": house.code(), "password": OTHER}
    wrong = body | {"code": f"{(int(body['code']) + 1) % 10**6:06d}"}
    refused(house.at().post("/api/auth/password/reset", json=wrong), 401, "CodeWrong")
    assert house.at().post("/api/auth/password/reset", json=body).status_code == 204
    refused(house.at().post("/api/auth/password/reset", json=body), 401, "CodeWrong")
    assert house.sign_in(A, OTHER).status_code == 200
    house.add(email="customer-1@earlybird.local")
    house.at().post("/api/auth/password/reset-request", json={"email": "customer-1@earlybird.local"})
    assert house.letters("password_reset") == []


def test_a_link_leads_to_where_the_house_says_not_the_asker(house: House, asha: UUID) -> None:
    house.at().post("/api/auth/password/reset-request", json={"email": A}, headers={"Host": "evil.example"})
    assert "evil" not in house.letters("password_reset")[0]


def enrolled(house: House) -> tuple[pyotp.TOTP, list[str]]:
    inside = house.at(token=house.sign_in(A).json()["access_token"])
    made = inside.post("/api/auth/second-factor")
    assert made.status_code == 201
    totp = pyotp.TOTP(made.json()["secret"])
    assert made.json()["uri"].startswith("otpauth://totp/Earlybird")
    refused(inside.post("/api/auth/second-factor/confirm", json={"code": "000000"}), 401, "SecondFactorWrong")
    codes = inside.post("/api/auth/second-factor/confirm", json={"code": totp.at(house.now)}).json()["recovery_codes"]
    refused(inside.post("/api/auth/second-factor"), 409, "SecondFactorSet")
    return totp, codes


def test_the_second_factor_is_asked_for_and_no_step_is_taken_twice(house: House, asha: UUID) -> None:
    totp, codes = enrolled(house)
    assert totp.secret not in str(house.sql("SELECT encode(secret_sealed, 'escape') AS s FROM second_factors"))
    refused(house.sign_in(A), 401, "SecondFactorNeeded")
    refused(house.sign_in(A, otp=totp.at(house.now)), 401, "SecondFactorWrong")
    house.later(seconds=60)
    digits = totp.at(house.now)
    assert house.sign_in(A, otp=digits).status_code == 200
    refused(house.sign_in(A, otp=digits), 401, "SecondFactorWrong")
    refused(house.sign_in(A, OTHER, otp=digits), 401, "WrongCredentials")
    house.later(minutes=20)
    assert house.sign_in(A, otp=codes[0].upper()).status_code == 200
    refused(house.sign_in(A, otp=codes[0]), 401, "SecondFactorWrong")
    assert not set(codes) & {row["code_mac"] for row in house.sql("SELECT code_mac FROM recovery_codes")}


def test_no_other_way_in_passes_the_second_factor_by(house: House, asha: UUID) -> None:
    totp, _ = enrolled(house)
    ask = {"phone": "9876543210"}
    house.at().post("/api/auth/codes", json=ask)
    code = house.code()
    refused(house.at().post("/api/auth/codes/redeem", json=ask | {"code": code}), 401, "SecondFactorNeeded")
    house.later(seconds=60)
    for _ in range(3):
        refused(
            house.at().post("/api/auth/codes/redeem", json=ask | {"code": code, "otp": "000000"}),
            401,
            "SecondFactorWrong",
        )
    done = house.at().post("/api/auth/codes/redeem", json=ask | {"code": code, "otp": totp.at(house.now)})
    assert done.status_code == 200
    house.at().post("/api/auth/password/reset-request", json={"email": A})
    house.at().post("/api/auth/password/reset", json={"token": house.link(), "password": OTHER})
    refused(house.sign_in(A, OTHER), 401, "SecondFactorNeeded")


def test_a_second_factor_is_removed_on_proof_and_may_be_asked_of_admins(house: House, asha: UUID) -> None:
    token = house.sign_in(A).json()["access_token"]
    house.run("INSERT INTO policies VALUES ('admins_need_second_factor', 'true', now(), 'test')")
    refused(house.at(token=token).get("/api/auth/me"), 403, "SecondFactorRequired")
    driver = house.add("driver", email="prakash@example.com")
    assert driver
    assert me(house, house.sign_in("prakash@example.com").json()["access_token"]) == 200
    totp, _ = enrolled(house)
    assert me(house, token) == 200
    inside = house.at(token=token)
    house.later(seconds=60)
    refused(inside.post("/api/auth/second-factor/remove", json={"code": "000000"}), 401, "SecondFactorWrong")
    assert inside.post("/api/auth/second-factor/remove", json={"code": totp.at(house.now)}).status_code == 204
    refused(inside.get("/api/auth/me"), 403, "SecondFactorRequired")


def test_every_entrance_is_in_the_trail_and_no_secret_is(house: House, asha: UUID) -> None:
    body = house.sign_in(A).json()
    house.at().post("/api/auth/refresh", json={"refresh_token": body["refresh_token"]})
    house.at(token=body["access_token"]).post("/api/auth/password", json={"password": OTHER, "current_password": WORD})
    trail = house.sql("SELECT action, before, after, address FROM audit_entries ORDER BY id")
    assert {"identity.sign_in", "identity.change_password", "identity.sign_out"} <= {row["action"] for row in trail}
    said = str(trail) + str(house.sql("SELECT * FROM findings"))
    for secret in (WORD, OTHER, body["access_token"], body["refresh_token"], "argon2"):
        assert secret not in said


@pytest.mark.parametrize(
    "body",
    [{}, {"email": A}, {"password": WORD}, {"email": A, "phone": "9876543210", "password": WORD}, [], "text",
     {"email": A, "password": WORD, "role": "admin"}, {"email": A, "password": "a\x00b"}, {"email": 1, "password": WORD},
     {"email": A, "password": "x" * 257}, {"email": "no address", "password": WORD}, {"email": None, "phone": None, "password": "x"}],
)  # fmt: skip
def test_what_is_not_a_sign_in_is_told_so(house: House, body: Any) -> None:
    answer = house.at().post("/api/auth/login", json=body)
    assert answer.status_code == 422
    assert not re.search(WORD, answer.text)


def test_a_hash_that_was_changed_meanwhile_opens_nothing(house: House, asha: UUID) -> None:
    from earlybird.identity.errors import WrongCredentials
    from earlybird.identity.service import signing_in

    with db.transaction(house.engine) as session:
        attempt = signing_in.approach(session, CTX, house.keys, email=A)
    verdict = HASHER.check(WORD, attempt.password_hash, typed=WORD)
    house.run("UPDATE users SET password_hash = :h", h=HASHER.hash(OTHER))
    with db.transaction(house.engine) as session, pytest.raises(WrongCredentials):
        signing_in.finish(session, CTX, house.keys, attempt, word=WORD, verdict=verdict, first=None)
