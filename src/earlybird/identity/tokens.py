"""Access tokens: short-lived, signed, of one fixed kind (RFC 8725, RFC 9068)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import jwt

from earlybird.identity.errors import TokenRefused
from earlybird.infra.security import Keys

ISSUER = "earlybird"
AUDIENCE = "earlybird-api"
KIND = "at+jwt"
ALGORITHM = "HS256"
PURPOSE = "access-token"
MINUTES = 10
"""How long an access token is good; a revoked session ends it at once."""

LONGEST_SECONDS = 86400
"""No token lives longer than a day, whatever it says: that is what a script may ask for."""

LONGEST_TOKEN = 2000

CLAIMS = ("iss", "aud", "sub", "sid", "iat", "exp", "role")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good token says; the roles that count are those of the database."""

    user_id: UUID
    session_id: UUID


def issue(
    keys: Keys,
    now: datetime,
    *,
    user_id: UUID,
    session_id: UUID,
    role: str,
    customer_id: UUID | None,
    life: timedelta = timedelta(minutes=MINUTES),
) -> str:
    """Return a signed token; `customer_v2_id` is the claim legacy clients read."""
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(user_id),
        "sid": str(session_id),
        "iat": int(now.timestamp()),
        "exp": int((now + life).timestamp()),
        "role": role,
        "customer_v2_id": str(customer_id) if customer_id else None,
    }
    return jwt.encode(claims, keys.derive(PURPOSE), algorithm=ALGORITHM, headers={"typ": KIND})


def read(keys: Keys, token: str, now: datetime) -> Claims:
    """Return what a token says; refuse every one that is not exactly of our kind and in its time."""
    if len(token) > LONGEST_TOKEN:
        raise TokenRefused
    try:
        if jwt.get_unverified_header(token) != {"alg": ALGORITHM, "typ": KIND}:
            raise TokenRefused
        found = jwt.decode(
            token,
            keys.derive(PURPOSE),
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            options={"require": list(CLAIMS), "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
        if not _is_whole(found) or not found["iat"] <= now.timestamp() < found["exp"] <= found["iat"] + LONGEST_SECONDS:
            raise TokenRefused
        return Claims(UUID(found["sub"]), UUID(found["sid"]))
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as failure:
        raise TokenRefused from failure


def _is_whole(found: dict[str, Any]) -> bool:
    """Return whether the claims are those we write, and of their kinds."""
    instants = (type(found["iat"]), type(found["exp"]))
    texts = all(isinstance(found[name], str) for name in ("iss", "aud", "sub", "sid", "role"))
    return instants == (int, int) and texts and set(found) <= {*CLAIMS, "customer_v2_id"}
