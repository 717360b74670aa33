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
from earlybird.infra.security import Keys
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
    fine = earlybird("audit", "verify", "--json")
    facts = json.loads(fine.stdout)
    assert (fine.returncode, facts["ok"], facts["rows"], facts["checkpoint_seal"]) == (0, True, 3, 1)
    elsewhere = (
        "--data-dir",
        str(tmp_path / "auditor"),
        "--checkpoints",
        str(tmp_path / "data/audit-checkpoints.jsonl"),
    )
    assert earlybird("audit", "verify", "--key", key, *elsewhere).returncode == 0
    other = Checkpoints(tmp_path / "x", Keys.random()).public.hex()
    assert earlybird("audit", "verify", "--key", other, *elsewhere).returncode == 1
    assert earlybird("audit", "verify", "--key", "abc").returncode == 1
    shown = json.loads(earlybird("audit", "show", "--entity", f"order:{ORDER}", "--json").stdout)
    assert [(row["action"], row["after"]["code"], row["position"]) for row in shown] == [("orders.place", "EB-0", 1)]
    page = earlybird("audit", "show", "--actor", "Asha", "--action", "orders", "--since", "2026-01-01").stdout
    assert "asked for" in page
    assert "EB-2" in page
    assert earlybird("audit", "show", "--entity", "order:7").returncode == 2
    erased = earlybird("audit", "erase", "--entity", f"order:{ORDER}", "--reason", "asked", "--json")
    assert json.loads(erased.stdout) == {"erased": 1}
    assert "EB-0" not in earlybird("audit", "show", "--entity", f"order:{ORDER}").stdout
    trail.tamper("UPDATE audit_entries SET actor_name = 'x' WHERE after->>'code' = 'EB-1'")
    broken = earlybird("audit", "verify", "--json")
    first = json.loads(broken.stdout)["first"]
    assert (broken.returncode, first["fault"], first["seal"], first["position"]) == (1, "edited", 1, 2)
    assert "position 2" in earlybird("audit", "verify").stdout


KILLED = """
import os, signal, sys
from pathlib import Path
from earlybird.audit import service
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
