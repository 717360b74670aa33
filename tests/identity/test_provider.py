"""Signing in with a provider: a real one, small, that lies in every way it can."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import Engine
from starlette.testclient import TestClient

import make
from earlybird.identity.service import grants
from earlybird.infra import db
from earlybird.infra.security import Keys
from earlybird.infra.settings import Settings
from earlybird.main import create_app
from make import entrance
from make.month import NOW

CLIENT, SECRET = "earlybird", "s3cret/with:signs"
AT = int(NOW.timestamp())


@dataclass
class Issuer:
    """A provider on this machine: discovery, keys and a token endpoint that holds clients to PKCE."""

    key: rsa.RSAPrivateKey
    other: rsa.RSAPrivateKey
    url: str = ""
    challenge: str = ""
    nonce: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    forge: Callable[[Issuer, dict[str, Any]], str] | None = None
    about: dict[str, Any] = field(default_factory=dict)
    is_down: bool = False

    def token(self) -> str:
        said = {
            "iss": self.url, "aud": CLIENT, "sub": "u-17", "nonce": self.nonce, "iat": AT, "exp": AT + 300,
            "email": "asha@example.com", "email_verified": True,
        } | self.claims  # fmt: skip
        said = {name: fact for name, fact in said.items() if fact is not None}
        if self.forge:
            return self.forge(self, said)
        return jwt.encode(said, self.key, algorithm="RS256", headers={"kid": "one"})

    def keys(self) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [public | {"kid": "one", "use": "sig", "alg": "RS256"}]}


def handler(issuer: Issuer) -> type[BaseHTTPRequestHandler]:
    class Door(BaseHTTPRequestHandler):
        def answer(self, facts: Any, status: int = 200) -> None:
            body = json.dumps(facts).encode()
            self.send_response(503 if issuer.is_down else status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            if self.path == "/keys":
                self.answer(issuer.keys())
            else:
                self.answer(
                    {
                        "issuer": issuer.url,
                        "authorization_endpoint": f"{issuer.url}/authorize",
                        "token_endpoint": f"{issuer.url}/token",
                        "jwks_uri": f"{issuer.url}/keys",
                    }
                    | issuer.about
                )

        def do_POST(self) -> None:
            given = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            who = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
            verifier = given["code_verifier"][0]
            proof = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
            is_good = (
                who == "earlybird:s3cret%2Fwith%3Asigns" and given["code"] == ["good"] and proof == issuer.challenge
            )
            self.answer(
                {"id_token": issuer.token()} if is_good else {"error": "invalid_grant"}, 200 if is_good else 400
            )

        def log_message(self, *facts: object) -> None:
            return

    return Door


@pytest.fixture(scope="module")
def two_keys() -> tuple[rsa.RSAPrivateKey, rsa.RSAPrivateKey]:
    return rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 2048)


@pytest.fixture
def issuer(two_keys: tuple[rsa.RSAPrivateKey, rsa.RSAPrivateKey]) -> Iterator[Issuer]:
    made = Issuer(*two_keys)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(made)) as server:
        made.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield made
        server.shutdown()
        thread.join()


@pytest.fixture
def browser(fresh: Engine, issuer: Issuer) -> TestClient:
    with db.transaction(fresh) as session:
        make.business(session)
        grants.seed(session, entrance.CTX)
        entrance.person(session, "admin", email="asha@example.com", name="Asha")
    settings = Settings(oidc_issuer=issuer.url, oidc_client_id=CLIENT, oidc_client_secret=SECRET)
    return TestClient(create_app(fresh, lambda: NOW, keys=Keys.random(), settings=settings), follow_redirects=False)


def go(browser: TestClient, issuer: Issuer) -> str:
    sent = browser.get("/auth/oidc/start")
    assert sent.status_code == 303, sent.text
    asked = {name: found[0] for name, found in parse_qs(urlsplit(sent.headers["location"]).query).items()}
    assert asked["client_id"] == CLIENT
    assert asked["code_challenge_method"] == "S256"
    issuer.challenge, issuer.nonce = asked["code_challenge"], issuer.nonce or asked["nonce"]
    return asked["state"]


def test_somebody_who_is_here_is_let_in(browser: TestClient, issuer: Issuer, fresh: Engine) -> None:
    back = browser.get("/auth/oidc/callback", params={"code": "good", "state": go(browser, issuer)})
    assert (back.status_code, back.headers.get("location")) == (303, "/"), back.text
    assert browser.get("/").status_code in {200, 303}
    with db.transaction(fresh) as session:
        assert db.value(session, "SELECT method FROM sessions") == "oidc"
        assert db.value(session, "SELECT key FROM user_keys") == "u-17"
        assert db.value(session, "SELECT count(*) FROM users") == 1
    issuer.nonce, issuer.claims = "", {"email": None, "email_verified": None}
    again = browser.get("/auth/oidc/callback", params={"code": "good", "state": go(browser, issuer)})
    assert again.status_code == 303, "the subject is known now"
    issuer.nonce, issuer.claims = "", {"sub": "u-18"}
    other = browser.get("/auth/oidc/callback", params={"code": "good", "state": go(browser, issuer)})
    assert other.status_code == 401, "the address was given to somebody else"


def by_hand(algorithm: str, key: str) -> Callable[[Issuer, dict[str, Any]], str]:
    def forge(issuer: Issuer, said: dict[str, Any]) -> str:
        signer = {"other": issuer.other, "short": "0" * 64, "none": None}[key]
        return jwt.encode(said, signer, algorithm=algorithm, headers={"kid": "one"})

    return forge


LIES: dict[str, dict[str, Any]] = {
    "wrong nonce": {"claims": {"nonce": "another"}},
    "no nonce": {"claims": {"nonce": None}},
    "wrong issuer": {"claims": {"iss": "https://elsewhere.example"}},
    "wrong audience": {"claims": {"aud": "another"}},
    "shared audience": {"claims": {"aud": [CLIENT, "another"]}},
    "another party": {"claims": {"azp": "another"}},
    "expired": {"claims": {"exp": AT - 61}},
    "of old": {"claims": {"iat": AT - 3600}},
    "from the future": {"claims": {"iat": AT + 3600}},
    "no subject": {"claims": {"sub": None}},
    "unverified e-mail": {"claims": {"email_verified": False}},
    "verified in words": {"claims": {"email_verified": "true"}},
    "nobody we know": {"claims": {"email": "stranger@example.com"}},
    "no e-mail": {"claims": {"email": None}},
    "another key": {"forge": by_hand("RS256", "other")},
    "another algorithm": {"forge": by_hand("RS512", "other")},
    "a shared secret": {"forge": by_hand("HS256", "short")},
    "no signature": {"forge": by_hand("none", "none")},
    "no token": {"forge": lambda _issuer, _said: "garbage"},
    "another issuer's papers": {"about": {"issuer": "https://elsewhere.example"}},
    "keys over an open line": {"about": {"jwks_uri": "http://elsewhere.example/keys"}},
}


def test_no_lie_lets_anybody_in(browser: TestClient, issuer: Issuer, fresh: Engine) -> None:
    honest = {"claims": {}, "forge": None, "about": {}}
    for name, lie in LIES.items():
        issuer.nonce = ""
        state = go(browser, issuer)
        for what, fact in lie.items():
            setattr(issuer, what, fact)
        back = browser.get("/auth/oidc/callback", params={"code": "good", "state": state})
        assert back.status_code == 401, (name, back.text)
        assert "earlybird_session" not in back.cookies
        for what, fact in honest.items():
            setattr(issuer, what, fact)
    with db.transaction(fresh) as session:
        assert db.value(session, "SELECT count(*) FROM sessions") == 0
        assert db.value(session, "SELECT count(*) FROM users") == 1
        assert db.value(session, "SELECT count(*) FROM user_keys") == 0


def test_what_comes_back_must_have_been_sent_out_by_this_browser(browser: TestClient, issuer: Issuer) -> None:
    state = go(browser, issuer)
    for facts in (
        {"code": "good"},
        {"code": "good", "state": "another"},
        {"state": state},
        {"code": "stolen", "state": state},
        {"code": "good", "state": state, "error": "access_denied"},
        {"code": "good", "state": state, "iss": "https://elsewhere.example"},
    ):
        assert browser.get("/auth/oidc/callback", params=facts).status_code == 401, facts
    browser.cookies.clear()
    assert browser.get("/auth/oidc/callback", params={"code": "good", "state": state}).status_code == 401


def test_a_disabled_login_stays_out_and_a_silent_provider_is_said(
    browser: TestClient, issuer: Issuer, fresh: Engine
) -> None:
    state = go(browser, issuer)
    with db.transaction(fresh) as session:
        db.run(session, "UPDATE users SET state = 'disabled'")
    assert browser.get("/auth/oidc/callback", params={"code": "good", "state": state}).status_code == 401
    issuer.is_down = True
    assert browser.get("/auth/oidc/start").status_code == 503


def test_without_a_provider_there_is_no_such_way(fresh: Engine) -> None:
    door = TestClient(create_app(fresh, lambda: NOW, settings=Settings()))
    assert door.get("/auth/oidc/start").status_code == 404
    assert door.get("/auth/oidc/callback?code=x&state=y").status_code == 404
