"""Streams of any length encrypted piece by piece (AES-256-GCM, NIST SP 800-38D), in flat memory.

A stream is cut into pieces of one mebibyte. The nonce of a piece is its number and whether it is the last, as in
the STREAM construction (Hoang et al., 2015): no piece can be changed, moved, left out or cut off unseen. Each part of
each backup has a key of its own, so that no nonce is ever used twice under one key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from earlybird.deploy.errors import BackupDamaged

PIECE = 2**20
TAG = 16


class Sink(Protocol):
    """Takes bytes."""

    def write(self, piece: bytes, /) -> object:
        """Take some more."""
        ...


class Sealer:
    """Encrypts what is written to it into a sink; `finish` writes the last piece."""

    def __init__(self, sink: Sink, key: bytes) -> None:
        self._sink, self._cipher = sink, AESGCM(key)
        self._kept = bytearray()
        self._number = 0

    def write(self, piece: bytes) -> int:
        """Encrypt every whole piece; keep the rest."""
        self._kept += piece
        while len(self._kept) > PIECE:  # a full one may still be the last
            self._put(bytes(self._kept[:PIECE]), is_last=False)
            del self._kept[:PIECE]
        return len(piece)

    def finish(self) -> None:
        """Write what is left as the last piece, empty or not."""
        self._put(bytes(self._kept), is_last=True)

    def _put(self, plain: bytes, *, is_last: bool) -> None:
        self._sink.write(self._cipher.encrypt(nonce(self._number, is_last=is_last), plain, None))
        self._number += 1


def nonce(number: int, *, is_last: bool) -> bytes:
    """Return the twelve bytes for one piece."""
    return number.to_bytes(11, "big") + bytes([is_last])


def opened(stream: Iterable[bytes], key: bytes) -> Iterator[bytes]:
    """Yield the plain bytes of a sealed stream; raise `BackupDamaged` at the first piece that is not as written."""
    cipher, kept, number = AESGCM(key), bytearray(), 0
    whole = PIECE + TAG
    try:
        for piece in stream:
            kept += piece
            while len(kept) > whole:
                yield cipher.decrypt(nonce(number, is_last=False), bytes(kept[:whole]), None)
                del kept[:whole]
                number += 1
        yield cipher.decrypt(nonce(number, is_last=True), bytes(kept), None)
    except InvalidTag as failure:
        raise BackupDamaged(piece=number) from failure
