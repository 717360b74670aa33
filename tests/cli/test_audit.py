"""audit verify, show, seal, erase and key as a person runs them; what a killed sealer leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from sqlalchemy import Engine

from earlybird.infra.checkpoints import Checkpoints
from earlybird.infra.settings import Settings
from earlybird.kernel.ctx import Ctx
from make.trail import Trail

ORDER = UUID(int=(7 << 76) + (2 << 62) + 1)
Run = Callable[..., subprocess.CompletedProcess[str]]


def test_the_way_of_an_auditor(earlybird: Run, fresh: Engine, ctx: Ctx, tmp_path: Path) -> None:
    trail = Trail.at(fresh, ctx, tmp_path)
    trail.write(3)
    sealed = earlybird("audit", "seal", "--json")
    assert (sealed.returncode, json.loads(sealed.stdout)) == (0, {"sealed": 3})
    key = earlybird("audit", "key").stdout.strip()
    assert bytes.fromhex(key) == Checkpoints.at(Settings(data_dir=tmp_path / "data")).public
    auditor = ("--data-dir", str(tmp_path / "auditor"), "--checkpoints", str(tmp_path / "data/audit-checkpoints.jsonl"))
    fine = earlybird("audit", "verify", "--json", "--key", key, *auditor)
    facts = json.loads(fine.stdout)
    assert (fine.returncode, facts["ok"], facts["rows"], facts["checkpoint_seal"]) == (0, True, 3, 1)
    assert not (tmp_path / "auditor" / "secret.key").exists()
    shown = earlybird("audit", "show", "--entity", f"order:{ORDER}", "--actor", "Asha", "--since", "2026-01-01").stdout
    assert "asked for" in shown
    assert "EB-0" in shown
    erased = earlybird("audit", "erase", "--entity", f"order:{ORDER}", "--reason", "asked", "--json")
    assert json.loads(erased.stdout) == {"erased": 1}
    rest = json.loads(earlybird("audit", "show", "--action", "orders", "--json").stdout)
    assert [(row["position"], row["is_erased"], row["after"] and row["after"]["code"]) for row in rest] == [
        (3, False, "EB-2"), (2, False, "EB-1"), (1, True, None)
    ]  # fmt: skip
    trail.tamper("UPDATE audit_entries SET actor_name = 'x' WHERE after->>'code' = 'EB-1'")
    broken = earlybird("audit", "verify")
    assert broken.returncode == 1
    assert "edited" in broken.stdout
    assert "position 2" in broken.stdout


KILLED = """
import os, signal, sys
from pathlib import Path
from earlybird.infra.checkpoints import Checkpoints
def die(self, lines):
    if lines:
        os.kill(os.getpid(), signal.SIGKILL)
Checkpoints.append = die
sys.argv = ["earlybird", "audit", "seal"]
from earlybird.cli import main
main()
"""


def test_kill_nine_between_commit_and_checkpoint_heals(
    earlybird: Run, fresh: Engine, fresh_url: str, ctx: Ctx, tmp_path: Path
) -> None:
    trail = Trail.at(fresh, ctx, tmp_path)
    trail.write(2)
    assert earlybird("audit", "seal").returncode == 0
    trail.write(2)
    env = {**os.environ, "EARLYBIRD_DATABASE_URL": fresh_url, "EARLYBIRD_NOW": ctx.now.isoformat()}
    killed = subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path, env=env, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert trail.ask("SELECT count(*) FROM audit_seals") == 2
    path = tmp_path / "data/audit-checkpoints.jsonl"
    assert len(path.read_text().splitlines()) == 1
    assert earlybird("audit", "verify").returncode == 0
    assert json.loads(earlybird("audit", "seal", "--json").stdout) == {"sealed": 0}
    assert len(path.read_text().splitlines()) == 2
    assert earlybird("audit", "verify").returncode == 0
    assert trail.ask("SELECT count(*) FROM findings") == 0
