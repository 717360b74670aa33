"""What territory refuses."""

from earlybird.kernel.errors import Invalid


class ZoneUnknown(Invalid):
    """A zone is a name of the IANA time zone database, as Asia/Kolkata."""


class CodeUnknown(Invalid):
    """A currency has three capital letters (ISO 4217), a country two (ISO 3166)."""
