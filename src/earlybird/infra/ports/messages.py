"""Messages to people: e-mail, SMS and WhatsApp through the gateways the settings name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote

from earlybird.kernel.errors import Invalid, Unavailable

PLACE = "{to}"
"""Stands in a gateway's URL where the address goes."""

MAILERS = frozenset({"mailto", "mailtos", "ses", "sendgrid", "mailgun", "sparkpost", "smtp2go", "resend", "brevo"})
"""The schemes that carry e-mail; WhatsApp's own carries WhatsApp; every other one is a gateway for SMS."""

CHANNELS = frozenset({"email", "sms", "whatsapp"})
"""What a URL may begin with, and a plus, to say which channel a gateway is for: whatsapp+jsons://…"""


class NotSent(Unavailable):
    """The gateway refused the message or did not answer."""


class GatewayMalformed(Invalid):
    """A message URL is an Apprise URL with {to} where the address goes, one for each of e-mail, SMS and WhatsApp."""


class Messages(Protocol):
    """Sends one message. `channels` are those it can carry: messages for others wait."""

    @property
    def channels(self) -> frozenset[str]:
        """The channels (`email`, `sms`, `whatsapp`) that have a gateway."""
        ...

    def send(self, channel: str, address: str, subject: str, body: str) -> None:
        """Hand a message to the gateway; raise `NotSent` where it is not taken."""
        ...


@dataclass(frozen=True, slots=True)
class NoMessages:
    """No gateway is configured: every message waits."""

    channels: frozenset[str] = frozenset()

    def send(self, channel: str, address: str, subject: str, body: str) -> None:  # noqa: ARG002
        """Refuse: there is nobody to hand it to."""
        raise NotSent


@dataclass(frozen=True, slots=True)
class KeptMessages:
    """A gateway that only keeps what it is given, for tests and rehearsals."""

    sent: list[tuple[str, str, str, str]] = field(default_factory=list)
    channels: frozenset[str] = CHANNELS

    def send(self, channel: str, address: str, subject: str, body: str) -> None:
        """Keep it."""
        self.sent.append((channel, address, subject, body))


@dataclass(frozen=True, slots=True)
class AppriseMessages:
    """Gateways by Apprise URL, one per channel. The URLs hold passwords, so they never show in a repr."""

    gateways: Mapping[str, str] = field(repr=False)

    @classmethod
    def read(cls, urls: str) -> AppriseMessages:
        """Return the gateways of URLs separated by spaces; refuse one that Apprise would not take."""
        gateways: dict[str, str] = {}
        for url in urls.split():
            channel, plain = _channel(url)
            if PLACE not in plain or channel in gateways or not _taken(plain, "15550100123"):
                raise GatewayMalformed(field="message_urls", channel=channel)
            gateways[channel] = plain
        return cls(gateways)

    @property
    def channels(self) -> frozenset[str]:
        """The channels that have a gateway."""
        return frozenset(self.gateways)

    def send(self, channel: str, address: str, subject: str, body: str) -> None:
        """Hand a message to the channel's gateway (it has a few seconds); raise `NotSent` where it is not taken."""
        import apprise

        sender = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
        if channel not in self.gateways or not sender.add(_addressed(self.gateways[channel], address)):
            raise NotSent
        try:
            taken = sender.notify(body=body, title=subject, body_format=apprise.NotifyFormat.TEXT)
        except (OSError, TypeError, ValueError) as failure:
            raise NotSent from failure
        if not taken:
            raise NotSent


def _channel(url: str) -> tuple[str, str]:
    """Return which channel a gateway's URL is for, and the URL as Apprise knows it."""
    scheme = url.partition("://")[0].lower()
    named, plus, _ = scheme.partition("+")
    if plus and named in CHANNELS:
        return named, url[len(named) + 1 :]
    if scheme in MAILERS:
        return "email", url
    return ("whatsapp" if scheme == "whatsapp" else "sms"), url


def _addressed(url: str, address: str) -> str:
    return url.replace(PLACE, quote(re.sub(r"\s", "", address), safe=""))


def _taken(url: str, address: str) -> bool:
    import apprise

    if url.partition("://")[0].lower() in MAILERS:
        address = "somebody@example.com"
    return bool(apprise.Apprise().add(_addressed(url, address)))
