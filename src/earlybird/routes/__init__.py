"""Rounds: the day's stops cut into rounds, sequenced, and the order that is remembered."""
