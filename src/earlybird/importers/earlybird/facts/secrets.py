"""Secrets in a dump: what of a password may be kept, and how the rest is cut out of a document."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

import orjson

from earlybird.importers.earlybird.facts.sheet import Body
from earlybird.importers.earlybird.reading import parse_document

KNOWN_DEFAULTS: Final = frozenset({"earlybird2025", "customer123", "delivery123", "admin123", "marketing123"})
"""First passwords the legacy gave to everybody: worth nothing as proof of who signs in."""

WITHHELD: Final = "withheld"
_KNOWN_HASHES: Final = frozenset(hashlib.sha256(word.encode()).hexdigest() for word in KNOWN_DEFAULTS)
_BCRYPT: Final = re.compile(r"\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{53}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_RANK: Final = ("bcrypt", "sha256", "plain")

_SECRET_NAME: Final = re.compile(r"passw|pwd", re.IGNORECASE)
_MARKS: Final = ("_at", "_method")
_SECRET: Final = re.compile(
    rb"""((["']?)[^"',:{}\s]*(?:passw|pwd)[^"',:{}\s]*\2\s*[:=]\s*)("(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s,{}\[\]"']+)""",
    re.IGNORECASE,
)


def password_facts(body: Body) -> dict[str, Any]:
    """Return scheme, and the hash when it is bcrypt or SHA-256 of no known default; never a plain password."""
    found = [_judged(value) for name in ("password_hash", "password") if isinstance(value := body.get(name), str)]
    judged = [facts for facts in found if facts]
    return min(judged, key=lambda facts: _RANK.index(facts["scheme"]), default={"scheme": "none"})


def _judged(value: str) -> dict[str, Any]:
    word = value.strip()
    if not word:
        return {}
    if _BCRYPT.fullmatch(word):
        return {"scheme": "bcrypt", "hash": word}
    if _SHA256.fullmatch(word.lower()):
        known = word.lower() in _KNOWN_HASHES
        return {"scheme": "sha256", "default": True} if known else {"scheme": "sha256", "hash": word.lower()}
    return {"scheme": "plain"} | ({"default": True} if word in KNOWN_DEFAULTS else {})


def may_hold_secrets(raw: bytes) -> bool:
    """Return True when a closer look is due."""
    return b"assw" in raw or b"ASSW" in raw or b"wd" in raw or b"WD" in raw or b"\\u" in raw


def without_secrets(raw: bytes, body: Body | None) -> bytes:
    """Return the bytes of a document with the values of its password fields withheld.

    `body` is its content, None for a malformed stretch, of which the pattern alone has to do.
    """
    cut = _SECRET.sub(_withheld, raw)
    if body is None:
        return cut
    left = body if cut == raw else parse_document(cut)[0]
    if left is None or _holds_secret(left):
        return orjson.dumps(_withhold(body), default=str)
    return cut


def _withheld(match: re.Match[bytes]) -> bytes:
    name = match[1].rstrip(b" \t:=").strip(b"\"'").decode("utf-8", "replace")
    value = match[3]
    if name.lower().endswith(_MARKS) or value in (b"null", b"true", b"false", b'""'):
        return match[0]
    return match[1] + f'"{WITHHELD}"'.encode()


def _is_secret(name: str, value: Any) -> bool:
    named = _SECRET_NAME.search(name) and not name.lower().endswith(_MARKS)
    return bool(named) and value is not None and not isinstance(value, bool) and value not in ("", WITHHELD)


def _holds_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_is_secret(name, inner) or _holds_secret(inner) for name, inner in value.items())
    return isinstance(value, list) and any(_holds_secret(inner) for inner in value)


def _withhold(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: WITHHELD if _is_secret(name, inner) else _withhold(inner) for name, inner in value.items()}
    return [_withhold(inner) for inner in value] if isinstance(value, list) else value
