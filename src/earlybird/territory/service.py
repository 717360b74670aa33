"""Open a business (legal entity, depot, shifts) and change the rules of the house."""

from __future__ import annotations

from datetime import time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.infra.db import rows, run
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx
from earlybird.territory.errors import CodeUnknown, ZoneUnknown
from earlybird.territory.models import Business, ShiftPlan, Site
from earlybird.territory.states import Shift, SiteKind

SHIFTS = ((Shift.morning, time(5), time(8)), (Shift.evening, time(17), time(20)))
CUTOFF = time(20)


def open_business(session: Session, ctx: Ctx, name: str, *, currency: str, country: str, zone: str) -> UUID:
    """Create a business with a depot and two shifts, cut-off 20:00 the day before."""
    if zone not in available_timezones():
        raise ZoneUnknown(field="zone", value=zone)
    for field, text, length in (("currency", currency, 3), ("country", country, 2)):
        if not (len(text) == length and text.isascii() and text.isalpha() and text.isupper()):
            raise CodeUnknown(field=field, value=text)
    business = Business(id=ids.new_id(), name=name, currency=currency, country=country, zone=ZoneInfo(zone).key)
    session.add(business)
    session.flush()  # the depot points at it
    site = Site(id=ids.new_id(), business_id=business.id, kind=SiteKind.depot, name="Depot", zone=zone)
    session.add(site)
    session.flush()  # the shifts point at it
    session.add_all(
        ShiftPlan(site_id=site.id, shift=shift, starts=starts, ends=ends, cutoff=CUTOFF)
        for shift, starts, ends in SHIFTS
    )
    audit.record(session, ctx, "territory.open_business", "business", business.id, after={"name": name, "zone": zone})
    return business.id


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
