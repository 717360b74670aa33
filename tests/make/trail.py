"""A sealed trail to tamper with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sqlalchemy import Engine

from earlybird.audit import service as audit
from earlybird.audit.queries import verification
from earlybird.audit.rules import Verdict
from earlybird.audit.service import sealing
from earlybird.infra.checkpoints import Checkpoints, Trust
from earlybird.infra.db import rehearsal, run, transaction, value
from earlybird.infra.security import Keys
from earlybird.kernel.ctx import Ctx


@dataclass
class Trail:
    """A database with its checkpoints."""

    engine: Engine
    ctx: Ctx
    checkpoints: Checkpoints

    @classmethod
    def at(cls, engine: Engine, ctx: Ctx, folder: Path) -> Trail:
        return cls(engine, ctx, Checkpoints(folder / "audit-checkpoints.jsonl", Keys.random()))

    def write(self, count: int = 1, what: str = "orders.place") -> None:
        """Commit some entries, each about an order of its own."""
        with transaction(self.engine) as session:
            for n in range(count):
                order = UUID(int=(7 << 76) + (2 << 62) + n + 1)
                facts = {"code": f"EB-{n}", "phone": "+91 98480 22338", "half": 0.50, "text": "दूध"}
                audit.record(session, self.ctx, what, "order", order, before=None, after=facts, reason="asked for")

    def write_many(self, count: int) -> None:
        """Commit a great many entries in one statement."""
        with transaction(self.engine) as session:
            run(
                session,
                "INSERT INTO audit_entries (at, actor_kind, actor_name, role, via, trace_id, action, entity, entity_id, "
                "after) SELECT :now, 'system', 'earlybird', 'system', 'job', md5(n::text), 'orders.place', 'order', "
                "gen_random_uuid(), jsonb_build_object('n', n) FROM generate_series(1, :count) n",
                {"now": self.ctx.now, "count": count},
            )

    def seal(self) -> int:
        return sealing.seal_all(self.engine, self.ctx, self.checkpoints)

    def sealed(self, *counts: int) -> Trail:
        """Write and seal, one seal per count."""
        for count in counts:
            self.write(count)
            assert self.seal() == count
        return self

    def verify(self, *, with_secret: bool = True) -> Verdict:
        trust = Trust((self.checkpoints.public,))
        mark_key = self.checkpoints.mark_key if with_secret else None
        with rehearsal(self.engine) as session:
            return verification.verify(session, self.checkpoints.path, trust, mark_key)

    def tamper(self, *statements: str, **facts: object) -> None:
        """Do as a superuser with the triggers off."""
        with transaction(self.engine) as session:
            run(session, "SET LOCAL session_replication_role = replica")
            for statement in statements:
                run(session, statement, facts)

    def ask(self, sql: str, **facts: object) -> object:
        with transaction(self.engine) as session:
            return value(session, sql, facts)
