"""The words of each kind of message, who is never mailed, and when a failed one is tried again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from string import Template

from earlybird.notifications.errors import FactMissing
from earlybird.notifications.states import Channel, MessageKind

UNREAD = frozenset({"local", "example", "test", "invalid"})
"""Top-level names that no mail server answers for (RFC 2606, RFC 6762) and that made-up addresses end in."""

FALLBACK = "en"

LEASE = timedelta(minutes=1)
"""How long a sender has for the batch it took, before another may take it."""

WAITS = tuple(timedelta(seconds=seconds) for seconds in (15, 60, 5 * 60, 15 * 60, 3600, 3 * 3600, 6 * 3600, 12 * 3600))
"""How long after each failed try the next one comes; after the last the message has failed."""

K = MessageKind

WORDS: Mapping[tuple[MessageKind, str], tuple[str, str]] = {
    (K.one_time_code, "en"): (
        "Your sign-in code",
        "$code is your Earlybird sign-in code. It is good for $minutes minutes. Nobody from us will ask you for it.",
    ),
    (K.one_time_code, "hi"): (
        "आपका साइन-इन कोड",
        "$code आपका Earlybird साइन-इन कोड है। यह $minutes मिनट तक मान्य है। इसे किसी को न बताएँ।",
    ),
    (K.one_time_code, "te"): (
        "మీ సైన్-ఇన్ కోడ్",
        "$code మీ Earlybird సైన్-ఇన్ కోడ్. ఇది $minutes నిమిషాలు చెల్లుతుంది. దీన్ని ఎవరికీ చెప్పకండి.",
    ),
    (K.invitation, "en"): (
        "Your account at $business",
        (
            "Hello $name,\n\n$business has made an account for you: your calendar, deliveries and bills.\n"
            "Choose a password here:\n\n$link\n\nThe link works once, until $until."
        ),
    ),
    (K.invitation, "hi"): (
        "$business में आपका खाता",
        (
            "नमस्ते $name,\n\n$business ने आपके लिए एक खाता बनाया है: आपका कैलेंडर, डिलीवरी और बिल।\n"
            "यहाँ अपना पासवर्ड चुनें:\n\n$link\n\nयह लिंक केवल एक बार काम करता है, $until तक।"
        ),
    ),
    (K.invitation, "te"): (
        "$business లో మీ ఖాతా",
        (
            "నమస్తే $name,\n\n$business మీ కోసం ఒక ఖాతా తెరిచింది: మీ క్యాలెండర్, డెలివరీలు, బిల్లులు.\n"
            "మీ పాస్‌వర్డ్‌ను ఇక్కడ ఎంచుకోండి:\n\n$link\n\nఈ లింక్ ఒక్కసారి మాత్రమే పనిచేస్తుంది, $until వరకు."
        ),
    ),
    (K.sign_in_link, "en"): (
        "Your sign-in link",
        "Sign in here:\n\n$link\n\nThe link works once, for $minutes minutes. If you did not ask for it, do nothing.",
    ),
    (K.password_reset, "en"): (
        "Choose a new password",
        (
            "Somebody, probably you, asked for a new password. Choose it here:\n\n$link\n\n"
            "The link works once, for $minutes minutes. If it was not you, do nothing: your password stays as it is."
        ),
    ),
    (K.password_reset, "hi"): (
        "नया पासवर्ड चुनें",
        (
            "किसी ने, शायद आपने, नया पासवर्ड माँगा है। उसे यहाँ चुनें:\n\n$link\n\n"
            "यह लिंक केवल एक बार काम करता है, $minutes मिनट तक। यदि यह आपने नहीं माँगा, तो कुछ न करें।"
        ),
    ),
    (K.password_reset, "te"): (
        "కొత్త పాస్‌వర్డ్‌ను ఎంచుకోండి",
        (
            "ఎవరో, బహుశా మీరే, కొత్త పాస్‌వర్డ్ అడిగారు. దాన్ని ఇక్కడ ఎంచుకోండి:\n\n$link\n\n"
            "ఈ లింక్ ఒక్కసారి మాత్రమే, $minutes నిమిషాలు పనిచేస్తుంది. మీరు అడగకపోతే, ఏమీ చేయకండి."
        ),
    ),
    (K.password_changed, "en"): (
        "Your password was changed",
        (
            "The password of your account was changed, and you were signed out everywhere else. "
            "If it was not you, ask for a new password at once."
        ),
    ),
}
"""Subject and body by kind and language. A subject never holds a code or a link: it is kept, the body is wiped."""


def words(kind: MessageKind, language: str, facts: Mapping[str, object]) -> tuple[str, str]:
    """Return subject and body in that language, else in English; refuse a message that lacks a fact.

    Facts are one line each, so that none can add a header or a paragraph.
    """
    subject, body = WORDS.get((kind, language.lower().partition("-")[0]), WORDS[kind, FALLBACK])
    plain = {name: re.sub(r"\s+", " ", str(fact)).strip() for name, fact in facts.items()}
    try:
        return Template(subject).substitute(plain), Template(body).substitute(plain)
    except KeyError as failure:
        raise FactMissing(field=str(failure.args[0]), kind=str(kind)) from failure


def is_unread(channel: Channel, address: str) -> bool:
    """Say whether nobody can read mail at that address, so that none is sent."""
    return channel == Channel.email and address.strip().rstrip(".").lower().rpartition(".")[2] in UNREAD


def wait(tries: int) -> timedelta | None:
    """Return how long after the n-th failed try the next comes (n from 1); None when that was the last."""
    return WAITS[tries - 1] if tries <= len(WAITS) else None
