"""Dumps of any size: the sample's households copied side by side, each copy with ids, phones and e-mails of its own."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

SHARED = {"products", "areas_v2", "delivery_boys_v2", "system_settings", "suppliers", "procurement_orders", "inventory"}
"""Collections of the business itself: they are written once."""


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rb") as file:
        for line in file:
            yield orjson.loads(line)


def known_ids(folder: Path) -> set[str]:
    found = set()
    for path in folder.glob("*.json.gz"):
        if path.name.removesuffix(".json.gz") in SHARED:
            continue
        for document in lines(path):
            if isinstance(document.get("id"), str):
                found.add(document["id"])
            if isinstance(document.get("_id"), dict):
                found.add(document["_id"]["$oid"])
    for document in lines(folder / "users.json.gz"):
        if document.get("role") not in {"customer", None}:
            found.discard(document["id"])
            found.discard(document["_id"]["$oid"])
    return found


def copied(value: Any, ids: set[str], number: int, field: str = "") -> Any:
    """Return `value` as copy `number` has it: every id renamed, phones and e-mails moved."""
    if isinstance(value, dict):
        return {key: copied(part, ids, number, key) for key, part in value.items()}
    if isinstance(value, list):
        return [copied(part, ids, number, field) for part in value]
    if field == "phone" and isinstance(value, int | float) and not isinstance(value, bool):
        return value + number * 1_000_000
    if not isinstance(value, str):
        return value
    if field == "$oid" or (value in ids and len(value) == 24 and "-" not in value):
        return f"{number:04x}{value[4:]}"
    if field == "phone":
        return value.replace("9000", f"{9000 + number}", 1)
    if field == "email":
        if value.startswith("customer-") and value.endswith("@earlybird.local"):
            key = value.removeprefix("customer-").removesuffix("@earlybird.local")
            return f"customer-{copied(key, ids, number)}@earlybird.local"
        return f"{number}.{value}"
    return f"{value}~{number}" if value in ids else value


def clone(folder: Path, target: Path, copies: int) -> int:
    """Write a dump of `copies` times the sample's households; return how many documents it holds."""
    ids = known_ids(folder)
    target.mkdir(parents=True, exist_ok=True)
    count = 0
    for path in sorted(folder.glob("*.json.gz")):
        name = path.name.removesuffix(".json.gz")
        with gzip.open(target / path.name, "wb", compresslevel=1) as file:
            for document in lines(path):
                staff = name == "users" and document.get("role") != "customer"
                for number in range(1 if name in SHARED or staff else copies):
                    body = document if number == 0 else copied(document, ids, number)
                    file.write(orjson.dumps(body) + b"\n")
                    count += 1
    return count


if __name__ == "__main__":
    print(clone(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
