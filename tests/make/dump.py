"""A legacy EarlyBird dump, as small as a test needs it: make.dump.write(folder, users=[{...}], orders=[{...}])."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SAMPLE = Path(__file__).parents[2] / "src" / "earlybird" / "demo" / "dump"
"""The dump that ships with the product."""

SHARED = next(
    (found for above in Path(__file__).parents[2:5] if (found := above / "shared").is_dir()),
    Path(__file__).parents[3] / "shared",
)
"""Where data and truth lie that are not part of the project; tests that need them skip loudly without."""


def oid(number: int) -> dict[str, str]:
    """An `_id` as mongoexport writes it."""
    return {"$oid": f"{number:024x}"}


def write(
    folder: Path, *, packed: bool = False, first_oid: int = 0x1000, **collections: Sequence[dict[str, Any] | bytes]
) -> Path:
    """Write one file per collection, a document per line; bytes stand as they are, a missing `_id` is numbered."""
    folder.mkdir(parents=True, exist_ok=True)
    number = first_oid
    for name, documents in collections.items():
        lines = []
        for document in documents:
            number += 1
            lines.append(document if isinstance(document, bytes) else line({"_id": oid(number)} | document))
        content = b"".join(entry + b"\n" for entry in lines)
        if packed:
            (folder / f"{name}.json.gz").write_bytes(gzip.compress(content))
        else:
            (folder / f"{name}.json").write_bytes(content)
    return folder


def line(document: dict[str, Any]) -> bytes:
    """One document as mongoexport writes it."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
