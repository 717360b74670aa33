"""Bodies that are no JSON: taken in bounded, and worked on by threads that serve nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from earlybird.kernel.errors import Invalid, TooLarge, Unavailable

T = TypeVar("T")

MOST = 64
"""How many uploads one process has in hand; their bodies are in memory."""

WORKERS = 4
SECONDS = 300.0
"""How long a body may take to come."""


class TooManyUploads(Unavailable):
    """Too many uploads at this moment; try again in a moment."""


class TooSlow(Invalid):
    """The body did not come within five minutes."""


class CutOff(Invalid):
    """The body was cut off."""


class MediaTypeUnknown(Invalid):
    """That Content-Type is not taken here."""


class Uploads:
    """The uploads of one process: so many in hand, so many worked on."""

    def __init__(self, most: int = MOST, seconds: float = SECONDS) -> None:
        self.most = most
        self.seconds = seconds
        self.in_hand = 0
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="uploads")

    async def take(self, request: Request, *, kinds: frozenset[str], largest: int, work: Callable[[bytes], T]) -> T:
        """Return what `work` makes of the body, in a thread of its own.

        The body is refused as soon as it is known to be larger than `largest` bytes, or of none of the media `kinds`.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in kinds:
            raise MediaTypeUnknown(field="Content-Type", allowed=sorted(kinds))
        if int(request.headers.get("content-length", "0")) > largest:  # the edge saw that it is a number
            raise TooLarge(largest=largest)
        if self.in_hand >= self.most:
            raise TooManyUploads
        self.in_hand += 1
        try:
            body = await self._read(request, largest)
            request.state.taken = body
            return await asyncio.wrap_future(self._workers.submit(work, body))
        finally:
            self.in_hand -= 1

    async def _read(self, request: Request, largest: int) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(self.seconds):
                async for piece in request.stream():
                    body += piece
                    if len(body) > largest:
                        raise TooLarge(largest=largest)
        except TimeoutError as failure:
            raise TooSlow from failure
        except ClientDisconnect as failure:
            raise CutOff from failure
        return bytes(body)
