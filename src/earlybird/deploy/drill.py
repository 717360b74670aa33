"""Prove a backup by bringing it back: its parts, rows, ledger, audit, photos, and the questions of reconcile."""

from __future__ import annotations

import hashlib
import io
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from earlybird.audit.queries import verification
from earlybird.backups import service as backups
from earlybird.backups.errors import NoSuchBackup
from earlybird.deploy import facts, folder, restore, scratch
from earlybird.deploy.folder import Whole
from earlybird.deploy.place import Place
from earlybird.infra import db
from earlybird.infra.checkpoints import Checkpoints, Trust
from earlybird.infra.db import Engine, Session
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Failure
from earlybird.reconcile import service as reconcile

KNOWN = "SELECT check_name, subject FROM findings WHERE state IN ('open', 'accepted')"
NAMED = "SELECT object_name FROM files WHERE archived_at IS NULL UNION SELECT thumbnail_name FROM files \
WHERE archived_at IS NULL"
MOST_TOLD = 5


@dataclass
class Proof:
    """What a drill found: how long each part of it took, in seconds, and what does not hold, a sentence each."""

    name: str
    seconds: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether the backup is proven."""
        return not self.wrong

    def as_facts(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "backup": self.name,
            "ok": self.holds,
            "wrong": self.wrong,
            "seconds": {what: round(spent, 3) for what, spent in self.seconds.items()},
            **self.figures,
        }


def run(engine: Engine, ctx: Ctx, place: Place, whole: Whole) -> Proof:
    """Bring a backup back beside the live database, hold it against what it says of itself, and note the outcome."""
    proof = Proof(whole.path.name)
    with folder.alone(place.home):
        try:
            _prove(engine, ctx, place, whole, proof)
        except Failure as failure:
            proof.wrong.append(str(failure))
    with db.transaction(engine) as session:
        told = proof.as_facts()
        try:
            backups.note_drill(session, ctx, proof.name, wrong=proof.wrong, proof=told)
        except NoSuchBackup:  # made by another installation, or before a restore
            proof.figures["is_noted"] = False
    return proof


def _prove(engine: Engine, ctx: Ctx, place: Place, whole: Whole, proof: Proof) -> None:
    _timed(proof, "parts", lambda: _parts(place, whole))
    said = whole.facts(place.key)
    begun = time.monotonic()
    with scratch.restored(engine, whole, place.key, "drill") as copy:
        proof.seconds["restore"] = time.monotonic() - begun
        _timed(proof, "figures", lambda: _figures(copy, whole, said, proof))
        _timed(proof, "audit", lambda: _audit(copy, place, whole, proof))
        _timed(proof, "reconcile", lambda: _questions(copy, ctx.at(whole.made_at), proof))
        _timed(proof, "photos", lambda: _photos(copy, place, whole, proof))


def _timed(proof: Proof, what: str, call: Callable[[], None]) -> None:
    begun = time.monotonic()
    call()
    proof.seconds[what] = time.monotonic() - begun


def _parts(place: Place, whole: Whole) -> None:
    whole.check_parts()
    whole.check_ours(place.keys)


def _figures(copy: Engine, whole: Whole, said: dict[str, Any], proof: Proof) -> None:
    with db.rehearsal(copy) as session:
        now = facts.measured(session)
        schema = db.value(session, "SELECT version_num FROM alembic_version")
    proof.wrong += facts.differences(said, now) + facts.unbalanced(now)
    if schema != whole.manifest["schema"]:
        proof.wrong.append(f"The tables stand at {schema}, the backup says {whole.manifest['schema']}.")
    proof.figures |= {"tables": len(now["tables"]), "rows": sum(now["tables"].values()), "seal": now["seal"]}


def _audit(copy: Engine, place: Place, whole: Whole, proof: Proof) -> None:
    """Verify the seals against the checkpoints of the backup, and those against the live file."""
    live = Checkpoints(place.checkpoint_file, place.keys)
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / folder.CHECKPOINTS
        restore.checkpoints(whole, path, place.key)
        with db.rehearsal(copy) as session:
            verdict = verification.verify(session, path, Trust((live.public,)), live.mark_key)
        lines = path.read_bytes()
    proof.wrong += [f"Audit: {one.sentence}" for one in verdict.ordered()[:MOST_TOLD]]
    if lines and not _begins(place.checkpoint_file, lines):
        proof.wrong.append("Audit: the checkpoint file of today does not begin with that of the backup.")
    proof.figures["seals"] = verdict.seals


def _begins(path: Path, lines: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(lines)) == lines


def _questions(copy: Engine, ctx: Ctx, proof: Proof) -> None:
    """Ask every question as of the backup's own moment; what was known as a finding then is no news."""
    with db.rehearsal(copy) as session:
        reconcile.snapshot(session)
        answers = reconcile.ask(session, ctx)
        known = {(row["check_name"], row["subject"]) for row in db.rows(session, KNOWN)}
    for answer in answers:
        new = [row for row in answer.found if (answer.check.name, row["subject"]) not in known]
        if new and answer.is_error:
            proof.wrong.append(f"Reconcile: {answer.check.name}, {len(new)} found, as {new[0]['title']}")
    proof.figures["questions"] = len(answers)


def _photos(copy: Engine, place: Place, whole: Whole, proof: Proof) -> None:
    """Hold each photo against the digest that is its name, and the records against the photos."""
    if not whole.has(folder.FILES):
        return
    seen: set[str] = set()
    stream = io.BufferedReader(restore.Stream(whole.read(folder.FILES, place.key)))
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            packed = tar.extractfile(member)
            digest = hashlib.sha256(packed.read()).hexdigest() if packed else ""  # one photo: some megabytes
            if digest != Path(member.name).name.partition("-")[0]:
                proof.wrong.append(f"The photo {member.name} is not what its name says.")
            seen.add(member.name)
    with db.rehearsal(copy) as session:
        missing = _named(session) - seen
    if missing:
        proof.wrong.append(f"{len(missing)} photos of records are missing, as {min(missing)}.")
    proof.figures["photos"] = len(seen)


def _named(session: Session) -> set[str]:
    return {row["object_name"] for row in db.rows(session, NAMED)}
