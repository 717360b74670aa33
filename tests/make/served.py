"""The real server in a process of its own, to be killed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from make.month import NOW
from make.town import Town

PATIENCE = 60


def until(condition: Any) -> Any:
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


@contextmanager
def served(town: Town, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The real server in a process of its own on the town's database."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "EARLYBIRD_DATABASE_URL": town.engine.url.render_as_string(hide_password=False),
        "EARLYBIRD_SECRET_KEY": town.keys.root.hex(),
        "EARLYBIRD_NOW": NOW.isoformat(),
    }
    server = subprocess.Popen(
        [sys.executable, "-m", "earlybird", "serve", "--port", str(port)], env=environment, cwd=folder,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:

        def answers() -> bool:
            assert server.poll() is None
            try:
                return httpx.get(f"http://127.0.0.1:{port}/api/health").status_code == 200
            except httpx.TransportError:
                return False

        until(answers)
        yield server, port
    finally:
        server.kill()
        server.wait()
