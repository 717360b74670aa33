"""What a password may be: NIST SP 800-63B §3.1.1.2 (length and a blocklist, no composition, no expiry)."""

from __future__ import annotations

import gzip
import unicodedata
from collections.abc import Iterable
from functools import cache
from importlib import resources

from earlybird.identity.errors import WeakPassword

SHORTEST, LONGEST = 8, 256

DEFAULTS = frozenset({"earlybird2025", "customer123", "delivery123", "admin123", "marketing123", "123456"})
"""What the legacy gave to everybody: worth nothing as proof of who signs in."""

ENDINGS = "0123456789!@#$%^&*?._- "
PLAIN = str.maketrans("@430157$!", "aaeoistsi")
SHORTEST_WORD = 4
FEWEST_SIGNS = 4
LONGEST_PIECE = 8
RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiopasdfghjklzxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
)


def normal(text: str) -> str:
    """Return the password as it is hashed: Unicode NFKC, so that every keyboard writes the same one."""
    return unicodedata.normalize("NFKC", text)


def is_default(text: str) -> bool:
    """Return True for a password that was given to everybody."""
    return normal(text).casefold() in DEFAULTS


@cache
def common() -> frozenset[str]:
    """Return the shipped list of the commonest passwords, in lower case."""
    packed = (resources.files("earlybird.identity") / "common_passwords.txt.gz").read_bytes()
    lines = gzip.decompress(packed).decode().splitlines()
    return frozenset(line for line in lines if not line.startswith("# "))


def judge(text: str, *, about: Iterable[str | None] = (), first: str | None = None) -> str:
    """Return a new password in normal form, or refuse it and say why.

    `about` is what an attacker knows: name, e-mail, phone, business. `first` is what everybody got.
    """
    word = normal(text)
    if len(word) < SHORTEST:
        raise WeakPassword(f"A password has at least {SHORTEST} characters.", field="password")
    if len(word) > LONGEST:
        raise WeakPassword(f"A password has at most {LONGEST} characters.", field="password")
    if "\x00" in word:
        raise WeakPassword("A password holds no NUL character.", field="password")
    folded = word.casefold()
    if first is not None and folded == normal(first).casefold():
        raise WeakPassword("That is the first password everybody got; choose your own.", field="password")
    if len(set(folded)) < FEWEST_SIGNS or _repeats(folded):
        raise WeakPassword("That repeats itself; choose something harder to guess.", field="password")
    if any(folded in row or folded in row[::-1] for row in RUNS):
        raise WeakPassword("That is a row of neighbours; choose something harder to guess.", field="password")
    if not common().isdisjoint(_guises(folded)):
        raise WeakPassword("That is among the first that thieves try; choose another.", field="password")
    known = {part for fact in ("earlybird", *about) if fact for part in _parts(fact)}
    if not known.isdisjoint(_guises(folded)):
        raise WeakPassword("That is made of what everybody knows about you; choose another.", field="password")
    return word


def _guises(folded: str) -> set[str]:
    """Return what a password says without its ending, its digits for letters and its capitals."""
    bare = {folded, folded.rstrip(ENDINGS), folded.strip(ENDINGS)}
    found = bare | {guise.translate(PLAIN) for guise in bare}
    found |= {guise.rstrip(ENDINGS) for guise in list(found)}
    found |= {"".join(sign for sign in guise if sign.isalnum()) for guise in list(found)}
    return {guise for guise in found if len(guise) >= SHORTEST_WORD}


def _parts(fact: str) -> set[str]:
    """Return the words of a fact, and the whole without spaces, that are long enough to matter."""
    folded = normal(fact).casefold()
    words = "".join(sign if sign.isalnum() else " " for sign in folded).split()
    digits = "".join(sign for sign in folded if sign.isdigit())
    found = {folded, "".join(words), digits, digits[-10:], *words}
    found |= {first + second for first in words for second in words}
    return {part for part in found if len(part) >= SHORTEST_WORD}


def _repeats(folded: str) -> bool:
    """Return True when the whole is a short piece said again and again."""
    longest = min(LONGEST_PIECE, len(folded) // 2)
    pieces = (folded[:size] for size in range(1, longest + 1))
    return any((piece * len(folded))[: len(folded)] == folded for piece in pieces)
