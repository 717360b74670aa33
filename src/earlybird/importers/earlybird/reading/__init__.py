"""Reading a legacy EarlyBird mongoexport: streamed files and readers of single fields, without a database.

Nothing raises for bad data: a line that is no document becomes `Malformed` (bytes kept verbatim), a field that
cannot be read gives a `Problem` beside the value. Units: money in whole paise, quantities as `Decimal` in the
product's own unit (litres or pieces), dates in Asia/Kolkata, instants as aware UTC datetimes.
"""

from earlybird.importers.earlybird.reading.fields import (
    Problem,
    Read,
    content,
    document_key,
    is_missing,
    object_id,
    pick,
    plain,
    read_reference,
    read_text,
)
from earlybird.importers.earlybird.reading.files import Document, Malformed, parse_document, read_dump
from earlybird.importers.earlybird.reading.numbers import (
    fold_email,
    read_flag,
    read_money,
    read_number,
    read_phone,
    read_price,
    read_quantity,
    read_rupees,
    to_paise,
)
from earlybird.importers.earlybird.reading.shapes import (
    Pause,
    read_custom_prices,
    read_dated_quantities,
    read_overrides,
    read_pauses,
    read_weekdays,
)
from earlybird.importers.earlybird.reading.times import INDIA, read_date, read_instant, read_month
from earlybird.importers.earlybird.reading.words import (
    fold_order_status,
    fold_role,
    fold_shift,
    folded_word,
    is_litre,
    packets_to_units,
)

__all__ = [
    "INDIA",
    "Document",
    "Malformed",
    "Pause",
    "Problem",
    "Read",
    "content",
    "document_key",
    "fold_email",
    "fold_order_status",
    "fold_role",
    "fold_shift",
    "folded_word",
    "is_litre",
    "is_missing",
    "object_id",
    "packets_to_units",
    "parse_document",
    "pick",
    "plain",
    "read_custom_prices",
    "read_date",
    "read_dated_quantities",
    "read_dump",
    "read_flag",
    "read_instant",
    "read_money",
    "read_month",
    "read_number",
    "read_overrides",
    "read_pauses",
    "read_phone",
    "read_price",
    "read_quantity",
    "read_reference",
    "read_rupees",
    "read_text",
    "read_weekdays",
    "to_paise",
]
