"""Processes that die in the middle: a backend killed under a statement, a worker killed with -9 under a job."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable
from typing import Any

from sqlalchemy import event

from earlybird.infra.db import APPLICATION, Engine, connect, rehearsal, value

DOOMED = "earlybird simulation, doomed"
WAIT_MS = 5000
"""How long the death of a backend is waited for."""


class Crashes:
    """Kills the server's side of a connection when its turn comes; the client sees what a crash looks like."""

    def __init__(self, engine: Engine, owner: Engine) -> None:
        self.owner = owner
        self.left: int | None = None
        self.count = 0
        event.listen(engine, "before_cursor_execute", self._statement)
        event.listen(engine, "commit", self._commit)

    def arm(self, statements: int) -> None:
        """Let the connection die that sends the n-th statement, or commit, from now on."""
        self.left = statements

    def disarm(self) -> None:
        """Let everybody live."""
        self.left = None

    def _statement(self, connection: Any, *_: Any) -> None:
        self._commit(connection)

    def _commit(self, connection: Any) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left > 0:
            return
        self.left = None
        self.count += 1
        pid = connection.connection.driver_connection.info.backend_pid
        with rehearsal(self.owner) as session:
            value(session, "SELECT pg_terminate_backend(:pid, :wait)", {"pid": pid, "wait": WAIT_MS})


def killed(url: str, *, as_application: bool, statements: int, work: Callable[[Engine], object]) -> bool:
    """Do some work in a process of its own that kills itself with -9 before its n-th statement; say whether it did."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child only works and dies, it takes no lock of ours
        child = os.fork()
    if child == 0:
        _work_and_die(url, as_application=as_application, statements=statements, work=work)
    is_dead = os.WIFSIGNALED(os.waitpid(child, 0)[1])
    _wait_for_the_end(url)
    return is_dead


def _wait_for_the_end(url: str) -> None:
    """Wait until the server has noticed that the process is gone: then its locks are."""
    owner = connect(url)
    with rehearsal(owner) as session:
        for _ in range(WAIT_MS // 5):
            if not value(session, "SELECT count(*) FROM pg_stat_activity WHERE application_name = :n", {"n": DOOMED}):
                break
            value(session, "SELECT pg_stat_clear_snapshot(), pg_sleep(0.005)")
    owner.dispose()


def _work_and_die(url: str, *, as_application: bool, statements: int, work: Callable[[Engine], object]) -> None:
    left = statements

    def count(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        engine = connect(url, role=APPLICATION if as_application else None, connect_args={"application_name": DOOMED})
        event.listen(engine, "before_cursor_execute", count)
        event.listen(engine, "commit", count)
        work(engine)
    finally:
        os._exit(0)
