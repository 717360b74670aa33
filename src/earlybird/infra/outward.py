"""Requests to hosts that others named: pinned to a public address, no redirects, no proxy, certificates checked."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import certifi
import httpx

from earlybird.kernel.errors import Unavailable
from earlybird.kernel.internet import is_private

TIMEOUT = httpx.Timeout(10, connect=5)


class NotReached(Unavailable):
    """The host did not answer."""


@cache
def _trusted() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


@dataclass(frozen=True, slots=True)
class Outward:
    """Sends requests outward; `private` allows addresses of the own network. Its certificates are read once."""

    private: bool = False
    trusted: ssl.SSLContext = field(default_factory=_trusted, repr=False)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Post a body and return the status of the answer, whose body is not read; raise `NotReached` without one.

        The name is resolved once and the request goes to that very address, so that a name which changes between
        the check and the connection leads nowhere.
        """
        wanted = httpx.URL(url)
        address = self._address(wanted.host, wanted.port or (443 if wanted.scheme == "https" else 80))
        try:
            with (
                httpx.Client(verify=self.trusted, trust_env=False, follow_redirects=False, timeout=TIMEOUT) as client,
                client.stream(
                    "POST",
                    wanted.copy_with(host=address),
                    content=body,
                    headers={**headers, "host": wanted.netloc.decode()},
                    extensions={"sni_hostname": wanted.host},
                ) as answer,
            ):
                return answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as failure:
            raise NotReached(_reason(failure)) from failure

    def _address(self, host: str, port: int) -> str:
        try:
            found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except (OSError, UnicodeError) as failure:
            raise NotReached("The host's name does not resolve.") from failure
        if not self.private and any(is_private(address) for address in found):
            raise NotReached("The host's name leads into a private network.")
        return found[0]


def _reason(failure: Exception) -> str:
    if isinstance(failure, httpx.TimeoutException):
        return "The host did not answer in time."
    if "CERTIFICATE_VERIFY_FAILED" in str(failure):
        return "The host's certificate is not trusted."
    return "The host refused or broke off the connection."
