"""Words, silence and patience of messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from string import Template
from zoneinfo import ZoneInfo

import pytest

from earlybird.notifications import rules
from earlybird.notifications.errors import FactMissing
from earlybird.notifications.states import Channel, MessageKind

FACTS = {
    "code": "482913",
    "minutes": 5,
    "name": "Ravi",
    "business": "Fresh Milk",
    "link": "https://x/y",
    "until": "1 May",
    "order": "EB-7Q4K",
    "date": "2026-01-19",
    "items": "1.5 L Toned Milk",
    "amount": "1234.50 INR",
    "since": "2026-01-19",
    "number": "INV/2025-26/1",
    "first": "2026-01-01",
    "last": "2026-01-31",
    "due": "2026-02-08",
}


@pytest.mark.parametrize("kind", MessageKind)
def test_every_kind_has_words_in_four_languages_and_other_languages_get_english(kind: MessageKind) -> None:
    said = {language: rules.words(kind, language, FACTS) for language in ("en", "hi-IN", "te", "ZH", "fr")}
    assert not any("$" in text for words in said.values() for text in words)
    assert said["fr"] == said["en"]
    assert len({body for _, body in said.values()}) == 4


def test_dates_and_amounts_are_written_as_each_language_writes_them() -> None:
    for language, day, amount in (
        ("en", "8 Feb 2026", "₹1,234.50"), ("hi", "8 फ़र॰ 2026", "₹1,234.50"), ("zh", "2026年2月8日", "₹1,234.50"),
    ):  # fmt: skip
        body = rules.words(MessageKind.bill_issued, language, FACTS)[1]
        assert (day in body, amount in body) == (True, True), body


IST, TORONTO, NEW_YEAR = "Asia/Kolkata", "America/Toronto", "2026-01-01T00:00"


@pytest.mark.parametrize(
    ("zone", "local", "quiet", "until"),
    [
        (IST, "2026-01-15T19:59", (20, 9), "2026-01-15T19:59"),
        (IST, "2026-01-15T20:00", (20, 9), "2026-01-16T09:00"),
        (IST, "2025-12-31T23:59", (20, 9), "2026-01-01T09:00"),
        (IST, NEW_YEAR, (20, 9), "2026-01-01T09:00"),
        (IST, "2026-01-01T08:59", (20, 9), "2026-01-01T09:00"),
        (IST, "2026-01-01T09:00", (20, 9), "2026-01-01T09:00"),
        (TORONTO, "2026-03-07T21:00", (20, 9), "2026-03-08T09:00"),
        (TORONTO, "2026-10-31T22:00", (20, 9), "2026-11-01T09:00"),
        (IST, "2026-01-15T13:30", (13, 15), "2026-01-15T15:00"),
        (IST, "2026-01-15T15:00", (13, 15), "2026-01-15T15:00"),
        (IST, "2026-01-15T03:00", (0, 0), "2026-01-15T03:00"),
        (IST, "2026-01-15T20:00", (20, 24), "2026-01-16T00:00"),
        (IST, "2026-01-15T20:00", (20, 0), "2026-01-16T00:00"),
        (IST, "2026-01-15T03:00", (24, 6), "2026-01-15T06:00"),
    ],
)
def test_quiet_hours_end_in_the_customer_s_morning_wherever_that_is(
    zone: str, local: str, quiet: tuple[int, int], until: str
) -> None:
    def instant(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))

    found = rules.not_before(instant(local).astimezone(UTC), zone, quiet_from=quiet[0], quiet_until=quiet[1])
    assert found == instant(until)


def test_no_subject_holds_a_secret_and_every_translation_needs_the_same_facts() -> None:
    for (kind, _), (subject, body) in rules.WORDS.items():
        assert not {"code", "link"} & set(Template(subject).get_identifiers())
        english = rules.WORDS[kind, "en"]
        for said, wanted in ((body, english[1]), (subject, english[0])):
            assert set(Template(said).get_identifiers()) == set(Template(wanted).get_identifiers())


def test_a_missing_fact_is_refused_by_its_name() -> None:
    with pytest.raises(FactMissing) as refused:
        rules.words(MessageKind.one_time_code, "en", {"code": "1"})
    assert refused.value.field == "minutes"


def test_a_fact_cannot_add_a_header_or_a_paragraph() -> None:
    subject, body = rules.words(
        MessageKind.invitation, "en", FACTS | {"business": "A\r\nBcc: all@x.in", "name": "B\n\nC"}
    )
    assert "\n" not in subject
    assert body.startswith("Hello B C,")


@pytest.mark.parametrize(
    ("address", "is_unread"),
    [
        ("customer-7@earlybird.local", True), ("a@b.EXAMPLE", True), ("a@b.test.", True), ("a@x.invalid", True),
        ("a@local.in", False), ("a@example.com", False),
    ],
)  # fmt: skip
def test_made_up_addresses_are_never_mailed(address: str, is_unread: bool) -> None:  # noqa: FBT001
    assert rules.is_unread(Channel.email, address) is is_unread
    assert rules.is_unread(Channel.sms, address) is False


def test_a_failed_message_is_tried_again_ever_later_and_then_given_up() -> None:
    waits = [rules.wait(n) for n in range(1, 9)]
    assert waits == sorted(w for w in waits if w)
    assert waits[0] == timedelta(seconds=15)
    assert rules.wait(9) is None
