"""Logs: one JSON object a line on standard error, with the trace; never the values of variables."""

from __future__ import annotations

import sys

import structlog


def configure() -> None:
    """Set up logging for a process. Tracebacks show where, not what: local variables may hold secrets."""
    is_person = sys.stderr.isatty()
    show = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if is_person else [structlog.processors.format_exc_info]),
            show if is_person else structlog.processors.JSONRenderer(default=str),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
