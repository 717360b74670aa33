"""Which URLs may be told, how a message is signed, when a failed one is tried again."""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from standardwebhooks.webhooks import Webhook

from earlybird.kernel.internet import is_private
from earlybird.webhooks.errors import BadUrl

LONGEST_URL = 2000
SECRET_BYTES = 32
SECRET_MARK = "whsec_"  # noqa: S105  # how every secret begins

OVERLAP = timedelta(hours=24)
"""How long the secret before a rotation still signs."""

LEASE = timedelta(minutes=2)
"""How long a sender has for the batch it took, before another may take it."""

KEPT = timedelta(days=30)
"""How long events can be replayed."""

WAITS = tuple(timedelta(seconds=s) for s in (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 10 * 3600))
"""How long after each failed try the next one comes (Standard Webhooks); after the last the event has failed."""

GONE = 410
"""The answer by which an endpoint asks not to be told again."""


def check_url(url: str, *, private: bool) -> str:
    """Return an endpoint's URL; refuse one that is not https, holds credentials or names a private address.

    Names are resolved only when something is sent. `private` allows http and the own network.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as failure:
        raise BadUrl(field="url") from failure
    schemes = {"https", "http"} if private else {"https"}
    is_plain = url.isascii() and url.isprintable() and not set(url) & set(' \\"<>') and len(url) <= LONGEST_URL
    if not is_plain or parts.scheme not in schemes or not host or port == 0 or "@" in parts.netloc or "#" in url:
        raise BadUrl(field="url")
    if private:
        return url
    try:
        is_refused = is_private(host)
    except ValueError:  # a name: whether it leads outside shows when it is resolved
        last = host.rstrip(".").rpartition(".")[2]
        is_refused = "." not in host.rstrip(".") or last in {"local", "localhost", "internal"} or last.isdigit()
    if is_refused:
        raise BadUrl(field="url")
    return url


def new_secret() -> str:
    """Return a random signing secret (`whsec_…`, 32 bytes in base64)."""
    return SECRET_MARK + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def headers(event_id: str, at: datetime, body: str, signing: Sequence[str]) -> dict[str, str]:
    """Return the headers of one try (Standard Webhooks 1.0): id, instant and a signature per secret."""
    signatures = [Webhook(secret).sign(event_id, at, body) for secret in signing]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
        "content-type": "application/json",
        "user-agent": "earlybird-webhooks/1",
    }


def wait(tries: int) -> timedelta | None:
    """Return how long after the n-th failed try the next comes (n from 1); None when that was the last."""
    return WAITS[tries - 1] if tries <= len(WAITS) else None
