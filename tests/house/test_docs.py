"""The documentation names only what exists: paths, functions, links, commands and their options."""

from __future__ import annotations

import ast
import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from earlybird import wiring
from earlybird.cli import app
from earlybird.infra.settings import Settings
from earlybird.reconcile.checks import CHECKS

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "src" / "earlybird"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OF_THE_TREE = ("src", "tests", "docs", "scripts", "bench", ".ci")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def spans(page: Path) -> list[str]:
    """What stands in backticks outside of fences."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(words.split()) for words in re.findall(r"`([^`]+)`", prose)]


def paths(page: Path) -> list[tuple[str, str]]:
    """Path and name of what is written `slice/room.py` or `slice/room.py:function`."""
    found = []
    for words in spans(page):
        match = re.fullmatch(r"([\w.-]+(?:/[\w.*-]+)*/?)(?::(\w+)(?:\(\))?)?", words)
        if match and (match[1].split("/")[0] in OF_THE_TREE or re.search(r"/[\w.-]+\.(py|sql|html)$", match[1])):
            found.append((match[1], match[2] or ""))
    return found


@cache
def names(path: Path) -> set[str]:
    """What a module defines."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {t.id for t in targets if isinstance(t, ast.Name)}
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_path_and_function_named_exists(page: Path) -> None:
    missing = []
    for path, name in paths(page):
        places = [place for base in (ROOT, PACKAGE) for place in base.glob(path.rstrip("/"))]
        if not places or (name and name not in names(places[0])):
            missing.append(f"{path}:{name}" if name else path)
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    near = [link.partition("#")[0] for link in links if not re.match(r"[a-z]+:|#", link)]
    assert [link for link in near if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "decisions").glob("*.md")), ids=lambda page: page.name)
def test_every_decision_names_what_enforces_it(page: Path) -> None:
    sentence = page.read_text(encoding="utf-8").partition("**Enforced by.**")[2]
    assert re.search(r"`[\w/.-]+/[\w.-]+(?::\w+)?`|`pyproject.toml`", sentence)


def commands(page: Path) -> list[str]:
    """What follows `earlybird` in backticks, and on the lines of shell fences and indented blocks."""
    text = page.read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"^```(?:sh)?\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL))
    lines = blocks.splitlines() + [line for line in text.splitlines() if line.startswith("    ")]
    shell = [
        found for line in lines for found in re.findall(r"(?:^|\$\(|\s)earlybird ([^|#;)]*)", line.partition("#")[0])
    ]
    return shell + [words.removeprefix("earlybird ") for words in spans(page) if words.startswith("earlybird ")]


@cache
def root() -> Any:
    """The command line, made once: it takes a twentieth of a second."""
    return typer.main.get_command(app)


def resolve(words: list[str]) -> tuple[Any, list[str]]:
    """Follow words down the commands; return the last command and what is left."""
    command: Any = root()
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_and_option_shown_exists(page: Path) -> None:
    wrong = []
    for line in commands(page):
        words = re.sub(r"(\"[^\"]*\"|'[^']*')", "text", line).split()
        command, rest = resolve(words)
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        free = command.context_settings.get("ignore_unknown_options", False)
        odd = [word for word in rest if word.startswith("--") and word.partition("=")[0] not in known and not free]
        if odd or (hasattr(command, "commands") and rest and rest[0][0].islower()):
            wrong.append(line)
    assert wrong == []


def every(command: Any, path: str = "earlybird") -> dict[str, str]:
    """Each command with its help."""
    if not hasattr(command, "commands"):
        return {path: command.help or ""}
    return {k: v for name, inner in command.commands.items() for k, v in every(inner, f"{path} {name}").items()}


@pytest.mark.parametrize("path", every(root()))
def test_every_command_shows_an_example_of_itself(path: str) -> None:
    help_ = every(root())[path]
    assert re.search(r"Example: .*" + re.escape(path), help_), f"{path} --help has no example"


def test_every_check_of_reconcile_is_in_the_runbook() -> None:
    page = (ROOT / "docs" / "runbook" / "when-it-hurts.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| \d+ \| `(\w+)` \|", page, flags=re.MULTILINE)
    assert sorted(told) == sorted(check.name for check in CHECKS)


def test_every_job_is_in_the_runbook(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "runbook" / "jobs.md").read_text(encoding="utf-8")
    told = [
        name
        for row in re.findall(r"^\| (`[^|]+) \|", page, flags=re.MULTILINE)
        for name in re.findall(r"`(\w+\.\w+)`", row)
    ]
    assert sorted(told) == sorted(job.name for job in wiring.periodic(Settings(data_dir=tmp_path)))


@pytest.mark.parametrize("name", ["docs_contract", "docs_checks"])
def test_written_tables_are_those_of_the_program(name: str) -> None:
    script = ROOT / "scripts" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, script)
    assert spec
    assert spec.loader
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    page = generator.PAGE.read_text(encoding="utf-8")
    assert generator.text() == page, f"run: python scripts/{name}.py"
