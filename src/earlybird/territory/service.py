"""Change the rules and places of the business."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.infra.db import rows, run
from earlybird.kernel.ctx import Ctx


def set_policy(session: Session, ctx: Ctx, name: str, *, value: Any) -> None:
    """Switch a rule of the house; nothing is written when it stands so already."""
    before = rows(session, "SELECT value FROM policies WHERE name = :name FOR UPDATE", {"name": name})
    if before and before[0]["value"] == value:
        return
    run(
        session,
        "INSERT INTO policies (name, value, set_at, set_by) VALUES (:name, :value, :now, :by) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value, set_at = excluded.set_at, set_by = excluded.set_by",
        {"name": name, "value": Jsonb(value), "now": ctx.now, "by": ctx.actor.name},
    )
    audit.record(
        session,
        ctx,
        "territory.set_policy",
        "policy",
        before={name: before[0]["value"]} if before else None,
        after={name: value},
    )
