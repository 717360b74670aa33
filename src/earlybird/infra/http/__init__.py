"""The HTTP edge: one thread hop and one transaction per request, failures as problem+json, safe headers."""

from earlybird.infra.http.doors import PLANS, PUBLIC, SAFE_METHODS, Caller, anybody, circumstances, door, etag
from earlybird.infra.http.edge import Edge, clock, install
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

__all__ = [
    "PLANS",
    "PROBLEMS",
    "PROBLEM_SCHEMA",
    "PUBLIC",
    "SAFE_METHODS",
    "STATUS",
    "Caller",
    "Edge",
    "Limiter",
    "anybody",
    "as_json",
    "circumstances",
    "clock",
    "door",
    "etag",
    "install",
    "problem",
    "refusal",
    "speaks_json",
]
