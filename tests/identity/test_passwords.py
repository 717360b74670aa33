"""What a password may be, and how it is kept."""

from __future__ import annotations

import hashlib

import anyio
import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earlybird.identity import passwords
from earlybird.identity.errors import WeakPassword
from earlybird.infra.hashing import Hasher, TooManyAtOnce
from identity.conftest import HASHER, OTHER, WORD

ABOUT = ("Asha Rao", "asha.rao@sunrise-dairy.example", "+91 98765 43210", "Sunrise Dairy")


@pytest.mark.parametrize(
    "word",
    ["", "short", "1234567", "password", "Password1", "P@ssw0rd", "p@55w0rd!!", "qwertyuiop", "1qaz2wsx3edc", "87654321",
     "abcdefgh", "aaaaaaaaaa", "abababababab", "abcabcabcabc", "earlybird2025", "EarlyBird!", "customer123", "krishna123",
     "iloveyou2", "asharao1", "Asha.Rao", "9876543210", "919876543210", "sunrisedairy", "SunriseDairy2026!", "x" * 257,
     "good\x00 word here"],
)  # fmt: skip
def test_what_thieves_try_first_is_refused(word: str) -> None:
    with pytest.raises(WeakPassword) as refused:
        passwords.judge(word, about=ABOUT)
    assert refused.value.field == "password"


@pytest.mark.parametrize(
    "word", [WORD, OTHER, "Tr0ub4dor&3x", "lalala-pickle", "కొత్త పాస్వర్డ్ నాది", "новый-пароль-мой", "x9Fk2m#q", "a b c d e f g h",
             "correct horse battery staple" * 9]
)  # fmt: skip
def test_any_signs_and_any_length_are_welcome(word: str) -> None:
    assert passwords.judge(word, about=ABOUT)


def test_the_shipped_list_is_long_and_the_first_password_is_nobodys_own() -> None:
    assert sum(len(word) >= passwords.SHORTEST for word in passwords.common()) >= 10_000
    assert passwords.DEFAULTS - {"123456"} <= passwords.common()
    with pytest.raises(WeakPassword, match="first password"):
        passwords.judge("Monsoon Terrace 77", first="monsoon terrace 77")


@given(st.text(min_size=8, max_size=80))
@settings(max_examples=200, deadline=None)
def test_judging_never_fails_and_what_passes_passes_again(word: str) -> None:
    try:
        found = passwords.judge(word, about=ABOUT)
    except WeakPassword:
        return
    assert passwords.judge(found, about=ABOUT) == found


def test_one_password_is_one_however_it_is_typed() -> None:
    composed, apart = "caf\u00e9 under rain", "cafe\u0301 under rain"
    assert HASHER.check(passwords.normal(apart), HASHER.hash(passwords.normal(composed)), typed=apart).fits


OLD = {
    "bcrypt": bcrypt.hashpw(b"old barn door", bcrypt.gensalt(4)).decode(),
    "sha256": "sha256$" + hashlib.sha256(b"old barn door").hexdigest(),
    "argon2 with other costs": Hasher(memory_kib=32, rounds=1).hash("old barn door"),
}


@pytest.mark.parametrize("kind", OLD)
def test_an_old_hash_is_read_once_and_replaced(kind: str) -> None:
    verdict = HASHER.check("old barn door", OLD[kind], typed="old barn door")
    assert verdict.fits
    assert verdict.better is not None
    assert verdict.better.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    again = HASHER.check("old barn door", verdict.better, typed="old barn door")
    assert (again.fits, again.better) == (True, None)
    assert not HASHER.check("old barn gate", OLD[kind], typed="old barn gate").fits


@pytest.mark.parametrize(
    "kept", [None, "", "withheld", "sha256$", "$2b$12$short", "$argon2id$nonsense", "old barn door"]
)
def test_what_is_no_hash_fits_nothing(kept: str | None) -> None:
    for word in ("", "withheld", "old barn door"):
        assert not HASHER.check(word, kept, typed=word).fits


def test_as_costly_as_asked_and_never_in_a_repr() -> None:
    assert HASHER.hash(WORD).startswith("$argon2id$v=19$m=64,t=1,p=1$")
    assert Hasher().memory_kib >= 19 * 1024
    verdict = HASHER.check("old barn door", OLD["bcrypt"], typed="old barn door")
    assert verdict.better
    assert "$argon2" not in repr(HASHER)


def test_few_hash_at_a_time_and_a_crowd_is_told_to_come_back() -> None:
    hasher = Hasher(memory_kib=64, rounds=1, at_once=2)
    running, most, refused = 0, 0, 0

    async def one() -> None:
        nonlocal refused

        def work() -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            hasher.hash(WORD)
            running -= 1

        try:
            await hasher.beside(work)
        except TooManyAtOnce:
            refused += 1

    async def crowd() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(260):
                group.start_soon(one)

    anyio.run(crowd)
    assert most <= 2
    assert refused == 260 - 202
