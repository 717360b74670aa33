"""What a database holds, in figures that a restored copy of it must show again."""

from __future__ import annotations

from typing import Any

from earlybird.infra.db import Session, rows, value

TABLES = """SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
ORDER BY 1"""
LEDGER = """SELECT currency, account, sum(amount_minor)::bigint AS minor, count(*) AS postings FROM postings
GROUP BY currency, account ORDER BY currency, account"""
SEAL = """SELECT seal_no AS seal, encode(digest, 'hex') AS digest, last_position AS rows FROM audit_seals
ORDER BY seal_no DESC LIMIT 1"""


def measured(session: Session) -> dict[str, Any]:
    """Return rows per table, the ledger's sums per currency and account in minor units, and the newest seal."""
    names = [row["relname"] for row in rows(session, TABLES)]
    counts = " UNION ALL ".join(f"SELECT '{name}' AS name, count(*) AS count FROM \"{name}\"" for name in names)
    known = bool(value(session, "SELECT to_regclass('audit_seals') IS NOT NULL"))
    return {
        "tables": {row["name"]: row["count"] for row in rows(session, counts)} if names else {},
        "ledger": rows(session, LEDGER) if "postings" in names else [],
        "seal": next(iter(rows(session, SEAL)), None) if known else None,
    }


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Say in a sentence each what the one shows and the other does not."""
    found = []
    for name in sorted(before["tables"].keys() | now["tables"].keys()):
        was, is_ = before["tables"].get(name), now["tables"].get(name)
        if was != is_:
            found.append(f"{name} had {was} rows and has {is_}.")
    if before["ledger"] != now["ledger"]:
        found.append("The ledger's sums are others.")
    if before["seal"] != now["seal"]:
        found.append("The newest seal of the audit is another.")
    return found


def unbalanced(facts: dict[str, Any]) -> list[str]:
    """Say in a sentence for each currency by how much its ledger does not sum to zero."""
    sums: dict[str, int] = {}
    for row in facts["ledger"]:
        sums[row["currency"]] = sums.get(row["currency"], 0) + row["minor"]
    return [f"The ledger in {currency} sums to {minor} minor units." for currency, minor in sums.items() if minor]
