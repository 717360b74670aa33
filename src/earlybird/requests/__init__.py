"""Requests: what drivers, links and customers ask for, and what the office says to it."""
