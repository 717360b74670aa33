"""`earlybird user` and `earlybird invite`: people, and their way in."""

from __future__ import annotations

from typing import Annotated

import typer

from earlybird import wiring
from earlybird.cli import terminal
from earlybird.cli.terminal import AsJson, DataDir
from earlybird.identity import queries, rules
from earlybird.identity.service import invitations, links, users
from earlybird.identity.states import Purpose
from earlybird.infra.db import rehearsal, transaction
from earlybird.infra.security import Keys
from earlybird.infra.settings import Settings

TABLES = wiring.TABLES
"""Every table is known before a row is written: foreign keys point across slices."""

app = typer.Typer(help="People and the roles they hold.", no_args_is_help=True)


@app.command()
def add(
    role: Annotated[
        str, typer.Option(help=f"One of {', '.join(rules.Role)}; delivery_boy and marketing_staff are understood.")
    ],
    email: Annotated[str, typer.Option(help="How they sign in.")],
    customer: Annotated[
        str | None, typer.Option(help="For the role customer: which one, by code (C-7Q4K2M9P) or id.")
    ] = None,
    site: Annotated[
        str | None,
        typer.Option(help="For driver, merchant, warehouse: which site, by name or id; else the only depot."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What they are called; else what stands before the @.")] = None,
    phone: Annotated[str | None, typer.Option(help="As dialled in the country of the business.")] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Give somebody a role, with a login where they have none, and print the link by which they choose a password.

    The link works once, for seven days.

    Exit codes: 0 done, 1 refused, 3 no database.

    Example: earlybird user add --role driver --email prakash@example.com --name Prakash
    """
    ctx = terminal.context()
    address = rules.email(email)
    wanted = rules.role(role)
    with terminal.database(data_dir) as engine, transaction(engine) as session:
        site_id = queries.place_named(session, "sites", site) if site else None
        customer_id = queries.place_named(session, "customers", customer) if customer else None
        found = queries.find_user(session, address)
        if found is None:
            found = users.create(
                session,
                ctx,
                name=name or address.partition("@")[0],
                role=wanted,
                email=address,
                phone=phone,
                site_id=site_id,
                customer_id=customer_id,
            )
        else:
            users.join(session, ctx, found, wanted, site_id=site_id, customer_id=customer_id)
            users.change(session, ctx, found, **{"name": name} if name else {}, **{"phone": phone} if phone else {})
        token = links.issue(session, ctx, found, purpose=Purpose.invitation)
    link = f"{_site(terminal.settings(data_dir))}/sign-in/{token}"
    if as_json:
        terminal.answer(
            {"user_id": found, "email": address, "role": wanted, "invitation": link, "days": rules.INVITATION_DAYS}
        )
        return
    terminal.console.print(f"[green]✓[/] {address} is {wanted}. They choose a password within seven days:")
    typer.echo(link)


def invite(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count who would be invited; send nothing.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Invite so many and no more.")] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Invite every login that nobody has written to yet, in waves: by e-mail, by SMS where there is only a phone.

    Made-up addresses (.local, .example) get nothing. Interrupted or run again, nobody is invited twice. The messages
    are sent by the worker; the links start with EARLYBIRD_PUBLIC_URL and work once, for seven days.

    Exit codes: 0 done, 3 no database or secret key.

    Example: earlybird invite --limit 500
    """
    ctx = terminal.context()
    settings = terminal.settings(data_dir)
    keys = Keys.read(settings)
    with terminal.database(data_dir) as engine:
        with rehearsal(engine) as session:
            before = queries.waiting(session)
        reachable = before["email"] + before["sms"]
        wanted = reachable if limit is None else min(limit, reachable)
        sent = {"email": 0, "sms": 0}
        last, is_over = None, dry_run
        while not is_over and sum(sent.values()) < wanted:
            left = wanted - sum(sent.values())
            with transaction(engine) as session:
                wave = invitations.invite(session, ctx, keys, after=last, limit=left, site=_site(settings))
            sent = {channel: count + wave.sent.get(channel, 0) for channel, count in sent.items()}
            last, is_over = wave.last, wave.last is None
        with rehearsal(engine) as session:
            after = queries.waiting(session)
    count = wanted if dry_run else sum(sent.values())
    facts = {
        "dry_run": dry_run,
        "invited": 0 if dry_run else count,
        "would_invite": wanted,
        "email": sent["email"],
        "sms": sent["sms"],
        "waiting": after["email"] + after["sms"],
        "unreachable": after["unreachable"],
    }
    if as_json:
        terminal.answer(facts)
        return
    if dry_run:
        typer.echo(
            f"{wanted} would be invited ({before['email']} can be written to, {before['sms']} have a phone only)."
        )
    else:
        typer.echo(f"{count} invited: {sent['email']} by e-mail, {sent['sms']} by SMS.")
    typer.echo(f"{facts['waiting']} wait, {facts['unreachable']} cannot be reached.")


def _site(settings: Settings) -> str:
    return str(settings.public_url or f"http://{settings.host}:{settings.port}").rstrip("/")
