"""One frozen settings object, read at the edge from `EARLYBIRD_*`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import SecretStr
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

    secret_key: SecretStr | None = None
    """The root secret, at least 32 random bytes in base64 or hex; all web and worker machines share it."""

    secret_key_file: Path | None = None
    """A file that holds it. Without either, one is made in `data_dir`."""

    requests_per_minute: int = 6000
    """How many requests one caller may send to one web process in a minute."""

    write_wait_ms: int = 10_000
    """How long a write waits for one with the same Idempotency-Key that still runs, in milliseconds."""

    public_url: str | None = None
    """How people reach the server, as https://milk.example.com: the start of the links in messages."""

    first_password: SecretStr | None = None
    """The password new logins get instead of an invitation; it must be changed at the first sign-in."""

    message_urls: SecretStr | None = None
    """Where messages go: Apprise URLs separated by spaces, one each for e-mail, SMS, WhatsApp; {to} for the address."""

    checkpoint_file: Path | None = None
    """Where the signed checkpoints of the audit's seals are kept; `audit-checkpoints.jsonl` in `data_dir` otherwise."""

    files_url: str | None = None
    """Where photos are kept: file:///folder or s3://bucket/prefix; `files` in `data_dir` otherwise."""

    files_endpoint: str | None = None
    """The address of an S3-compatible store, as https://store.example.com; Amazon's without it."""

    files_region: str | None = None
    """The region of the bucket; us-east-1 without it."""

    files_key_id: str | None = None
    """The id of the bucket's access key."""

    files_secret: SecretStr | None = None
    """The secret of the bucket's access key."""

    files_secret_file: Path | None = None
    """A file that holds it."""

    password_memory_kib: int = 65536
    """How much memory one password hash (Argon2id) takes; less is only for tests."""

    password_rounds: int = 3
    """How many rounds one password hash takes."""

    webhooks_private: bool = False
    """Whether webhook endpoints may be http and in the own network; only for tests and closed networks."""

    oidc_issuer: str | None = None
    """The OpenID Connect provider people may sign in with, as https://login.example.com; none without it."""

    oidc_client_id: str | None = None
    """What the provider calls this server."""

    oidc_client_secret: SecretStr | None = None
    """The secret it shares with this server."""

    production: bool = False
    """Whether this is the business itself: tables and data are changed only on request, and after a proven backup."""

    backup_dir: Path | None = None
    """The folder that backups go to; `backups` in `data_dir` otherwise."""

    backup_key: SecretStr | None = None
    """The secret that backups are encrypted with, at least 32 random bytes in base64 or hex."""

    backup_key_file: Path | None = None
    """A file that holds it."""

    backup_fresh_hours: int = 24
    """How old, in hours, the proven backup may be that a change in production needs."""
