"""What is told at the door and what is shown of it."""

from earlybird.deliveries.schemas.told import (
    Answer,
    Confirmation,
    ConfirmedLine,
    NotRead,
    OrderKey,
    Teller,
    Verdict,
    read,
    said,
)

__all__ = [
    "Answer", "Confirmation", "ConfirmedLine", "NotRead", "OrderKey", "Teller", "Verdict", "read", "said",
]  # fmt: skip
