"""An OpenID Connect provider that people may sign in with: the code flow with state, nonce and PKCE.

OpenID Connect Core 1.0 §3.1, RFC 7636, RFC 9207; the ID token is checked as RFC 8725 asks.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
import jwt

from earlybird.infra.settings import Settings
from earlybird.kernel.errors import Invalid, Unavailable

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
SECONDS = 5.0
SKEW = 60
"""How many seconds the provider's clock may be off."""

OLDEST = 600
"""How many seconds an ID token may be old."""

LARGEST = 2**20
HERE = frozenset({"localhost", "127.0.0.1", "::1"})


class Silent(Unavailable):
    """The provider to sign in with does not answer; try again, or sign in another way."""


class NotGood(Invalid):
    """The provider's answer is not good here."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What a browser is sent to the provider with, to be compared when it comes back."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)

    @classmethod
    def new(cls) -> Errand:
        """Return fresh secrets for one sign-in."""
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48))


@dataclass(frozen=True, slots=True)
class Known:
    """Whom the provider vouches for; an e-mail it has not verified is none."""

    issuer: str
    subject: str
    email: str | None


@dataclass(frozen=True, slots=True)
class Provider:
    """The provider of the settings."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)

    @classmethod
    def read(cls, settings: Settings) -> Provider | None:
        """Return the provider the settings name, None where they name none."""
        if settings.oidc_issuer is None or settings.oidc_client_id is None or settings.oidc_client_secret is None:
            return None
        _safe(settings.oidc_issuer)
        return cls(settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret.get_secret_value())

    async def address(self, errand: Errand, back: str) -> str:
        """Return where the browser goes to sign in; it comes back to `back`."""
        async with httpx.AsyncClient(timeout=SECONDS) as client:
            about = await self._about(client)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(errand.verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": back,
            "scope": "openid email",
            "state": errand.state,
            "nonce": errand.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        place = _safe(str(about["authorization_endpoint"]))
        return place + ("&" if "?" in place else "?") + urlencode(query)

    async def vouched(self, errand: Errand, code: str, back: str, now: datetime) -> Known:
        """Spend the code for an ID token, and return whom it vouches for; refuse one that is not exactly for us."""
        async with httpx.AsyncClient(timeout=SECONDS) as client:
            about = await self._about(client)
            given = {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": back,
                "code_verifier": errand.verifier,
            }
            who = httpx.BasicAuth(quote(self.client_id, safe=""), quote(self.client_secret, safe=""))
            token = await _json(client, "POST", _safe(str(about["token_endpoint"])), data=given, auth=who)
            keys = await _json(client, "GET", _safe(str(about["jwks_uri"])))
        return self._read(str(token.get("id_token", "")), keys, errand, now)

    async def _about(self, client: httpx.AsyncClient) -> dict[str, Any]:
        about = await _json(client, "GET", self.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if about.get("issuer") != self.issuer:
            raise NotGood
        if not {"authorization_endpoint", "token_endpoint", "jwks_uri"} <= set(about):
            raise NotGood
        return about

    def _read(self, token: str, keys: dict[str, Any], errand: Errand, now: datetime) -> Known:
        try:
            head = jwt.get_unverified_header(token)
            known = [key for key in jwt.PyJWKSet.from_dict(keys).keys if key.public_key_use in {None, "sig"}]
            fitting = [key for key in known if key.key_id == head.get("kid")]
            if head.get("alg") not in ALGORITHMS or len(fitting) != 1 or fitting[0].algorithm_name != head["alg"]:
                raise NotGood
            said = jwt.decode(
                token,
                fitting[0].key,
                algorithms=[head["alg"]],
                issuer=self.issuer,
                audience=self.client_id,
                options={
                    "require": ["iss", "aud", "sub", "exp", "iat", "nonce"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
            at = now.timestamp()
            if not (said["exp"] + SKEW > at and at - OLDEST - SKEW < said["iat"] < at + SKEW):
                raise NotGood
            is_shared = isinstance(said["aud"], list) and len(said["aud"]) > 1
            if (is_shared or "azp" in said) and said.get("azp") != self.client_id:
                raise NotGood
            if not isinstance(said["sub"], str) or not said["sub"] or "\x00" in said["sub"]:
                raise NotGood
            if not hmac.compare_digest(str(said["nonce"]).encode(), errand.nonce.encode()):
                raise NotGood
        except (jwt.PyJWTError, KeyError, TypeError, ValueError, AttributeError) as failure:
            raise NotGood from failure
        email = said.get("email")
        is_verified = said.get("email_verified") is True and isinstance(email, str)
        return Known(self.issuer, said["sub"], email if is_verified else None)


async def _json(client: httpx.AsyncClient, method: str, url: str, **facts: Any) -> dict[str, Any]:
    try:
        answer = await client.request(method, url, headers={"Accept": "application/json"}, **facts)
    except httpx.HTTPError as failure:
        raise Silent from failure
    if answer.is_server_error:
        raise Silent
    if not answer.is_success or len(answer.content) > LARGEST:
        raise NotGood
    try:
        found = answer.json()
    except ValueError as failure:
        raise NotGood from failure
    if not isinstance(found, dict):
        raise NotGood
    return found


def _safe(url: str) -> str:
    """Return an address that nobody can listen in on, or on this machine; refuse another."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in HERE):
        raise NotGood(field="oidc_issuer")
    return url
