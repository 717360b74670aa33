"""The command line, run in children of a process that has it imported: real files and exit codes, started at once."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NoReturn


def run(words: Sequence[str], environment: Mapping[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `earlybird WORDS` in `folder` and return what it said and how it ended, as `subprocess.run` does."""
    with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
        with socket.socket(socket.AF_UNIX) as line, line.makefile("rw") as talk:
            line.connect(_starter(environment["COLUMNS"]))
            facts = {"words": words, "environment": dict(environment), "folder": str(folder)}
            talk.write(json.dumps(facts | {"out": out.name, "err": err.name}) + "\n")
            talk.flush()
            answer = talk.readline()
        texts = [Path(file.name).read_text(encoding="utf-8") for file in (out, err)]
    return subprocess.CompletedProcess(["earlybird", *words], int(answer or -signal.SIGKILL), *texts)


@cache
def _starter(columns: str) -> str:
    """Start the process that forks commands, as wide as they will print; it has no threads and ends with its parent."""
    address = str(Path(tempfile.mkdtemp(prefix="eb-")) / "s")
    paths = [str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    process = subprocess.Popen(
        [sys.executable, "-c", f"from make import terminal; terminal.serve({address!r})"],
        env=os.environ | {"COLUMNS": columns, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    atexit.register(process.communicate)
    return address


def serve(address: str) -> None:
    """Fork a command for everybody who calls, until the parent is gone."""
    from earlybird.cli import main

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                return
            line, _ = listener.accept()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                listener.close()
                _be_the_command(main, line)
            line.close()


def _be_the_command(main: object, line: socket.socket) -> NoReturn:
    talk = line.makefile("rw")
    facts = json.loads(talk.readline())
    code: object = 1
    try:
        for number, (name, mode) in enumerate([(os.devnull, "r"), (facts["out"], "w"), (facts["err"], "w")]):
            with Path(name).open(mode) as file:
                os.dup2(file.fileno(), number)
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0, "r"), os.fdopen(1, "w"), os.fdopen(2, "w")
        os.environ.clear()
        os.environ.update(facts["environment"])
        os.chdir(facts["folder"])
        sys.argv = ["earlybird", *facts["words"]]
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
        talk.write(f"{0 if code is None else int(str(code))}\n")
        talk.flush()
        os._exit(0)
