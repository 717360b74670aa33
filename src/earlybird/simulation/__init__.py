"""A business that is only played: seeded people do a month's work through the real doors, and every evening is checked.

It drives the application in its own process, on an injected clock, against a scratch database. What everybody should
get is kept beside it by a model in plain Python (`model`), which shares no rule with the product; `invariants` holds
the database against the model with statements of its own.
"""

from earlybird.simulation.run import Outcome, Played, simulate
from earlybird.simulation.scratch import Scratch, scratch
from earlybird.simulation.stage import Stage

__all__ = ["Outcome", "Played", "Scratch", "Stage", "scratch", "simulate"]
