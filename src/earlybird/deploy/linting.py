"""What squawk thinks of a migration's statements."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

FROZEN = ("0001", "0002", "0003")
"""Released before anybody had rows to wait for; never changed, so that what they did can be repeated to the byte."""

NEVER_ASKED = {
    "prefer-bigint-over-int": "counts, days and tries are small; keys are UUIDs and money is bigint",
    "prefer-bigint-over-smallint": "as above",
    "prefer-robust-stmts": "each version runs in one transaction: it is there whole or not at all",
}
"""The rules our versions need not keep, and why."""

ACCEPTED = {
    "0004": {
        "require-concurrent-index-creation": "on tables that are empty or small until the first take-over",
        "constraint-missing-not-valid": "words are added to a list, on tables of a few hundred rows",
        "ban-drop-not-null": "a column only the steps read, which are of the same program",
        "ban-drop-constraint": "each is added again in the same transaction, with more words",
    }
}
"""What one version may break, and why."""


def program() -> str | None:
    """Return where squawk is: beside this Python, or on the path."""
    beside = Path(sys.executable).with_name("squawk")
    return str(beside) if beside.is_file() else shutil.which("squawk")


def ask(version: str, text: str) -> list[dict[str, Any]] | None:
    """Return squawk's findings on one version: `rule`, `line` (from 1), `message`; None where there is no squawk.

    A frozen version is not asked about.
    """
    squawk = program()
    if squawk is None:
        return None
    if version in FROZEN:
        return []
    accepted = [f"--exclude={rule}" for rule in (*NEVER_ASKED, *ACCEPTED.get(version, {}))]
    done = subprocess.run(  # noqa: S603  a fixed program, no shell
        [squawk, "--pg-version=15.0", *accepted, "--reporter", "json", "--stdin-filepath", f"{version}.sql"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout or "[]")
    return [{"rule": one["rule_name"], "line": one["line"] + 1, "message": one["message"]} for one in found]
