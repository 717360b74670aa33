"""Whose money an actor may see, and how a list is cut into pages."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from earlybird.customers.queries import own
from earlybird.identity.rules import within
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.pages import Page


def visible(ctx: Ctx, customer: str) -> str:
    """Return the SQL condition for what an actor sees, `customer` being the column that says whose it is.

    Own is what belongs to one's customers and to whom they pay for; its values come from `identity.rules.reach`. As an
    array they are found by the column's index; beside an OR, a sub-select would be asked of every row there is.
    """
    mine = "ANY(CAST(:my_customers AS uuid[]))"
    paid = f"{customer} = ANY(ARRAY(SELECT id FROM customers WHERE bill_to_id = {mine}))"
    return within(ctx, own=f"{own(ctx, customer)} OR {paid}")


def cut(found: list[dict[str, Any]], limit: int) -> Page[dict[str, Any]]:
    """Return the first `limit` rows, and where the next page begins if there are more."""
    return Page(found[:limit], found[limit - 1]["id"] if len(found) > limit else None)


def words(table: str, **wanted: StrEnum | None) -> list[str]:
    """Return the conditions on columns that hold our own words; written out, so that partial indexes are found."""
    return [f"{table}.{column} = '{word}'" for column, word in wanted.items() if word is not None]
