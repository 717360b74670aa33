"""The words of each kind of message, who is told when and how, and when a failed one is tried again."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from string import Template
from zoneinfo import ZoneInfo

from earlybird.kernel.clock import at_local
from earlybird.notifications.errors import FactMissing
from earlybird.notifications.rules import in_chinese, in_english, in_hindi, in_telugu
from earlybird.notifications.states import Channel, MessageKind

UNREAD = frozenset({"local", "example", "test", "invalid"})
"""Top-level names that no mail server answers for (RFC 2606, RFC 6762) and that made-up addresses end in."""

FALLBACK = "en"

LEASE = timedelta(minutes=1)
"""How long a sender has for the batch it took, before another may take it."""

WAITS = tuple(timedelta(seconds=seconds) for seconds in (15, 60, 5 * 60, 15 * 60, 3600, 3 * 3600, 6 * 3600, 12 * 3600))
"""How long after each failed try the next one comes; after the last the message has failed."""

K = MessageKind

WORDS: Mapping[tuple[MessageKind, str], tuple[str, str]] = {
    (kind, language): said
    for language, words in (
        ("en", in_english.WORDS),
        ("hi", in_hindi.WORDS),
        ("te", in_telugu.WORDS),
        ("zh", in_chinese.WORDS),
    )
    for kind, said in words.items()
}
"""Subject and body by kind and language. A subject never holds a code or a link: it is kept, the body is wiped."""

LIFE: Mapping[MessageKind, timedelta] = {
    K.order_confirmed: timedelta(days=1),
    K.out_for_delivery: timedelta(hours=3),
    K.delivered: timedelta(days=1),
    K.partially_delivered: timedelta(days=2),
    K.not_delivered: timedelta(days=2),
    K.pause_set: timedelta(days=2),
    K.pause_open: timedelta(days=2),
    K.pause_ended: timedelta(days=2),
    K.bill_issued: timedelta(days=7),
    K.payment_received: timedelta(days=7),
    K.payment_reminder: timedelta(days=2),
}
"""How long after it happened a fact is still worth telling. These are the kinds customers are told by themselves."""

ALWAYS = frozenset({K.bill_issued})
"""Of those, what nobody can opt out of: who owes is told what and until when."""

OPTIONAL = frozenset(LIFE) - ALWAYS

WAYS = (Channel.whatsapp, Channel.sms, Channel.email)
"""Which channel is taken where the customer prefers none, the first that has an address and a gateway."""

IN_INDIA = {"en": "en_IN"}
DAY = re.compile(r"\d{4}-\d\d-\d\d")
AMOUNT = re.compile(r"(-?\d+(?:\.\d+)?) ([A-Z]{3})")


def words(kind: MessageKind, language: str, facts: Mapping[str, object]) -> tuple[str, str]:
    """Return subject and body in that language, else in English; refuse a message that lacks a fact.

    Facts are one line each, so that none can add a header or a paragraph. Dates (2026-01-19) and amounts
    (1234.50 INR) are written as the language writes them.
    """
    spoken = language.lower().partition("-")[0]
    spoken = spoken if (kind, spoken) in WORDS else FALLBACK
    subject, body = WORDS[kind, spoken]
    plain = {name: _shown(str(fact), spoken) for name, fact in facts.items()}
    try:
        return Template(subject).substitute(plain), Template(body).substitute(plain)
    except KeyError as failure:
        raise FactMissing(field=str(failure.args[0]), kind=str(kind)) from failure


def _shown(fact: str, language: str) -> str:
    from babel.dates import format_date
    from babel.numbers import format_currency

    line = re.sub(r"\s+", " ", fact).strip()
    locale = IN_INDIA.get(language, language)
    if DAY.fullmatch(line):
        return format_date(date.fromisoformat(line), "medium", locale=locale)
    if amount := AMOUNT.fullmatch(line):
        return format_currency(Decimal(amount[1]), amount[2], locale=locale)
    return line


def is_unread(channel: Channel, address: str) -> bool:
    """Say whether nobody can read mail at that address, so that none is sent."""
    return channel == Channel.email and address.strip().rstrip(".").lower().rpartition(".")[2] in UNREAD


def wait(tries: int) -> timedelta | None:
    """Return how long after the n-th failed try the next comes (n from 1); None when that was the last."""
    return WAITS[tries - 1] if tries <= len(WAITS) else None


def is_wanted(kind: MessageKind, *, is_silent: bool, opted_out: Collection[str]) -> bool:
    """Say whether a customer who is not to be disturbed, or opted out of some kinds, is told of this."""
    return kind in ALWAYS or not (is_silent or kind in opted_out)


def way(
    addresses: Mapping[Channel, str | None], channels: Collection[str], preferred: str | None
) -> tuple[Channel, str] | None:
    """Return by which channel and address somebody is reached: the preferred one first, None where there is none."""
    for channel in sorted(WAYS, key=lambda one: one != preferred):
        address = addresses.get(channel)
        if address and channel in channels and not is_unread(channel, address):
            return channel, address
    return None


def not_before(now: datetime, zone: str, *, quiet_from: int, quiet_until: int) -> datetime:
    """Return when somebody in `zone` may be written to: now, or the end of the quiet hours that now lies in.

    Quiet hours run from one full hour to another, across midnight where the first is the later; none where both
    are the same.
    """
    local = now.astimezone(ZoneInfo(zone))
    is_across = quiet_from > quiet_until
    is_evening, is_morning = local.hour >= quiet_from, local.hour < quiet_until
    is_quiet = (is_evening or is_morning) if is_across else (is_evening and is_morning)
    if not is_quiet:
        return now
    day = local.date() + timedelta(days=1 if is_across and is_evening else 0)
    if quiet_until == 24:  # noqa: PLR2004  # midnight
        return at_local(day + timedelta(days=1), time(0), zone)
    return at_local(day, time(quiet_until), zone)
