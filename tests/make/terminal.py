"""The command line, run in a child of the test's own process: real files, signals and exit codes, nothing imported anew."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn


def run(words: Sequence[str], environment: Mapping[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `earlybird WORDS` in `folder` and return what it said and how it ended, as `subprocess.run` does."""
    main = _main(environment["COLUMNS"])
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        gc.collect()
        gc.freeze()  # what the parent holds is not the child's to close
        child = os.fork()
        if child == 0:
            _be_the_command(main, words, environment, folder, out.fileno(), err.fileno())
        gc.unfreeze()
        _, status = os.waitpid(child, 0)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess(["earlybird", *words], os.waitstatus_to_exitcode(status), *texts)


def _main(columns: str) -> object:
    """Import the commands as wide as they will print: consoles measure when they are made."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = columns
    try:
        from earlybird.cli import main
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
    return main


def _be_the_command(
    main: object, words: Sequence[str], environment: Mapping[str, str], folder: Path, out: int, err: int
) -> NoReturn:
    code: object = 1
    try:
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0, "r"), os.fdopen(1, "w"), os.fdopen(2, "w")
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        sys.argv = ["earlybird", *words]
        main()  # type: ignore[operator]
        code = 0
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:  # noqa: BLE001 - whatever it is, a command would print it and end
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0 if code is None else int(str(code)))
