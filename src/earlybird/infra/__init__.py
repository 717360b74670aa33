"""The machines: database, settings, web plumbing. No business words here."""
