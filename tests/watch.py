"""Watches the whole suite: no secret made during a test may turn up in a log line or in an answer.

Secrets are noted where they are made (random tokens, codes, hashes, access tokens, API keys). Every answer of every
application and every log record is then searched for them. Only the routes whose job it is to hand a secret out
are let off, for what they say themselves.
"""

from __future__ import annotations

import logging
import re
import secrets
import sys
from collections.abc import Callable, MutableMapping
from functools import cache
from typing import Any

import argon2
import bcrypt
import structlog

from earlybird.identity import tokens
from earlybird.infra import http

HANDS_OUT = re.compile(
    r"/sign-in(/.*)?|/forgotten/code|/second-factor.*|/(api/)?auth/(login|refresh|codes/redeem|second-factor.*|oidc/.*|.*invit.*|password.*)"
    r"|/l/[^/]+|/api/link/open|/api/links(/[^/]+/renew)?"
    r"|/api/keys|/api/webhooks(/[^/]+/(rotate|secret))?|/api/users(/[^/]+/.*)?|/password.*|/invitation.*"
)
WORD = re.compile(r"[A-Za-z0-9_$.,=/+-]{6,}")
PARTS = re.compile(r"[A-Za-z0-9_-]{6,}")

made: set[str] = set()
leaks: list[str] = []


def _is_ours() -> bool:
    return str(sys._getframe(2).f_globals.get("__name__", "")).startswith("earlybird.")


def _noting(function: Callable[..., Any], *, only_ours: bool = True) -> Callable[..., Any]:
    def noted(*facts: Any, **named: Any) -> Any:
        found = function(*facts, **named)
        if not only_ours or _is_ours():
            text = found.decode("latin-1") if isinstance(found, bytes) else found
            made.add(f"{text:06d}" if isinstance(text, int) else text)
        return found

    return noted


def search(text: str, where: str) -> None:
    """Note every secret that stands in a text."""
    for word in WORD.findall(text):
        parts = {word, word.strip(".,="), *PARTS.findall(word)}
        leaks.extend(f"{where}: {part[:4]}… ({len(part)} characters)" for part in parts & made)


def _log(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    search(repr(event), "log")
    return event


class _Records(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        search(record.getMessage(), f"logging {record.name}")


def _watched(serve: Callable[..., Any]) -> Callable[..., Any]:
    async def call(self: Any, scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        is_free = HANDS_OUT.fullmatch(path) is not None

        async def out(message: Any) -> None:
            if not is_free:
                head = b" ".join(value for _, value in message.get("headers", ()))
                search((head + b" " + message.get("body", b"")).decode("utf-8", "replace"), f"answer of {path}")
            await send(message)

        await serve(self, scope, receive, out)

    return call


@cache
def begin() -> None:
    """Watch from now on, however often that is said."""
    for name in ("token_urlsafe", "token_hex", "randbelow"):
        setattr(secrets, name, _noting(getattr(secrets, name)))
    tokens.issue = _noting(tokens.issue, only_ours=False)
    argon2.PasswordHasher.hash = _noting(argon2.PasswordHasher.hash, only_ours=False)  # type: ignore[method-assign]
    bcrypt.hashpw = _noting(bcrypt.hashpw, only_ours=False)
    http.Edge.__call__ = _watched(http.Edge.__call__)  # type: ignore[method-assign]
    structlog.configure(processors=[_log, *structlog.get_config()["processors"]])
    logging.getLogger().addHandler(_Records())
