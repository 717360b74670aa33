"""The HTTP edge: one thread hop and one transaction per request, failures as problem+json, safe headers."""

from earlybird.infra.http.doors import (
    PLANS,
    PUBLIC,
    SAFE_METHODS,
    Asked,
    Caller,
    Refused,
    anybody,
    beforehand,
    circumstances,
    door,
    etag,
)
from earlybird.infra.http.edge import Edge, clock, install
from earlybird.infra.http.gathering import Gatherer
from earlybird.infra.http.limits import Limiter
from earlybird.infra.http.problems import (
    PROBLEM_SCHEMA,
    PROBLEMS,
    STATUS,
    as_json,
    problem,
    refusal,
    speaks_json,
)
from earlybird.infra.http.uploads import Uploads

__all__ = [
    "PLANS",
    "PROBLEMS",
    "PROBLEM_SCHEMA",
    "PUBLIC",
    "SAFE_METHODS",
    "STATUS",
    "Asked",
    "Caller",
    "Edge",
    "Gatherer",
    "Limiter",
    "Refused",
    "Uploads",
    "anybody",
    "as_json",
    "beforehand",
    "circumstances",
    "clock",
    "door",
    "etag",
    "install",
    "problem",
    "refusal",
    "speaks_json",
]
