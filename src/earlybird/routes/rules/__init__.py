"""Decisions about rounds: how far, in which order, what is remembered, which stop belongs to which round."""
