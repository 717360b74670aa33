"""Sealing and verifying a hundred thousand audit entries, against the bare SQL that copies and digests the same rows.

The baseline inserts the same rows with a plain digest into the same table with its keys and triggers, and deletes their
notes; the product adds salts, marks, seal, signature and checkpoint. python bench/bench_seal.py [ENTRIES]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import measure

from earlybird.infra.db import run, transaction
from earlybird.kernel.ctx import SYSTEM, Ctx
from make.month import NOW
from make.trail import Trail

BARE = """
WITH taken AS (DELETE FROM unsealed_entries RETURNING audit_id),
kept AS (
    INSERT INTO audit_seal_rows (audit_id, seal_no, position, digest, mark)
    SELECT a.id, 1, row_number() OVER (ORDER BY a.id), sha256(convert_to(a::text, 'UTF8')), ''
    FROM taken t JOIN audit_entries a ON a.id = t.audit_id RETURNING digest, position)
SELECT sha256(string_agg(digest, ''::bytea ORDER BY position)) FROM kept"""
AGGREGATE = """SELECT sha256(string_agg(sha256(convert_to(a::text, 'UTF8')), ''::bytea ORDER BY s.position))
FROM audit_seal_rows s JOIN audit_entries a ON a.id = s.audit_id"""
EMPTY = """SET session_replication_role = replica; TRUNCATE audit_seals, audit_seal_rows, unsealed_entries;
INSERT INTO unsealed_entries SELECT id FROM audit_entries; SET session_replication_role = DEFAULT"""


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    seconds: dict[str, list[float]] = {name: [] for name in ("bare", "seal", "bare sum", "verify")}
    with (
        measure.server() as embedded,
        measure.database(embedded, "seals") as engine,
        tempfile.TemporaryDirectory() as folder,
    ):
        trail = Trail.at(engine, Ctx(actor=SYSTEM, now=NOW, via="bench"), Path(folder))
        trail.write_many(count)
        measure.execute(engine, "VACUUM ANALYZE audit_entries")

        def bare() -> None:
            with transaction(engine) as session:
                run(session, BARE)

        def total() -> None:
            with transaction(engine) as session:
                run(session, AGGREGATE)

        def verify() -> None:
            if trail.verify().count:
                raise SystemExit("The verification is wrong: nothing was changed.")

        for _ in range(measure.ROUNDS):
            for name, work in (("bare", bare), ("seal", trail.seal), ("bare sum", total), ("verify", verify)):
                if name in {"bare", "seal"}:
                    measure.execute(engine, *EMPTY.split(";"))
                    trail.checkpoints.path.unlink(missing_ok=True)
                start = time.perf_counter()
                work()
                seconds[name].append(time.perf_counter() - start)
    half = {name: median(found) for name, found in seconds.items()}
    for name, found in half.items():
        print(f"{name:10} {found * 1000:8.0f} ms for {count} entries")
    print(f"sealing runs at {half['bare'] / half['seal']:.2f} of the bare insert, "
          f"verifying at {half['bare sum'] / half['verify']:.2f} of the bare aggregate")  # fmt: skip


if __name__ == "__main__":
    main()
