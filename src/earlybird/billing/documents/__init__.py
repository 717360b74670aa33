"""A bill as people read it: as text and as PDF. Rendering reads a document and never writes."""

from earlybird.billing.documents.content import Page, page
from earlybird.billing.documents.on_paper import pdf
from earlybird.billing.documents.on_screen import plain

__all__ = ["Page", "page", "pdf", "plain"]
