"""`earlybird openapi`: the description of the API, for whoever builds on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer

from earlybird.cli import terminal


def openapi(
    out: Annotated[Path | None, typer.Option("--out", help="Write it to this file instead of standard output.")] = None,
) -> None:
    """Print the OpenAPI 3.1 document of the API; no database is needed.

    Exit codes: 0 done, 3 the file cannot be written.

    Example: earlybird openapi --out openapi.json
    """
    from earlybird.main import description_of_the_api

    found = description_of_the_api()
    if out is None:
        terminal.answer(found)
    else:
        out.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
