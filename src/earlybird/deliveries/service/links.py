"""Shared links: made, renewed and revoked by the office, opened by whoever holds one."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.audit.states import Severity
from earlybird.deliveries import errors, rules
from earlybird.deliveries.models import LinkUse, SharedLink
from earlybird.deliveries.queries import links as queries
from earlybird.deliveries.states import LinkAction
from earlybird.identity.errors import TooManyTries
from earlybird.identity.rules import fingerprint
from earlybird.identity.service import throttle
from earlybird.infra.security import Keys
from earlybird.kernel import ids
from earlybird.kernel.clock import at_local, business_day
from earlybird.kernel.ctx import Actor, Ctx, Reach

MARK = "ebl_"
"""How the access token of an opened link begins."""

PIN_PURPOSE = "link pin"
DEVICE_PURPOSE = "link device"
GUESSED = "link_pin_guessed"


@dataclass(frozen=True, slots=True)
class Made:
    """A link and its token, which is kept nowhere."""

    id: UUID
    expires_at: datetime
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Opened:
    """An opened link: its access token and until when it is good, and the key by which the device is known again."""

    link_id: UUID
    access_ends_at: datetime
    access_token: str = field(repr=False)
    device_key: str = field(repr=False)


def create(
    session: Session,
    ctx: Ctx,
    keys: Keys,
    *,
    round_id: UUID | None = None,
    order_id: UUID | None = None,
    name: str | None = None,
    first_on: date | None = None,
    last_on: date | None = None,
    actions: Sequence[str] = tuple(LinkAction),
    expires_at: datetime | None = None,
    pin: str | None = None,
    max_uses: int | None = None,
    shows_phones: bool = False,
) -> Made:
    """Open one round, or one order, to a helper: on its service date, until that day ends where the site is.

    `max_uses` is how many devices may open it. The token is in the answer and nowhere else.
    """
    if (round_id is None) == (order_id is None):
        raise errors.ScopeNotNamed(field="round_id")
    if pin is not None and not rules.PIN.fullmatch(pin):
        raise errors.PinUnfit(field="pin")
    if LinkAction.see not in actions:
        raise errors.LinkActionsUnfit(field="actions")
    if round_id is not None:
        found = queries.round_of(session, round_id)
        if found is None:
            raise errors.RoundUnknown(field="round_id", round_id=round_id)
    else:
        assert order_id is not None  # noqa: S101  # one of the two
        found = queries.order_of(session, order_id)
        if found is None:
            raise errors.OrderUnknown(field="order_id", order_id=order_id)
    served_on = found["service_on"]
    first, last = first_on or served_on or last_on, last_on or served_on or first_on
    if first is None or last is None:
        raise errors.LinkDaysUnfit(field="first_on")
    rules.check_days(
        first,
        last,
        served_on=served_on if round_id is not None else None,
        today=business_day(ctx.now, found["zone"]),
    )
    key = ids.new_id()
    return _write(
        session,
        ctx,
        SharedLink(
            id=key,
            first_id=key,
            name=name or found["name"],
            site_id=found["site_id"],
            round_id=round_id,
            order_id=order_id,
            first_on=first,
            last_on=last,
            actions=[action for action in LinkAction if action in actions],
            shows_phones=shows_phones,
            pin_mac=_pin_mac(keys, key, pin) if pin is not None else None,
            max_uses=max_uses,
            expires_at=expires_at or _end_of(last, found["zone"]),
        ),
    )


def renew(session: Session, ctx: Ctx, link_id: UUID) -> Made:
    """Make the link of the assignment's next day: the same in all but its days, its end and its token.

    The link itself ends when it was to end. One that was made for that next day before ends now.
    """
    old = queries.get_for_update(session, link_id)
    if old.round_id is None or old.revoked_at is not None:
        raise errors.NotRenewable(field="link_id")
    zone = queries.site_zone(session, old.site_id)
    found = queries.next_round(session, old.round_id, business_day(ctx.now, zone))
    if found is None:
        raise errors.NotRenewable(field="link_id")
    for other in queries.living_of(session, ctx, old.first_id, found["id"]):
        _end(session, ctx, other, "renewed")
    day = found["service_on"]
    return _write(
        session,
        ctx,
        SharedLink(
            id=ids.new_id(),
            first_id=old.first_id,
            name=old.name,
            site_id=old.site_id,
            round_id=found["id"],
            first_on=day,
            last_on=day,
            actions=old.actions,
            shows_phones=old.shows_phones,
            pin_mac=old.pin_mac,
            max_uses=old.max_uses,
            expires_at=_end_of(day, zone),
        ),
    )


def revoke(session: Session, ctx: Ctx, link_id: UUID, *, reason: str) -> None:
    """End a link at once, whoever has it open; one that was revoked stays as it is."""
    link = queries.get_for_update(session, link_id)
    if link.revoked_at is None:
        _end(session, ctx, link, reason)


def open_link(
    session: Session, ctx: Ctx, keys: Keys, *, token: str, pin: str | None = None, device_key: str | None = None
) -> Opened | errors.LinkClosed:
    """Open a link for some minutes: one use for each device, which is known again by its key and then needs no PIN.

    A link that is unknown, expired, revoked or used up, and a missing or wrong PIN, are refused in the same words; a
    wrong one is counted, so its refusal is returned, not raised.
    """
    link = queries.find_for_update(session, token)
    if link is None or link.revoked_at is not None or link.expires_at <= ctx.now:
        raise errors.LinkClosed
    device_key = device_key or secrets.token_urlsafe(32)
    device_hash = fingerprint(f"{link.id} {device_key}")
    use = queries.find_use(session, device_hash)
    if use is None:
        if link.max_uses is not None and link.use_count >= link.max_uses:
            raise errors.LinkClosed
        if link.pin_mac is not None and pin is None:
            raise errors.LinkClosed
        if link.pin_mac is not None and not _has_pin(session, ctx, keys, link, pin or ""):
            return errors.LinkClosed()
    access = MARK + secrets.token_urlsafe(32)
    ends_at = min(ctx.now + timedelta(minutes=rules.ACCESS_MINUTES), link.expires_at)
    if use is None:
        link.use_count += 1
        use = LinkUse(
            id=ids.new_id(),
            link_id=link.id,
            device_hash=device_hash,
            opened_at=ctx.now,
            open_count=0,
            address=ctx.address,
            device=ctx.device,
        )
        session.add(use)
    use.access_hash, use.access_ends_at = fingerprint(access), ends_at
    use.last_opened_at, use.open_count = ctx.now, use.open_count + 1
    session.flush()  # so that what reads next sees it open
    said = {"use_id": str(use.id), "open_count": use.open_count}
    audit.record(session, acting(ctx, link), "links.open", "shared_link", link.id, after=said)
    return Opened(link.id, ends_at, access, device_key)


def enter(session: Session, ctx: Ctx, keys: Keys, *, token: str, wanted: LinkAction) -> Ctx:
    """Return the circumstances with a link as who acts, for an old app: it sends the token each time, and no PIN.

    A device is known by its network address and its name. What does not open is refused as in `open_link`.
    """
    link = queries.find_for_update(session, token)
    if link is None or link.pin_mac is not None or wanted not in link.actions:
        raise errors.LinkClosed
    open_link(session, ctx, keys, token=token, device_key=keys.mac(DEVICE_PURPOSE, f"{ctx.address} {ctx.device}"))
    return acting(ctx, link)


def acting(ctx: Ctx, link: SharedLink) -> Ctx:
    """Return the circumstances with the link as who acts: it reaches its round or order, and nothing else."""
    return as_link(ctx, link.id, link.name, round_id=link.round_id, order_id=link.order_id)


def as_link(ctx: Ctx, link_id: UUID, name: str, *, round_id: UUID | None, order_id: UUID | None) -> Ctx:
    """Return the circumstances with a link as who acts."""
    reach = Reach(role="link", scope="link", round_id=round_id, order_id=order_id)
    return replace(ctx, actor=Actor(kind="link", name=name, role="link", id=link_id, reaches=(reach,)), via="link")


def _write(session: Session, ctx: Ctx, link: SharedLink) -> Made:
    rules.check_end(link.expires_at, ctx.now)
    token = secrets.token_urlsafe(32)
    link.token_hash = fingerprint(token)
    link.made_at, link.made_by = ctx.now, ctx.actor.name
    session.add(link)
    session.flush()  # so that what reads next sees it
    names = ("name", "round_id", "order_id", "first_on", "last_on", "actions", "max_uses", "shows_phones", "expires_at")
    said = audit.plain({name: getattr(link, name) for name in names} | {"has_pin": link.pin_mac is not None})
    audit.record(session, ctx, "links.create", "shared_link", link.id, after=said)
    return Made(link.id, link.expires_at, token)


def _end(session: Session, ctx: Ctx, link: SharedLink, reason: str) -> None:
    link.revoked_at, link.revoked_reason = ctx.now, reason
    session.flush()  # so that what reads next sees it ended
    audit.record(session, ctx, "links.revoke", "shared_link", link.id, reason=reason)


def _has_pin(session: Session, ctx: Ctx, keys: Keys, link: SharedLink, pin: str) -> bool:
    """Count a try of the PIN and say whether it is right; while its address has to wait, no PIN is looked at."""
    place = [throttle.of_link(ctx, keys, link.id)]
    try:
        throttle.count(session, ctx, place)
    except TooManyTries:
        return False
    if hmac.compare_digest(_pin_mac(keys, link.first_id, pin), str(link.pin_mac)):
        throttle.forgive(session, ctx, place)
        return True
    link.wrong_pin_count += 1
    audit.record(session, acting(ctx, link), "links.refuse_pin", "shared_link", link.id)
    if link.wrong_pin_count >= rules.MOST_WRONG_PINS:
        _end(session, acting(ctx, link), link, "too many wrong PINs")
        audit.report(
            session,
            ctx,
            GUESSED,
            str(link.id),
            f"The link “{link.name}” got {link.wrong_pin_count} wrong PINs and was ended.",
            severity=Severity.warning,
        )
    return False


def _pin_mac(keys: Keys, first_id: UUID, pin: str) -> str:
    """Return what is kept of a PIN: its fingerprint under the server's key, without which its digits tell nothing."""
    return keys.mac(PIN_PURPOSE, f"{first_id} {pin}")


def _end_of(day: date, zone: str) -> datetime:
    return at_local(day + timedelta(days=1), time(0), zone)
