"""`earlybird token`: an access token for a script."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

import typer

from earlybird import wiring
from earlybird.cli import terminal
from earlybird.cli.terminal import AsJson, DataDir
from earlybird.identity import queries
from earlybird.identity.errors import LifeOutOfRange
from earlybird.identity.service import people, sessions
from earlybird.infra.db import transaction
from earlybird.infra.security import Keys

TABLES = wiring.TABLES
"""Every table is known before a row is written: foreign keys point across slices."""

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def token(
    user: Annotated[str, typer.Option(help="Whose: an e-mail address or an id.")],
    ttl: Annotated[str, typer.Option(help="How long it lives: 90s, 10m, 8h, 1d at most.")] = "1h",
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Print an access token that acts as a user, for scripts; that it was made is kept in the audit.

    It is good for its time and no longer, and ends with `earlybird` knowing of it: as a session of the user.

    Exit codes: 0 done, 1 no such user or a time out of range, 3 no database.

    Example: earlybird token --user asha@example.com --ttl 8h
    """
    ctx = terminal.context()
    life = _life(ttl)
    keys = Keys.read(terminal.settings(data_dir))
    with terminal.database(data_dir) as engine, transaction(engine) as session:
        person = people.get_for_update(session, queries.who_is(session, user))
        made = sessions.open_script(session, ctx, keys, person, life=life)
    if as_json:
        terminal.answer({"access_token": made, "token_type": "bearer", "expires_in": int(life.total_seconds())})
        return
    typer.echo(made)


def _life(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,6})([smhd]?)", text.strip())
    if found is None:
        raise LifeOutOfRange(field="ttl")
    return timedelta(seconds=int(found[1]) * UNITS[found[2] or "s"])
