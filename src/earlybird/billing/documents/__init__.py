"""A bill as people read it: as text, as a page and as PDF. Rendering reads a document and never writes."""

from earlybird.billing.documents.content import Page, page
from earlybird.billing.documents.on_paper import pdf
from earlybird.billing.documents.on_screen import html, plain

__all__ = ["Page", "html", "page", "pdf", "plain"]
