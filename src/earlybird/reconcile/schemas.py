"""The proof, the questions and their findings as they are answered. Amounts are whole minor units."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from earlybird.audit.states import FindingState, Severity
from earlybird.infra.shapes import Currency, Minor
from earlybird.reconcile.rules import Kind


class SumOut(BaseModel):
    """What was delivered beside what was asked, in minor units of one currency.

    delivered + over = billed + waived + excluded + not_yet_due + lost, always.
    """

    currency: Currency
    delivered_minor: Minor = Field(description="What was delivered, at the price it was sold.", examples=[812345])
    charged_minor: Minor = Field(description="What was charged for it.", examples=[812345])
    billed_minor: Minor = Field(description="What stands on documents.", examples=[800000])
    waived_minor: Minor = Field(description="What somebody decided not to ask for.", examples=[6000])
    excluded_minor: Minor = Field(description="What a policy or a payment upstream leaves out.", examples=[0])
    not_yet_due_minor: Minor = Field(description="What waits for its charge or its bill.", examples=[6345])
    lost_minor: Minor = Field(description="What was delivered and never asked for.", examples=[0])
    over_minor: Minor = Field(description="What was asked for and not delivered.", examples=[0])


class MonthSumOut(SumOut):
    """The proof of one month."""

    month: str = Field(examples=["2026-01"])


class CustomerMonthOut(SumOut):
    """The proof of one customer's month."""

    month: str | None = Field(examples=["2026-01"])
    customer_id: UUID | None = Field(description="Null for a charge that no delivery and no customer stand behind.")


class ProofOut(BaseModel):
    """The leakage proof in both directions."""

    as_of: date | None = Field(description="The day it is true for; null is now.", examples=["2026-01-31"])
    totals: list[SumOut] = Field(description="One per currency.")
    months: list[MonthSumOut] = Field(description="One per month and currency, oldest first.")
    customers: list[CustomerMonthOut] = Field(description="One per customer, month and currency.")


class FindingOut(BaseModel):
    """Something a question found."""

    id: UUID
    check_name: str = Field(description="The question.", examples=["fact_not_charged"])
    subject: str = Field(description="The id of what it is about.")
    severity: Severity = Field(description="An error must not be; a warning is work; info is to be known.")
    title: str = Field(examples=["Paneer of 24 Dec 2025 for Household 2 was delivered and not charged"])
    money_minor: Minor | None = Field(description="The money at stake, in minor units.", examples=[9033])
    currency: str | None = Field(examples=["INR"])
    customer_id: UUID | None
    facts: dict[str, Any] = Field(description="The ids that prove it.")
    first_seen_at: datetime
    last_seen_at: datetime
    state: FindingState = Field(description="Resolved by the first run that does not see it again.")
    state_at: datetime
    accepted_reason: str | None = Field(examples=["known since the move of the depot"])
    accepted_by: str | None = Field(examples=["Asha"])


class QuestionOut(BaseModel):
    """One question, and how many things it found."""

    number: int = Field(examples=[1])
    name: str = Field(examples=["fact_not_charged"])
    title: str = Field(examples=["Delivered and not charged"])
    severity: Severity
    kind: Kind = Field(description="Asked of every business, or only of one taken over.")
    ok: bool = Field(description="It found nothing.")
    count: int = Field(examples=[0])
    money_minor: dict[str, int] = Field(
        description="The money of its findings by currency, in minor units, each counted as positive.",
        examples=[{"INR": 9033}],
    )


class AnswersOut(BaseModel):
    """What the questions found."""

    ok: bool = Field(description="No question found an error.")
    checks: list[QuestionOut] = Field(description="One answer per question, in their order.")
