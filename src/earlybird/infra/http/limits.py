"""How often one caller may ask."""

from __future__ import annotations

import hashlib
import math
import time

import limits
import limits.storage
import limits.strategies
from fastapi import Request


class Limiter:
    """How often one caller may ask one process: so many requests in any minute, by credential or address."""

    def __init__(self, per_minute: int) -> None:
        self._item = limits.RateLimitItemPerMinute(per_minute)
        self._window = limits.strategies.SlidingWindowCounterRateLimiter(limits.storage.MemoryStorage())

    def wait(self, credential: str | None, request: Request, *, per_minute: int | None = None) -> int:
        """Count one request; return 0, or how many seconds its caller has to wait (with `per_minute` of its own)."""
        item = self._item if per_minute is None else limits.RateLimitItemPerMinute(per_minute)
        caller = hashlib.sha256(credential.encode()).hexdigest() if credential else ""
        name = caller or (request.client.host if request.client else "")
        if self._window.hit(item, name):
            return 0
        return max(1, math.ceil(self._window.get_window_stats(item, name).reset_time - time.time()))
