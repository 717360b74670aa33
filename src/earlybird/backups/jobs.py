"""Ask each hour whether the newest proven backup is young enough."""

from earlybird.backups import service
from earlybird.backups.service import Terms
from earlybird.infra.db import Engine, transaction
from earlybird.infra.schedule import Periodic
from earlybird.kernel.ctx import Ctx


def hourly(terms: Terms) -> Periodic:
    """Return the job that tells of a backup that is missing; it says nothing outside of production."""

    def call(engine: Engine, ctx: Ctx) -> int:
        with transaction(engine) as session:
            return service.watch(session, ctx, terms)

    return Periodic("backups.watch", "37 * * * *", call)
