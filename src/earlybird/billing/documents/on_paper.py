"""A bill as PDF, set by typst, with the UPI code to pay it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Literal

import orjson

from earlybird.billing.documents.content import Page

TEMPLATE = Path(__file__).parent / "bill.typ"


def pdf(said: Page, *, kind: Literal["pdf", "png"] = "pdf") -> bytes:
    """Return the bill as one PDF (or, for looking at, `png`: its first page).

    Nothing a customer or product is called is read as markup. Scripts beyond Latin and ₹ need a font of
    the system (Debian: fonts-noto-core has Telugu, Devanagari and Chinese comes with fonts-noto-cjk).
    """
    import typst

    made = typst.compile(
        TEMPLATE,
        format=kind,
        sys_inputs={"bill": orjson.dumps(asdict(said)).decode(), "qr": _code(said.pay_link)},
    )
    return bytes(made[0] if isinstance(made, list) else made)


def _code(link: str | None) -> str:
    if link is None:
        return ""
    import segno

    drawn: str = segno.make(link, error="m").svg_inline(border=0)
    return drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
