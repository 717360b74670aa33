"""A bill as people read it: as text and as PDF. Rendering reads a document and never writes."""

from earlybird.billing.documents.page import Page, page
from earlybird.billing.documents.pdf import pdf
from earlybird.billing.documents.plain import plain

__all__ = ["Page", "page", "pdf", "plain"]
