"""The API's own description: OpenAPI 3.1, a page to read it on, a plain-text summary for language models."""
