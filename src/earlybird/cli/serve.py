"""`earlybird serve`, `worker` and `up`: the web server, the background worker, or all of it."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from earlybird.cli import terminal
from earlybird.cli.terminal import DataDir

Host = Annotated[str | None, typer.Option(help="Address to bind; only this machine unless told otherwise.")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port to bind; 8000 unless told otherwise.")]

GRACE_SECONDS = 15
"""How long `up` waits for its children to end before it ends them."""


def serve(host: Host = None, port: Port = None, data_dir: DataDir = None) -> None:
    """Serve the console and the API until Ctrl-C; the embedded database is started if need be.

    Exit codes: 0 stopped, 1 the port is taken, 3 no database.

    Example: earlybird serve --port 8080
    """
    import uvicorn

    from earlybird.infra import log
    from earlybird.infra.http import clock
    from earlybird.infra.security import Keys
    from earlybird.main import create_app, settle

    log.configure()
    found = terminal.settings(data_dir)
    host, port = host or found.host, found.port if port is None else port

    def still() -> datetime:
        return found.now or clock()

    with terminal.database(data_dir, as_application=True) as engine:
        terminal.console.print(f"Serving on [bold]http://{host}:{port}[/] (Ctrl-C stops)", highlight=False)
        app = create_app(engine, still, keys=Keys.read(found), settings=found)
        settle()
        server = uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_level="warning", server_header=False))
        server.run()
        if not server.started:
            raise SystemExit(terminal.REFUSED)


def worker(data_dir: DataDir = None) -> None:
    """Do what is due in the background until Ctrl-C: charge what was delivered, ask the nightly questions.

    Exit codes: 0 stopped, 3 no database.

    Example: earlybird worker
    """
    from earlybird import worker as background
    from earlybird.infra import log

    log.configure()
    told: list[int] = []
    for number in background.STOPS:  # from the first moment on: an interrupt amid an import may get lost
        signal.signal(number, lambda got, _frame: told.append(got))
    with terminal.database(data_dir, as_application=True) as engine:
        terminal.console.print("Working (Ctrl-C stops)")
        background.serve(engine, terminal.settings(data_dir), told)


def up(host: Host = None, port: Port = None, data_dir: DataDir = None) -> None:
    """Run database, web and worker together; Ctrl-C or SIGTERM ends all, and so does the end of any one.

    Exit codes: 0 stopped, 1 a part died, 3 no database.

    Example: earlybird up --port 8080
    """
    found = terminal.settings(data_dir)
    folder = ["--data-dir", str(found.data_dir)]
    bound = [*(["--host", host] if host else []), *(["--port", str(port)] if port is not None else [])]
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _frame: stopping.append(got))
    with terminal.database(data_dir):  # held until the children are gone, so that they find it and it stops last
        children = [_child(["serve", *bound, *folder]), _child(["worker", *folder])]
        while not stopping and all(child.poll() is None for child in children):
            time.sleep(0.1)
        _end(children)
    if not stopping:
        terminal.stop("A part died, so all of it was stopped.", terminal.REFUSED)


def _child(words: list[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "earlybird", *words]
    return subprocess.Popen(command, cwd=Path.cwd(), preexec_fn=_die_with_parent)  # noqa: S603, PLW1509


def _die_with_parent() -> None:
    """Ask Linux to end this child when its parent is killed, so that no server leaks."""
    if sys.platform == "linux":
        parent_death_signal = 1
        ctypes.CDLL(None).prctl(parent_death_signal, signal.SIGTERM)
    if os.getppid() == 1:
        os._exit(1)


def _end(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
    for child in children:
        try:
            child.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
