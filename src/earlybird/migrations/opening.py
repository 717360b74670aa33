"""How a business begins: a new one with the rules on, one that is taken over as its old system had it."""

from __future__ import annotations

from sqlalchemy import Engine

from earlybird.infra import db
from earlybird.kernel.ctx import Ctx
from earlybird.migrations import service
from earlybird.migrations.protocol import Kind
from earlybird.migrations.states import StepState

RULES = tuple(step for step in service.STEPS if step.kind in (Kind.enforces, Kind.builds))
"""The steps that hold rows to a rule, or build beside them: a new business begins with them."""

ROLES = service.find("roles_from_the_table")

TAKING_OVER = "A business is taken over: its steps apply this again when its rows are there."


def begin_with_the_rules(engine: Engine, ctx: Ctx) -> list[str]:
    """Apply the rules where nothing was ever ordered or taken over; return the names of those applied by this.

    Elsewhere they are left as they stand; only the table of grants follows the rules of a newer program where it
    follows them already, or where nothing was taken over. What somebody reverted is left reverted.
    """
    is_new, is_native, stands = _asked(engine)
    done = []
    for step in RULES:
        state = stands.get(step.number)
        wanted = is_new and state == StepState.pending
        if step is ROLES:
            wanted = state == StepState.applied or (is_native and state == StepState.pending)
        if wanted:
            service.apply(engine, ctx, step)
            done.append(step.name)
    return done


def make_way(engine: Engine, ctx: Ctx) -> list[str]:
    """Take the rules back before the first rows of another system come in, as they need not obey them yet.

    Only where nothing was ever ordered or taken over; the rights of roles stay. Returns the names of those reverted.
    """
    is_new, _, stands = _asked(engine)
    wanted = [step for step in RULES[::-1] if is_new and step is not ROLES and step.kind is Kind.enforces]
    done = []
    for step in wanted:
        if stands.get(step.number) == StepState.applied:
            service.revert(engine, ctx, step, confirmed=step.name, reason=TAKING_OVER)
            done.append(step.name)
    return done


def _asked(engine: Engine) -> tuple[bool, bool, dict[int, str]]:
    """Return whether nothing happened yet, whether nothing was taken over, and where each step stands."""
    with db.rehearsal(engine) as session:
        is_native = db.value(session, "SELECT NOT EXISTS (SELECT FROM legacy_documents)")
        is_empty = db.value(session, "SELECT NOT EXISTS (SELECT FROM orders)")
    stands = {row["number"]: str(row["state"]) for row in service.listing(engine)}
    return bool(is_native and is_empty), bool(is_native), stands
