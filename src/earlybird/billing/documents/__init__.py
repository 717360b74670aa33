"""A bill as people read it: as text and as PDF. Rendering reads a document and never writes."""

<<<<<<< HEAD
from earlybird.billing.documents.page import Page, page
from earlybird.billing.documents.pdf import pdf
from earlybird.billing.documents.plain import plain
=======
from earlybird.billing.documents.content import Page, page
from earlybird.billing.documents.on_paper import pdf
from earlybird.billing.documents.on_screen import plain
>>>>>>> bill

__all__ = ["Page", "page", "pdf", "plain"]
