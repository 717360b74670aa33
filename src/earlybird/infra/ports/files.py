"""Where files are kept: a folder of this machine, or a bucket that speaks S3."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from earlybird.infra.settings import Settings
from earlybird.kernel.errors import Invalid, NotFound, Unavailable

NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{64}-[0-9a-f]{16}")
"""A file's name: the SHA-256 of its bytes, in folders by its first digits, and what tells two of them apart."""

DRAFT = re.compile(r"drafts/[0-9a-f]{32}")
"""What a crash may leave in a folder."""

CHUNK = 2**18
PATIENCE = timedelta(seconds=20)


class FileGone(NotFound):
    """There is no file of that name."""


class NotKept(Unavailable):
    """The place where files are kept does not answer; try again in a moment."""


class PlaceMalformed(Invalid):
    """EARLYBIRD_FILES_URL is file:///folder or s3://bucket/prefix; a bucket needs its key and its secret."""


class NameMalformed(Invalid):
    """That is not how files are named."""


class Files(Protocol):
    """Keeps bytes under names that are used once. Whatever fails raises `NotKept`."""

    def put(self, name: str, body: bytes) -> None:
        """Keep a file: when this returns it is whole and on disk, before that there is none of that name."""
        ...

    def get(self, name: str) -> Iterator[bytes]:
        """Return a file in pieces; raise `FileGone` at once where there is none."""
        ...

    def exists(self, name: str) -> bool:
        """Return whether there is a file of that name."""
        ...

    def delete(self, name: str) -> None:
        """Remove a file; one that is gone already is no failure."""
        ...

    def older(self, than: datetime) -> Iterator[str]:
        """Return the names of what has lain there unchanged since before an instant."""
        ...


@dataclass(frozen=True, slots=True)
class FolderFiles:
    """A folder that only its owner can look into."""

    root: Path

    def put(self, name: str, body: bytes) -> None:
        """Write beside, flush, then give it its name: a crash leaves a draft, never half a file."""
        path = self.root / _checked(name)
        draft = self.root / "drafts" / secrets.token_hex(16)
        with _failing():
            for folder in (self.root, draft.parent, path.parent.parent, path.parent):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(body)
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)
            for folder in (path.parent, path.parent.parent, self.root):
                _flush(folder)

    def get(self, name: str) -> Iterator[bytes]:
        """Open the file now, read it as it is asked for."""
        with _failing():
            file = (self.root / _checked(name)).open("rb")

        def pieces() -> Iterator[bytes]:
            with _failing(), file:
                while piece := file.read(CHUNK):
                    yield piece

        return pieces()

    def exists(self, name: str) -> bool:
        """Look for it."""
        return (self.root / _checked(name)).is_file()

    def delete(self, name: str) -> None:
        """Remove it."""
        with _failing():
            (self.root / _checked(name)).unlink(missing_ok=True)

    def older(self, than: datetime) -> Iterator[str]:
        """Walk the folder; drafts that a crash left are told too."""
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = Path(folder, name)
                with contextlib.suppress(FileNotFoundError):
                    found = path.relative_to(self.root).as_posix()
                    if _is_ours(found) and path.stat().st_mtime < than.timestamp():
                        yield found


@dataclass(frozen=True, slots=True)
class BucketFiles:
    """A bucket of anything that speaks S3, under a prefix of its own."""

    store: Any = field(repr=False)

    @classmethod
    def at(
        cls, bucket: str, prefix: str, *, endpoint: str | None, region: str | None, key_id: str, secret: str
    ) -> BucketFiles:
        """Return the bucket; it is asked nothing yet."""
        from obstore.store import S3Store

        named: Any = {"endpoint": endpoint} if endpoint else {}
        return cls(
            S3Store(
                bucket,
                prefix=prefix or None,
                access_key_id=key_id,
                secret_access_key=secret,
                region=region or "us-east-1",
                virtual_hosted_style_request=False,
                **named,
                client_options={
                    "timeout": PATIENCE,
                    "connect_timeout": timedelta(seconds=5),
                    "allow_http": bool(endpoint and endpoint.startswith("http://")),
                },
                retry_config={"max_retries": 2, "retry_timeout": PATIENCE},
            )
        )

    def put(self, name: str, body: bytes) -> None:
        """Send it; the store shows it when it has all of it."""
        import obstore

        with _asking():
            obstore.put(self.store, _checked(name), body)

    def get(self, name: str) -> Iterator[bytes]:
        """Ask for it now, read it as it comes."""
        import obstore

        with _asking():
            answer = obstore.get(self.store, _checked(name))

        def pieces() -> Iterator[bytes]:
            with _asking():
                for piece in answer.stream(min_chunk_size=CHUNK):
                    yield bytes(piece)

        return pieces()

    def exists(self, name: str) -> bool:
        """Ask for its head."""
        import obstore

        try:
            with _asking():
                obstore.head(self.store, _checked(name))
        except FileGone:
            return False
        return True

    def delete(self, name: str) -> None:
        """Remove it."""
        import obstore

        with contextlib.suppress(FileGone), _asking():
            obstore.delete(self.store, _checked(name))

    def older(self, than: datetime) -> Iterator[str]:
        """List the bucket a page at a time."""
        import obstore

        with _asking():
            for page in obstore.list(self.store, chunk_size=1000):
                for found in page:
                    name, changed_at = str(found["path"]), found["last_modified"]
                    if _is_ours(name) and changed_at.astimezone(UTC) < than:
                        yield name


def files(settings: Settings) -> Files:
    """Return where the settings say that files are kept: `files` in the data folder unless told otherwise."""
    if settings.files_url is None:
        return FolderFiles(settings.data_dir / "files")
    try:
        url = urlsplit(settings.files_url)
        if url.scheme == "file" and not url.netloc and url.path.startswith("/"):
            return FolderFiles(Path(unquote(url.path)))
        secret = _secret(settings)
        if url.scheme == "s3" and url.netloc and settings.files_key_id and secret:
            return BucketFiles.at(
                url.netloc,
                url.path.strip("/"),
                endpoint=settings.files_endpoint,
                region=settings.files_region,
                key_id=settings.files_key_id,
                secret=secret,
            )
    except ValueError as failure:
        raise PlaceMalformed(field="files_url") from failure
    raise PlaceMalformed(field="files_url")


def _secret(settings: Settings) -> str | None:
    if settings.files_secret is not None:
        return settings.files_secret.get_secret_value()
    if settings.files_secret_file is None:
        return None
    try:
        return settings.files_secret_file.read_text(encoding="utf-8").strip()
    except OSError as failure:
        raise NotKept(f"The secret of the bucket cannot be read: {failure}", field="files_secret_file") from failure


def _is_ours(name: str) -> bool:
    return bool(NAME.fullmatch(name) or DRAFT.fullmatch(name))


def _checked(name: str) -> str:
    if not _is_ours(name):
        raise NameMalformed(field="name")
    return name


def _flush(folder: Path) -> None:
    """Make a new name in a folder outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _failing() -> Iterator[None]:
    """Tell what the file system says in our own words."""
    try:
        yield
    except FileNotFoundError as failure:
        raise FileGone from failure
    except OSError as failure:
        raise NotKept from failure


@contextlib.contextmanager
def _asking() -> Iterator[None]:
    """Tell what the bucket says in our own words."""
    from obstore.exceptions import BaseError

    try:
        with _failing():
            yield
    except BaseError as failure:
        raise NotKept from failure
