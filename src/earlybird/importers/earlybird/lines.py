"""One document as one line for COPY: identity, digest, facts, and the bytes as they came."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import orjson

from earlybird.importers.earlybird.facts import read as read_facts
from earlybird.importers.earlybird.facts.secrets import may_hold_secrets, without_secrets
from earlybird.importers.earlybird.reading import Document, Malformed, content, object_id

COLUMNS: Final = "number, ident, key, named, oid, digest, verdict, reason, problems, facts, body, raw"
LONGEST_KEY: Final = 1000
"""Longest id accepted, in bytes: what an index can hold, with room."""

_NULL: Final = b"\\N"


def copy_line(collection: str, record: Document | Malformed) -> bytes:
    """Return a record in PostgreSQL's COPY text format, columns as in `COLUMNS`."""
    if isinstance(record, Malformed):
        return _malformed(record)
    body, raw = record.body, record.raw
    oid = object_id(body)
    named = next((value for name in ("id", "link_id") if isinstance(value := body.get(name), str) and value), None)
    facts, problems = read_facts(collection, body)
    digest = content_digest(raw, body)
    key = named or oid
    nameless = "neither id nor _id" if key is None else _unusable(key) or (oid and _unusable(oid))
    wrong = nameless or _worthless(collection, facts)
    if nameless:
        identity = (_line_ident(digest), _NULL, b"f", _NULL)
    else:
        its_key, its_oid = _text(key), _text(oid)
        identity = (its_oid if oid else its_key, its_key, b"t" if named else b"f", its_oid)
    return b"\t".join(
        (
            b"%d" % record.number,
            *identity,
            _bytea(digest),
            b"quarantined" if wrong else b"imported",
            _text(wrong),
            _json(problems) if problems else _NULL,
            _json(facts),
            _escaped(without_secrets(raw, body) if may_hold_secrets(raw) else raw),
            _NULL,
        )
    )


def _worthless(collection: str, facts: Mapping[str, Any]) -> str | None:
    if collection == "payment_transactions" and "amount_minor" not in facts:
        return "amount: not a readable sum of money"
    return None


def _malformed(record: Malformed) -> bytes:
    where = "" if record.line == record.number else f" (at line {record.line} of the file)"
    kept = without_secrets(record.raw, None)
    digest = hashlib.blake2b(record.raw, digest_size=16).digest()
    return b"\t".join(
        (
            b"%d" % record.number,
            *(_line_ident(digest), _NULL, b"f", _NULL),
            _bytea(digest),
            b"quarantined",
            _text(record.reason + where),
            *(_NULL, _NULL),
            *((_escaped(kept), _NULL) if _is_text(kept) else (_NULL, _bytea(kept))),
        )
    )


def _line_ident(digest: bytes) -> bytes:
    return b"line:" + digest.hex().encode()


def _bytea(raw: bytes) -> bytes:
    return b"\\\\x" + raw.hex().encode()


def _unusable(key: str) -> str | None:
    if "\0" in key:
        return "the id holds a NUL character"
    return f"the id is longer than {LONGEST_KEY} bytes" if len(key.encode()) > LONGEST_KEY else None


def content_digest(raw: bytes, body: Mapping[str, Any]) -> bytes:
    """Return 16 bytes that are equal for equal content, whatever `_id` and the order of the fields."""
    try:
        if b"NaN" in raw or b"Infinity" in raw:  # orjson writes them as null, which is other content
            text = content(body).encode()
        else:
            rest = {name: value for name, value in body.items() if name != "_id"}
            text = orjson.dumps(rest, option=orjson.OPT_SORT_KEYS)
    except (TypeError, RecursionError):  # nested beyond what can be written again
        text = raw
    return hashlib.blake2b(text, digest_size=16).digest()


def _is_text(raw: bytes) -> bool:
    try:
        return "\0" not in raw.decode("utf-8")
    except UnicodeDecodeError:
        return False


def _text(value: str | None) -> bytes:
    return _NULL if value is None else _escaped(value.encode())


def _json(value: Any) -> bytes:
    made = orjson.dumps(value)
    if b"\\u0000" in made:  # jsonb holds no NUL; the body keeps it
        made = orjson.dumps(_without_nul(value))
    return _escaped(made)


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(inner) for name, inner in value.items()}
    return [_without_nul(inner) for inner in value] if isinstance(value, list) else value


def _escaped(raw: bytes) -> bytes:
    if b"\\" in raw:
        raw = raw.replace(b"\\", b"\\\\")
    if b"\n" in raw:
        raw = raw.replace(b"\n", b"\\n")
    if b"\t" in raw:
        raw = raw.replace(b"\t", b"\\t")
    return raw.replace(b"\r", b"\\r") if b"\r" in raw else raw
