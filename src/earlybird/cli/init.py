"""`earlybird init`: a business, its owner, and the way in."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from earlybird import wiring
from earlybird.catalog import service as catalog
from earlybird.cli import terminal
from earlybird.cli.terminal import AsJson, DataDir
from earlybird.identity import queries
from earlybird.identity.errors import OwnerNeeded
from earlybird.identity.rules import SIGN_IN_MINUTES
from earlybird.identity.service import grants, links, people
from earlybird.infra.db import lock, transaction
from earlybird.migrations import opening
from earlybird.territory import queries as territory_queries
from earlybird.territory import service as territory

TABLES = wiring.TABLES
"""Every table is known before a row is written: foreign keys point across slices."""


def init(
    business: Annotated[str, typer.Option(help="Name of the business.")] = "My delivery business",
    currency: Annotated[str, typer.Option(help="ISO 4217.")] = "INR",
    country: Annotated[str, typer.Option(help="ISO 3166.")] = "IN",
    zone: Annotated[str, typer.Option(help="IANA time zone.")] = "Asia/Kolkata",
    owner_email: Annotated[str | None, typer.Option(help="The owner; needed the first time.")] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Create the business with depot, shifts, units and access table, and one owner; print a one-time sign-in link.

    A new business begins with every rule on (earlybird steps status). Run again, it creates nothing and prints a new
    link for the owner.

    Exit codes: 0 done, 1 refused, 3 no database.

    Example: earlybird init --business "Sunrise Dairy" --owner-email asha@example.com
    """
    ctx = terminal.context()
    found = terminal.settings(data_dir)
    with terminal.database(data_dir) as engine:
        with transaction(engine) as session:
            lock(session, "earlybird.init")
            made: list[str] = []
            catalog.seed_units(session)
            grants.fill(session, ctx)
            if territory_queries.find_business(session) is None:
                territory.open_business(session, ctx, business, currency=currency, country=country, zone=zone)
                made.append("business")
            owner = queries.find_owner(session)
            if owner is None:
                if owner_email is None:
                    raise OwnerNeeded(field="owner-email")
                people.create_owner(session, ctx, owner_email)
                made.append("owner")
                session.flush()  # the query below reads it back
                owner = queries.find_owner(session)
            facts: dict[str, Any] = dict(owner or {})
            token = links.issue(session, ctx, facts["id"])
        opening.begin_with_the_rules(engine, ctx)
    link = f"http://{found.host}:{found.port}/sign-in/{token}"
    if as_json:
        terminal.answer({"created": made, "owner": facts["email"], "sign_in": link, "minutes": SIGN_IN_MINUTES})
        return
    terminal.console.print(f"[green]✓[/] {'Created ' + ' and '.join(made) if made else 'Nothing to create'}.")
    terminal.console.print(f"Sign {facts['email']} in, once, within {SIGN_IN_MINUTES} minutes (start: earlybird up):")
    typer.echo(link)
