"""Open a business: the legal entity, its depot and its shifts."""

from __future__ import annotations

from datetime import time
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
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
