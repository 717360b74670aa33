"""The HTTP door of the money side: documents, payments, and amounts that are not delivered lines."""
