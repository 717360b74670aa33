"""backup, drill, list and restore as a person runs them; what production refuses without a proven backup."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from deploy.conftest import contents
from earlybird import schema
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from make.month import month

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_the_way_of_an_operator(earlybird: Run, fresh: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with db.transaction(fresh) as session:
        month(session, customers=3)
    monkeypatch.setenv("EARLYBIRD_PRODUCTION", "true")
    refused = earlybird("steps", "apply", "22")
    assert (refused.returncode, "fresh and proven backup" in refused.stderr) == (1, True)
    monkeypatch.setenv("EARLYBIRD_BACKUP_KEY", "5d7a8ea2c5b7b7c08b9a34f3ce80e3f36d0d0d3a7a4c5fd2a1b0e9c8d7f6a5b4")
    home = ("--from", str(tmp_path / "safe"))
    before = contents(fresh)
    made = earlybird("backup", "--to", str(tmp_path / "safe"), "--encrypt", "--keep-daily", "7", "--json")
    whole = json.loads(made.stdout)
    assert (made.returncode, whole["encrypted"], whole["schema"]) == (0, True, schema.head())
    drilled = earlybird("backup", "drill", *home, "--json")
    assert (drilled.returncode, json.loads(drilled.stdout)["wrong"]) == (0, [])
    [listed] = json.loads(earlybird("backup", "list", *home, "--json").stdout)
    assert (listed["name"], listed["is_proven"]) == (whole["name"], True)
    assert earlybird("steps", "apply", "22").returncode == 0
    (tmp_path / "milk").mkdir(mode=0o711)
    tmp_path.chmod(0o711)
    restored = earlybird("restore", whole["path"], "--into", str(tmp_path / "milk"))
    assert (restored.returncode, "secret.key" in restored.stderr) == (0, True), restored.stderr
    own = Embedded(tmp_path / "milk")
    try:
        with own.running() as url:
            engine = db.connect(url)
            assert contents(engine) == before
            engine.dispose()
        assert earlybird("restore", whole["path"], "--into", str(tmp_path / "milk")).returncode == 1
    finally:
        own.destroy()


def test_production_is_migrated_only_on_request(earlybird: Run, fresh: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    older = schema.versions()[-2]
    assert earlybird("migrate", "down", "--to", older).returncode == 1
    assert earlybird("migrate", "down", "--to", older, "--yes").returncode == 0
    monkeypatch.setenv("EARLYBIRD_PRODUCTION", "true")
    for command in (("serve", "--port", "0"), ("jobs", "list")):
        refused = earlybird(*command)
        assert (refused.returncode, "earlybird migrate up" in refused.stderr) == (3, True)
    status = earlybird("migrate", "status", "--json")
    assert (status.returncode, json.loads(status.stdout)["waiting"]) == (1, [schema.head()])
    planned = earlybird("migrate", "plan", "--json")
    assert (planned.returncode, [one["version"] for one in json.loads(planned.stdout)]) == (0, [schema.head()])
    assert schema.current(fresh) == older
    assert earlybird("migrate", "up").returncode == 1
    assert earlybird("migrate", "up", "--without-backup", "it is empty").returncode == 0
    assert schema.current(fresh) == schema.head()
