"""One frozen settings object, read at the edge from `EARLYBIRD_*`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What the machine needs to know. Business rules (cut-offs, fees, zones) are rows, not settings."""

    model_config = SettingsConfigDict(env_prefix="EARLYBIRD_", frozen=True, extra="ignore")

    database_url: str | None = None
    """A PostgreSQL ≥ 15; without it the embedded one in `data_dir` is used."""

    data_dir: Path = Path("data")
    """Where the embedded database, files and checkpoints live."""

    host: str = "127.0.0.1"
    """The address the web server binds; only this machine unless told otherwise."""

    port: int = 8000
    """The port the web server binds."""

    now: datetime | None = None
    """A fixed instant (with offset) instead of the clock, for rehearsals."""
