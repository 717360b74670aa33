"""Where files are kept: a folder and a bucket hold to the same promises."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from earlybird.infra.ports.files import (
    BucketFiles,
    FileGone,
    Files,
    FolderFiles,
    NameMalformed,
    NotKept,
    PlaceMalformed,
)
from earlybird.infra.ports.files import files as chosen
from earlybird.infra.settings import Settings
from make.places import bucket, files

__all__ = ["bucket", "files"]


def named(body: bytes) -> str:
    digest = hashlib.sha256(body).hexdigest()
    return f"{digest[:2]}/{digest[2:4]}/{digest}-{uuid4().hex[:16]}"


def test_what_was_put_is_there_until_it_is_deleted(files: Files) -> None:
    body = os.urandom(700_000)
    name = named(body)
    assert not files.exists(name)
    with pytest.raises(FileGone):
        files.get(name)
    files.put(name, body)
    assert files.exists(name)
    assert b"".join(files.get(name)) == body
    assert len(list(files.get(name))) > 1
    files.delete(name)
    files.delete(name)
    assert not files.exists(name)


def test_what_lies_there_for_long_is_told_and_what_is_new_is_not(files: Files) -> None:
    names = {named(body) for body in (b"a", b"b", b"c")}
    for name in names:
        files.put(name, b"x")
    now = datetime.now(UTC)
    assert set(files.older(now + timedelta(days=1))) == names
    assert list(files.older(now - timedelta(days=1))) == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "ab/cd/x", "", "ab/cd/" + "0" * 64, "drafts/../x"])
def test_a_name_leads_nowhere_else(files: Files, name: str) -> None:
    for call in (files.get, files.delete, files.exists, lambda n: files.put(n, b"x")):
        with pytest.raises(NameMalformed):
            call(name)


def test_a_folder_is_its_owners_alone_and_never_holds_half_a_file(tmp_path: Path) -> None:
    place = FolderFiles(tmp_path / "files")
    name = named(b"x")
    place.put(name, b"x")
    found = [tmp_path / "files", *(tmp_path / "files").rglob("*")]
    assert {oct(path.stat().st_mode & 0o777) for path in found if path.is_dir()} == {"0o700"}
    assert {oct(path.stat().st_mode & 0o777) for path in found if path.is_file()} == {"0o600"}
    draft = tmp_path / "files" / "drafts" / ("a" * 32)  # what kill -9 in the middle leaves
    draft.write_bytes(b"half")
    stranger = tmp_path / "files" / "notes.txt"
    stranger.write_text("not ours")
    assert set(place.older(datetime.now(UTC) + timedelta(days=1))) == {name, f"drafts/{'a' * 32}"}


def test_a_place_that_does_not_answer_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("a file where the folder should be")
    with pytest.raises(NotKept):
        FolderFiles(tmp_path / "files").put(named(b"x"), b"x")
    nobody = BucketFiles.at("b", "", endpoint="http://127.0.0.1:9", region=None, key_id="k", secret="s")  # noqa: S106
    with pytest.raises(NotKept):
        nobody.get(named(b"x"))


def test_the_settings_choose(tmp_path: Path) -> None:
    assert chosen(Settings(data_dir=tmp_path)) == FolderFiles(tmp_path / "files")
    assert chosen(Settings(files_url="file:///srv/milk%20photos")) == FolderFiles(Path("/srv/milk photos"))
    secret = tmp_path / "secret"
    secret.write_text("very secret\n")
    given = Settings(files_url="s3://milk/photos", files_key_id="k", files_secret_file=secret)
    assert isinstance(chosen(given), BucketFiles)
    assert "very secret" not in repr(chosen(given))
    direct = Settings(files_url="s3://milk", files_key_id="k", files_secret=SecretStr("s"))
    assert isinstance(chosen(direct), BucketFiles)
    for url in ("s3://milk/photos", "https://x/y", "file://host/x", "photos", "s3://"):
        with pytest.raises(PlaceMalformed):
            chosen(Settings(files_url=url))
    with pytest.raises(NotKept):
        chosen(Settings(files_url="s3://milk", files_key_id="k", files_secret_file=tmp_path / "gone"))
