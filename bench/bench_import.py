"""Legacy import, link, verify and report of the sample, and of five businesses its size: seconds and memory.

The baseline is the same machine reading the same files: parsing every document and nothing else.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dumps import clone

SAMPLE = Path(__file__).parent.parent / "src" / "earlybird" / "demo" / "dump"
COPIES = (1, 5, 20) if os.environ.get("EARLYBIRD_SOAK") else (1, 5)

INNER = """
import resource, sys, time
from datetime import UTC, datetime
from pathlib import Path
from earlybird import schema
from earlybird.importers import earlybird as legacy
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from earlybird.kernel.ctx import Actor, Ctx
from earlybird.migrations import service as steps
embedded = Embedded(Path(sys.argv[2]))
with embedded.running():
    engine = db.connect(embedded.url())
    schema.upgrade(engine)
    ctx = Ctx(actor=Actor("bench", "bench", "admin"), now=datetime.now(UTC), via="import")
    start = time.perf_counter()
    link = lambda: [steps.apply(engine, ctx, step) for step in steps.STEPS]
    taken = legacy.take_over(engine, ctx, Path(sys.argv[1]), link=link)
    report = legacy.report(engine, taken)
    seconds = time.perf_counter() - start
    engine.dispose()
print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, sum(c["in"] for c in taken.values()))
embedded.destroy()
"""


def reading(folder: Path) -> float:
    from earlybird.importers.earlybird.reading import read_dump

    start = time.perf_counter()
    for path in sorted(folder.glob("*.json*")):
        for _ in read_dump(path):
            pass
    return time.perf_counter() - start


def main() -> None:
    print(f"{'documents':>10} {'seconds':>8} {'memory MB':>10} {'reading alone s':>16} {'ratio':>6}")
    for copies in COPIES:
        with tempfile.TemporaryDirectory(prefix="earlybird-bench-") as scratch:
            Path(scratch).chmod(0o711)
            folder = SAMPLE
            if copies > 1:
                folder = Path(scratch) / "dump"
                clone(SAMPLE, folder, copies)
            runs = []
            for n in range(3 if copies == 1 else 1):
                words = [sys.executable, "-c", INNER, str(folder), str(Path(scratch) / f"data{n}")]
                told = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
                runs.append((float(told[0]), int(told[1]), int(told[2])))
            seconds, memory, documents = sorted(runs)[len(runs) // 2]
            alone = reading(folder)
            print(f"{documents:>10,} {seconds:>8.2f} {memory:>10} {alone:>16.2f} {seconds / alone:>6.1f}")


if __name__ == "__main__":
    main()
