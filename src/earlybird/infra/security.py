"""One root secret and what is derived from it: keys to sign, to seal and to fingerprint with.

Nothing has a default: the secret is given (`EARLYBIRD_SECRET_KEY`, `EARLYBIRD_SECRET_KEY_FILE`), or a random one
is made once in the data directory and kept there, readable by its owner alone.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from earlybird.infra.settings import Settings
from earlybird.kernel.errors import Invalid, Unavailable

FEWEST_BYTES = 32
NONCE_BYTES = 12
FILE = "secret.key"


class SecretTooWeak(Invalid):
    """The secret key is at least 32 random bytes, written in base64 or hex: make one with openssl rand -hex 32."""


class Unreadable(Invalid):
    """That was not sealed with this secret key, or it was changed."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The root secret. Each purpose gets a key of its own (HKDF-SHA256, RFC 5869); it never shows in a repr."""

    root: bytes = field(repr=False)

    @classmethod
    def random(cls) -> Keys:
        """Return a new secret, for tests and for the first start."""
        return cls(secrets.token_bytes(FEWEST_BYTES))

    @classmethod
    def decoded(cls, text: str) -> Keys:
        """Return the secret written in a text, in base64 or hex; raise `SecretTooWeak`."""
        return cls(_decoded(text))

    @classmethod
    def read(cls, settings: Settings) -> Keys:
        """Return the secret the settings give, else the one kept in the data directory, made when it is not there."""
        if settings.secret_key is not None:
            return cls(_decoded(settings.secret_key.get_secret_value()))
        path = settings.secret_key_file or settings.data_dir / FILE
        if settings.secret_key_file is None:
            _make(path)
        try:
            return cls(_decoded(path.read_text(encoding="ascii")))
        except OSError as failure:
            raise Unavailable(f"The secret key cannot be read: {failure}", field="secret_key_file") from failure

    def derive(self, purpose: str) -> bytes:
        """Return the 32-byte key of one purpose."""
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=f"earlybird {purpose}".encode()).derive(
            self.root
        )

    def mac(self, purpose: str, text: str) -> str:
        """Return the HMAC-SHA256 of a text, in hex: the fingerprint of a short secret that a table may keep."""
        return hmac.new(self.derive(purpose), text.encode(), hashlib.sha256).hexdigest()

    def seal(self, purpose: str, plain: bytes) -> bytes:
        """Return `plain` encrypted and authenticated (ChaCha20-Poly1305, RFC 8439), its nonce in front."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + ChaCha20Poly1305(self.derive(purpose)).encrypt(nonce, plain, purpose.encode())

    def open(self, purpose: str, sealed: bytes) -> bytes:
        """Return what was sealed for that purpose; refuse what was changed or sealed by another key."""
        try:
            cipher = ChaCha20Poly1305(self.derive(purpose))
            return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], purpose.encode())
        except InvalidTag as failure:
            raise Unreadable from failure

    def signer(self, purpose: str) -> Ed25519PrivateKey:
        """Return the Ed25519 key (RFC 8032) of one purpose."""
        return Ed25519PrivateKey.from_private_bytes(self.derive(purpose))


def _decoded(text: str) -> bytes:
    text = text.strip()
    try:
        found = bytes.fromhex(text)
    except ValueError:
        try:
            found = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except ValueError as failure:
            raise SecretTooWeak(field="secret_key") from failure
    if len(found) < FEWEST_BYTES or len(set(found)) < FEWEST_BYTES // 4:
        raise SecretTooWeak(field="secret_key")
    return found


def _make(path: Path) -> None:
    """Write a random secret where none is; two at once keep the first."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(FEWEST_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
