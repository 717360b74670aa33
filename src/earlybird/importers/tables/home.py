"""The business a table is for, and what its cells must be read by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.importers.errors import BusinessUnclear, NoSuchBusiness
from earlybird.infra.db import rows
from earlybird.kernel.clock import business_day

SOURCE = "file"
"""The `source` of keys that came in by a table; their `kind` is the business's id, as keys are the business's own."""


@dataclass(frozen=True, slots=True)
class Home:
    """A business and the site that serves who comes in; `today` is its own day.

    `first_hash` is the Argon2id hash of the configured first password of new logins; without it they are invited.
    """

    business_id: UUID
    site_id: UUID
    name: str
    country: str
    zone: str
    currency: str
    today: date
    cutover_on: date | None
    first_hash: str | None = None

    @property
    def keys(self) -> dict[str, object]:
        """What every statement about this business is bound to."""
        return {"business_id": self.business_id, "source": SOURCE, "kind": str(self.business_id)}


HOMES = """
SELECT DISTINCT ON (b.id) b.id AS business_id, s.id AS site_id, b.name, b.country, b.zone, b.currency, b.cutover_on
FROM businesses b JOIN sites s ON s.business_id = b.id AND s.archived_at IS NULL
WHERE CAST(:name AS text) IS NULL OR b.name = :name
ORDER BY b.id, s.kind = 'depot' DESC, s.id
"""


def find_homes(session: Session, now: datetime, name: str | None = None) -> list[Home]:
    """List the businesses (of that name)."""
    return [Home(**row, today=business_day(now, row["zone"])) for row in rows(session, HOMES, {"name": name})]


def find_home(session: Session, now: datetime, name: str | None) -> Home:
    """Return the business of that name, or the only one. Raises NoSuchBusiness, BusinessUnclear."""
    found = find_homes(session, now, name)
    if not found:
        raise NoSuchBusiness(field="business", business=name or "none")
    if len(found) > 1:
        raise BusinessUnclear(field="business", businesses=", ".join(home.name for home in found))
    return found[0]
