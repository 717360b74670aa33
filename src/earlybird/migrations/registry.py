"""Every step there is: read from the files of migrations/steps."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from earlybird.migrations import steps
from earlybird.migrations.errors import NoSuchStep
from earlybird.migrations.protocol import Step

REQUIRED = ("NUMBER", "NAME", "TITLE", "REASON", "TOUCHES", "WARNING")
OPTIONAL = ("KIND", "LOCKS", "OPENS_A_HOLE", "SWITCHES", "LOOSENS", "FOLLOWS", "PASSING")
FUNCTIONS = ("phases", "apply", "verify")
HOOKS = ("join", "stakes", "unclear", "revert", "reverted", "build", "tear_down", "built")


def read(module: Any) -> Step:
    """Return the step that a module of migrations/steps describes."""
    given = {name.lower(): getattr(module, name) for name in REQUIRED}
    given |= {name.lower(): getattr(module, name) for name in OPTIONAL if hasattr(module, name)}
    given |= {name: getattr(module, name) for name in FUNCTIONS}
    given |= {name: getattr(module, name) for name in HOOKS if hasattr(module, name)}
    return Step(**given)


def load() -> tuple[Step, ...]:
    """Return every step of migrations/steps, ascending."""
    names = sorted(found.name for found in pkgutil.iter_modules(steps.__path__))
    read_in = [read(importlib.import_module(f"{steps.__name__}.{name}")) for name in names]
    return tuple(sorted(read_in, key=lambda step: step.number))


STEPS: tuple[Step, ...] = load()


def find(name: str) -> Step:
    """Return a step by number or name."""
    for step in STEPS:
        if name in (str(step.number), step.name):
            return step
    raise NoSuchStep(field="step", value=name)


def between(first: Step, last: Step) -> tuple[Step, ...]:
    """Return the steps from one to the other, both with them, in the direction in which they were named."""
    low, high = sorted((first.number, last.number))
    found = tuple(step for step in STEPS if low <= step.number <= high)
    return found if first.number <= last.number else found[::-1]
