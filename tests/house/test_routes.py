"""Every route is locked, or on the short public list; nothing is served twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fastapi.routing import APIRoute, APIRouter
from sqlalchemy import Engine
from starlette.routing import Mount

from earlybird import wiring
from earlybird.identity import rules
from earlybird.identity.access import action_of
from earlybird.infra.http import anybody
from earlybird.main import create_app

PUBLIC = {
    ("GET", "/api/health"),
    ("GET", "/api/products"),
    ("GET", "/api/products/{product_id}"),
    ("GET", "/api/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/files/{file_id}"),
    ("GET", "/llms.txt"),
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
    ("POST", "/sign-in/code"),
    ("POST", "/sign-in/redeem"),
    ("GET", "/sign-in/{token}"),
    ("POST", "/sign-in/{token}"),
    ("POST", "/sign-in/{token}/password"),
    ("GET", "/forgotten"),
    ("POST", "/forgotten"),
    ("POST", "/forgotten/code"),
    ("POST", "/api/auth/login"),
    ("POST", "/api/auth/refresh"),
    ("POST", "/api/auth/codes"),
    ("POST", "/api/auth/codes/redeem"),
    ("POST", "/api/auth/password/reset-request"),
    ("POST", "/api/auth/password/reset"),
    ("POST", "/auth/login"),
    ("POST", "/auth/refresh"),
    ("GET", "/auth/oidc/start"),
    ("GET", "/auth/oidc/callback"),
    ("POST", "/sign-out"),
    ("POST", "/api/link/open"),
    ("POST", "/api/shared-delivery-link/{link_id}/mark-delivered"),
    ("GET", "/l/{token}"),
    ("POST", "/l/{token}"),
}


def routes(app: Any) -> list[APIRoute]:
    own = [route for route in app.routes if isinstance(route, APIRoute)]
    return own + [route for router in wiring.routers() for route in router.routes if isinstance(route, APIRoute)]


def test_every_route_is_locked_or_public(worker_engine: Engine) -> None:
    actions = {action for action, _ in rules.GRANTS}
    app = create_app(worker_engine)
    assert [route for route in app.routes if isinstance(route, Mount)] != []
    public = set()
    for route in routes(app):
        locks = [action_of(d.call) for d in route.dependant.dependencies if action_of(d.call)]
        free = any(d.call is anybody for d in route.dependant.dependencies)
        assert bool(locks) != free, f"{route.path} is neither locked nor public, or both"
        assert set(locks) <= actions, f"{route.path} asks for {locks}, which nobody is ever granted"
        if free:
            public |= {(method, route.path) for method in route.methods or ()}
    assert public == PUBLIC


def test_no_path_is_served_twice() -> None:
    found = Counter(
        (method, route.path)
        for router in wiring.routers()
        if isinstance(router, APIRouter)
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    )
    assert [path for path, count in found.items() if count > 1] == []
