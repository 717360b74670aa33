"""The units every business measures in."""

from __future__ import annotations

from sqlalchemy.orm import Session

from earlybird.infra.db import run

UNITS = (("L", "litre", "volume"), ("kg", "kilogram", "mass"), ("piece", "piece", "number"))


def seed_units(session: Session) -> int:
    """Have litre, kilogram and piece; return how many were missing."""
    return run(
        session,
        "INSERT INTO units (code, name, measure) SELECT * FROM unnest(CAST(:codes AS text[]), CAST(:names AS text[]), "
        "CAST(:measures AS text[])) ON CONFLICT DO NOTHING",
        {
            "codes": [unit[0] for unit in UNITS],
            "names": [unit[1] for unit in UNITS],
            "measures": [unit[2] for unit in UNITS],
        },
    )
