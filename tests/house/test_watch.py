"""The watch over secrets sees what it is there to see."""

from __future__ import annotations

import logging

import structlog
from sqlalchemy import Engine
from starlette.testclient import TestClient

import watch
from earlybird.infra.security import Keys
from earlybird.main import create_app


def test_a_secret_in_a_log_line_or_in_an_answer_is_seen(worker_engine: Engine) -> None:
    secret = "a-token-nobody-may-see-0123456789"  # noqa: S105
    watch.made.add(secret)
    try:
        structlog.get_logger().info("signed_in", token=secret)
        assert len(watch.leaks) == 1
        logging.getLogger("somebody").warning("Bearer %s", secret)
        assert len(watch.leaks) == 2
        app = create_app(worker_engine, keys=Keys.random())
        assert TestClient(app).get(f"/api/nothing/{secret}").status_code == 404
        assert len(watch.leaks) == 3
        assert TestClient(app).get("/api/health").status_code == 200
        assert len(watch.leaks) == 3
    finally:
        watch.made.discard(secret)
        watch.leaks.clear()
