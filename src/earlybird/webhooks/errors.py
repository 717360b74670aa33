"""What can be wrong with an endpoint."""

from earlybird.kernel.errors import Conflict, Invalid, NotFound


class NoSuchEndpoint(NotFound):
    """There is no such webhook endpoint."""


class NoSuchEvent(NotFound):
    """There is no such event, or it is too old to be kept."""


class BadUrl(Invalid):
    """An endpoint's URL is https://host/path on the public internet, without user, password or fragment."""


class OneOrSince(Invalid):
    """What is sent again is one event, or all since an instant; not both."""


class EndpointDisabled(Conflict):
    """The endpoint is disabled; enable it first."""
