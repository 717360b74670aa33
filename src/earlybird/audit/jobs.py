"""The minute's seal."""

from __future__ import annotations

from collections.abc import Callable

from earlybird.audit.service import sealing
from earlybird.infra.checkpoints import Checkpoints
from earlybird.infra.schedule import Periodic


def every_minute(checkpoints: Callable[[], Checkpoints]) -> Periodic:
    """Return the job; the secret is read when it runs, not when it is listed."""
    return Periodic("audit.seal", "* * * * *", lambda engine, ctx: sealing.seal_all(engine, ctx, checkpoints()))
