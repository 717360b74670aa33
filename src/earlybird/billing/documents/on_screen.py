"""A bill on a screen: as text, for a terminal or a plain message, and as a page for a browser."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from earlybird.billing.documents.content import Page

if TYPE_CHECKING:
    import jinja2

WIDTH = 78


@cache
def _template() -> jinja2.Template:
    import jinja2

    around = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return around.get_template("bill.html")


def html(said: Page) -> str:
    """Return the bill as a page; nothing a customer or product is called is read as markup."""
    return _template().render(bill=said)


def plain(said: Page) -> str:
    """Return the bill as text, 78 columns wide where names allow it."""
    out = [said.business, *said.business_lines, "", f"{said.title} {said.number}{'  VOID' if said.void else ''}"]
    out += [f"For {said.customer} ({', '.join(said.customer_lines)})"]
    out += [f"Period {said.period} · issued {said.issued_on} · due {said.due_on}"]
    if said.corrects:
        out.append(f"Corrects {said.corrects}")
    if said.reason:
        out.append(f"Reason: {said.reason}")
    out += ["", f"{'Day':<12}{'':<28}{'Quantity':>12}{'Price':>10}{'Amount':>16}", "-" * WIDTH]
    before = None
    for line in said.lines:
        shown = "" if line["day"] == before else line["day"]
        before = line["day"]
        out.append(f"{shown:<12}{line['what']:<28}{line['quantity']:>12}{line['price']:>10}{line['amount']:>16}")
    out.append("-" * WIDTH)
    for tax in said.taxes:
        out.append(f"{tax['component']} {tax['rate']} on {tax['base']}: {tax['tax']}")
    if said.taxes:
        out.append("")
    out += [f"{name:>60}  {amount:>16}" for name, amount in said.sums]
    out.append(f"{'To pay':>60}  {said.to_pay:>16}")
    if said.payments:
        out += ["", "Payments since:"]
        out += [f"  {row['day']}  {row['how']:<40}{row['amount']:>16}" for row in said.payments]
    if said.pay_link:
        out += ["", f"Pay by UPI: {said.pay_link}"]
    return "\n".join(out) + "\n"
