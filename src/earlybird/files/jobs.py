"""What files do on a schedule: remove what was kept and never got its row."""

from __future__ import annotations

from earlybird.files import service
from earlybird.infra.ports.files import Files
from earlybird.infra.schedule import Periodic


def nightly(files: Files) -> Periodic:
    """Return the sweep of the place where files are kept."""
    return Periodic("files.sweep", "23 20 * * *", lambda engine, ctx: service.sweep(engine, ctx, files))
