"""Access tokens: ours and living ones open, every other is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from earlybird.identity import tokens
from earlybird.identity.errors import TokenRefused
from earlybird.infra.security import Keys
from identity.conftest import House
from make.month import NOW

KEYS = Keys.random()


def b64(facts: Any) -> str:
    raw = facts if isinstance(facts, bytes) else json.dumps(facts).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(head: Any, claims: Any, key: bytes, digest: str = "sha256") -> str:
    """A token put together by hand, so that no library refuses to make it."""
    body = f"{b64(head)}.{b64(claims)}"
    return f"{body}.{b64(hmac.new(key, body.encode(), digest).digest())}"


def forgeries(keys: Keys, good: str, claims: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """A hundred tokens and more that look like ours."""
    key = keys.derive(tokens.PURPOSE)
    head = {"alg": "HS256", "typ": "at+jwt"}
    first, second, third = good.split(".")
    for alg in ("none", "None", "NONE", "nOnE", "", None):
        for typ in ("at+jwt", "JWT"):
            yield f"alg {alg} {typ}", f"{b64({'alg': alg, 'typ': typ})}.{second}."
            yield f"alg {alg} {typ} signed", f"{b64({'alg': alg, 'typ': typ})}.{second}.{third}"
    for alg, digest in (("HS384", "sha384"), ("HS512", "sha512")):
        yield f"right key, {alg}", signed(head | {"alg": alg}, claims, key, digest)
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for alg in ("RS256", "PS256"):
        yield f"{alg} of a stranger", jwt.encode(claims, private, algorithm=alg, headers={"typ": "at+jwt"})
    yield "HS256 with a public key", signed(head, claims, public)
    strangers = {
        "empty": b"", "zero": bytes(32), "word": b"secret", "root": keys.root, "other purpose": keys.derive("one-time code"),
        "another house": Keys.random().derive(tokens.PURPOSE), "key and newline": key + b"\n", "half": key[:16],
        "hex": key.hex().encode(), "hash": hashlib.sha256(key).digest(),
    }  # fmt: skip
    for name, other in strangers.items():
        yield f"key: {name}", signed(head, claims, other)
    for typ in (
        "JWT",
        "jwt",
        "AT+JWT",
        "at+JWT",
        "id+jwt",
        "refresh+jwt",
        "application/at+jwt",
        "",
        None,
        1,
        ["at+jwt"],
    ):
        yield f"typ {typ}", signed(head | {"typ": typ}, claims, key)
    yield "no typ", signed({"alg": "HS256"}, claims, key)
    for name, value in (("kid", "../../dev/null"), ("jku", "https://example.com"), ("crit", ["exp"]), ("b64", False),
                        ("x5c", ["MII"]), ("jwk", {"kty": "oct", "k": b64(b"x" * 32)}), ("cty", "JWT"), ("zip", "DEF")):  # fmt: skip
        yield f"header {name}", signed(head | {name: value}, claims, key)
    wrong: dict[str, list[Any]] = {
        "iss": ["", "Earlybird", "earlybird ", "https://earlybird", None, 1, ["earlybird"]],
        "aud": ["", "earlybird", "other", None, 1, [], ["earlybird-api"], ["earlybird-api", "other"], {"a": 1}],
        "sub": ["", "admin", "asha@example.com", str(uuid4()), None, 1, ["x"], claims["sub"] + "'--"],
        "sid": ["", "1", str(uuid4()), None, 1, {"id": 1}],
        "iat": ["now", None, claims["iat"] + 3600, float("1e400"), [1], -1.5e308 * 10],
        "exp": ["never", None, claims["iat"], claims["iat"] - 1, 0, -1, [claims["exp"]], {"at": 1}],
    }
    for name, values in wrong.items():
        yield f"no {name}", signed(head, {k: v for k, v in claims.items() if k != name}, key)
        for value in values:
            yield f"{name} {value!r}", signed(head, claims | {name: value}, key)
    yield "not yet", signed(head, claims | {"nbf": claims["iat"] + 3600}, key)
    yield "an id token", signed(head | {"typ": "JWT"}, {**claims, "nonce": "n", "email": "asha@example.com"}, key)
    for index in (0, 1, 2):
        parts = good.split(".")
        parts[index] = parts[index][:-2]
        yield f"cut {index}", ".".join(parts)
        parts = good.split(".")
        parts[index] = parts[index][:4] + ("A" if parts[index][4] != "A" else "B") + parts[index][5:]
        yield f"turned {index}", ".".join(parts)
    other = signed(head, claims | {"role": "admin", "sub": str(uuid4())}, b"x" * 32)
    yield "head and claims swapped", f"{second}.{first}.{third}"
    yield "another's claims", f"{first}.{other.split('.')[1]}.{third}"
    yield "another's seal", f"{first}.{second}.{other.split('.')[2]}"
    for text in ("", ".", "..", "...", "a.b.c", "Bearer", good + ".", good + "." + third, "." + good, good + "\x00",
                 good.replace(".", ":"), b64(b"\xff\xfe") + ".e30.x", f"{b64(b'[]')}.{second}.{third}", "null.null.null",
                 signed(head, [claims], key), signed(head, "text", key), signed([head], claims, key), good * 2,
                 "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0....", "☃.☃.☃", "%00", "../../../etc/passwd"):  # fmt: skip
        yield f"text {text[:20]!r}", text


def fresh_claims(user: UUID, sid: UUID) -> dict[str, Any]:
    token = tokens.issue(KEYS, NOW, user_id=user, session_id=sid, role="admin", customer_id=None)
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def test_a_hundred_forged_tokens_open_nothing(house: House, asha: UUID) -> None:
    answer = house.sign_in("asha@example.com").json()
    good = answer["access_token"]
    claims = jwt.decode(good, options={"verify_signature": False})
    assert house.at(token=good).get("/api/auth/me").status_code == 200
    made = list(forgeries(house.keys, good, claims))
    assert len(made) >= 100
    door = house.at()
    for name, forged in made:
        headers = {b"authorization": b"Bearer " + forged.encode("utf-8", "surrogateescape")}
        status = door.get("/api/auth/me", headers=headers).status_code
        assert status == 401, (name, status)
    assert house.at(token=good).get("/api/auth/me").status_code == 200


def test_a_token_says_who_and_nothing_a_thief_could_change(house: House, asha: UUID) -> None:
    body = house.sign_in("asha@example.com").json()
    head = jwt.get_unverified_header(body["access_token"])
    claims = jwt.decode(body["access_token"], options={"verify_signature": False})
    assert head == {"alg": "HS256", "typ": "at+jwt"}
    assert set(claims) == {"iss", "aud", "sub", "sid", "iat", "exp", "role", "customer_v2_id"}
    assert (claims["sub"], claims["role"], claims["exp"] - claims["iat"]) == (str(asha), "admin", 600)
    house.run("UPDATE memberships SET role = 'driver'")
    seen = house.at(token=body["access_token"]).get("/api/auth/me").json()
    assert seen["role"] == "driver", "the roles that count are those of the database"


@pytest.mark.parametrize(("seconds", "opens"), [(0, True), (599, True), (600, False), (86400, False)])
def test_ten_minutes_to_the_second(seconds: int, opens: bool) -> None:  # noqa: FBT001
    token = tokens.issue(KEYS, NOW, user_id=uuid4(), session_id=uuid4(), role="admin", customer_id=None)
    if opens:
        assert tokens.read(KEYS, token, NOW + timedelta(seconds=seconds))
    else:
        with pytest.raises(TokenRefused):
            tokens.read(KEYS, token, NOW + timedelta(seconds=seconds))


def test_from_the_future_it_is_refused() -> None:
    token = tokens.issue(
        KEYS, NOW + timedelta(hours=1), user_id=uuid4(), session_id=uuid4(), role="admin", customer_id=None
    )
    with pytest.raises(TokenRefused):
        tokens.read(KEYS, token, NOW)


@given(st.integers(0, 10**6), st.integers(1, 255))
@settings(max_examples=150, deadline=None)
def test_no_byte_may_be_turned(place: int, turn: int) -> None:
    token = tokens.issue(KEYS, NOW, user_id=UUID(int=1), session_id=UUID(int=2), role="admin", customer_id=None)
    raw = bytearray(token.encode())
    raw[place % len(raw)] ^= turn
    changed = raw.decode("latin-1")
    if changed.rpartition(".")[0] == token.rpartition(".")[0]:  # spare bits of the last sign may be any
        pad = "=" * (-len(token.rpartition(".")[2]) % 4)
        try:
            if base64.urlsafe_b64decode(changed.rpartition(".")[2] + pad) == base64.urlsafe_b64decode(
                token.rpartition(".")[2] + pad
            ):
                return
        except ValueError:
            pass
    with pytest.raises(TokenRefused):
        tokens.read(KEYS, changed, NOW)


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text_is_refused_and_breaks_nothing(text: str) -> None:
    with pytest.raises(TokenRefused):
        tokens.read(KEYS, text, NOW)
