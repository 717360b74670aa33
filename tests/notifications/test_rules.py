"""Words, silence and patience of messages."""

from __future__ import annotations

from datetime import timedelta
from string import Template

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
}


@pytest.mark.parametrize("kind", MessageKind)
@pytest.mark.parametrize("language", ["en", "hi", "te", "hi-IN", "zh", "HI"])
def test_every_kind_has_words_in_every_language_or_in_english(kind: MessageKind, language: str) -> None:
    subject, body = rules.words(kind, language, FACTS)
    assert "$" not in subject + body
    is_other = subject != rules.words(kind, "en", FACTS)[0]
    assert is_other == ((kind, language.lower()[:2]) in rules.WORDS and language != "en")


def test_no_subject_holds_a_secret_and_every_translation_needs_the_same_facts() -> None:
    for (kind, _), (subject, body) in rules.WORDS.items():
        assert not {"code", "link"} & set(Template(subject).get_identifiers())
        english = rules.WORDS[kind, "en"][1]
        assert set(Template(body).get_identifiers()) == set(Template(english).get_identifiers())


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
