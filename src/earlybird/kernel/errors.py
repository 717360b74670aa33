"""The kinds of failure; a slice subclasses a kind and its docstring is the message."""

from __future__ import annotations

from typing import Any, ClassVar


class Failure(Exception):
    """Something was refused."""

    kind: ClassVar[str] = "failure"

    def __init__(self, message: str | None = None, /, *, field: str | None = None, **facts: Any) -> None:
        self.message = message or (type(self).__doc__ or "Refused.").strip().splitlines()[0]
        self.field = field
        self.facts = facts
        super().__init__(self.message)

    def __str__(self) -> str:
        """Return the message, with the field in front and the facts behind."""
        text = f"{self.field}: {self.message}" if self.field else self.message
        if self.facts:
            text += " (" + ", ".join(f"{name}={value}" for name, value in self.facts.items()) + ")"
        return text


class Invalid(Failure):
    """The input breaks a rule."""

    kind = "invalid"


class Forbidden(Failure):
    """This actor may not do that."""

    kind = "forbidden"


class NotFound(Failure):
    """There is no such thing."""

    kind = "not_found"


class Conflict(Failure):
    """The present state does not allow that."""

    kind = "conflict"


class Stale(Conflict):
    """That was changed since it was read; read it again and decide anew."""

    kind = "stale"


class TooLarge(Invalid):
    """That is larger than what is taken."""

    kind = "too_large"


class TooMany(Failure):
    """Too many requests; wait as long as Retry-After says."""

    kind = "too_many"


class Unavailable(Failure):
    """A part we depend on does not answer; trying again later may help."""

    kind = "unavailable"
