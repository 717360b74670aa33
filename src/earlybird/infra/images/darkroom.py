"""The darkroom: opens strangers' pictures in a process that has little memory, little time, no secrets and no files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from earlybird.kernel.errors import Invalid, Unavailable
from earlybird.kernel.ids import new_id

LARGEST = 10 * 2**20
"""The most bytes a picture may come in."""

MEMORY = 640 * 2**20
"""The most bytes of address space that opening one may take."""

SECONDS = 30.0
"""How long one picture may take."""

PICTURES = 500
"""After so many the process is made anew."""

MAIN = "earlybird.infra.images.developing"
FORMS = ((b"\xff\xd8\xff", "JPEG"), (b"\x89PNG\r\n\x1a\n", "PNG"), (b"RIFF", "WEBP"))
PHONES_OWN = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis")
MEDIA_TYPES = {"photo": "image/jpeg", "signature": "image/png"}


class NotAPicture(Invalid):
    """A picture is a JPEG, PNG or WebP file."""


class PhonesOwnForm(NotAPicture):
    """HEIC and AVIF pictures are not taken: set the camera to JPEG ("most compatible")."""


class PictureBroken(Invalid):
    """The picture cannot be opened: it is cut off, damaged, or no real picture."""


class PictureTooLarge(Invalid):
    """A picture has at most 50 million pixels as JPEG, 25 million as PNG or WebP, and no side above 30,000."""


class PictureTooSmall(Invalid):
    """A picture is at least 16 pixels wide and high."""


class NoDarkroom(Unavailable):
    """Pictures cannot be opened at the moment; try again in a moment."""


REFUSALS: dict[str, type[Invalid]] = {
    "format": NotAPicture,
    "pixels": PictureTooLarge,
    "small": PictureTooSmall,
    "broken": PictureBroken,
}


@dataclass(frozen=True, slots=True)
class Developed:
    """A picture made anew: what is kept, in two sizes, and what the file that came told about itself."""

    whole: bytes
    thumbnail: bytes
    media_type: str
    width: int
    height: int
    original: dict[str, Any]
    mark: str


def check_form(body: bytes) -> None:
    """Refuse at once what does not begin like a picture that is taken."""
    if body[4:8] == b"ftyp" and body[8:12] in PHONES_OWN:
        raise PhonesOwnForm(field="body")
    form = next((name for sign, name in FORMS if body.startswith(sign)), None)
    if form is None or (form == "WEBP" and body[8:12] != b"WEBP"):
        raise NotAPicture(field="body")


class Darkroom:
    """One process that makes pictures anew, one at a time; started when first needed, made anew after a mishap."""

    environment: ClassVar[tuple[str, ...]] = ("PATH", "LD_LIBRARY_PATH", "LANG")

    def __init__(self, seconds: float = SECONDS, memory: int = MEMORY) -> None:
        self.seconds = seconds
        self.memory = memory
        self.peak_kib = 0
        """The most memory a picture took so far."""
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._done = 0
        self._finalizer: Any = None

    def develop(self, body: bytes, kind: str) -> Developed:
        """Return a photo (as JPEG) or a signature (as PNG) made anew; refuse what is no picture, or too much of one.

        It takes up to `seconds`: no transaction may be open meanwhile.
        """
        check_form(body)
        mark = new_id().hex[-16:]
        head = json.dumps({"kind": kind, "mark": mark, "length": len(body)}).encode() + b"\n"
        with self._turn:
            found, pictures = self._ask(head, body) or self._ask(head, body) or ({"refused": "broken"}, b"")
        self.peak_kib = max(self.peak_kib, found.get("peak_kib", 0))
        if "refused" in found:
            raise REFUSALS[found["refused"]](field="body")
        first, second = found["lengths"]
        return Developed(
            whole=pictures[:first],
            thumbnail=pictures[first : first + second],
            media_type=MEDIA_TYPES[kind],
            width=found["width"],
            height=found["height"],
            original=found["original"] | {"byte_count": len(body)},
            mark=mark,
        )

    def close(self) -> None:
        """End the process, if one is there."""
        if self._finalizer is not None:
            self._finalizer()
        self._process = None

    def _ask(self, head: bytes, body: bytes) -> tuple[dict[str, Any], bytes] | None:
        """Have one picture opened; None where the process fell over. One that takes too long is refused."""
        process = self._ready()
        assert process.stdin and process.stdout  # noqa: S101, PT018  # they are pipes
        too_long = threading.Event()

        def end() -> None:
            too_long.set()
            process.kill()

        watch = threading.Timer(self.seconds, end)
        watch.daemon = True
        watch.start()
        try:
            process.stdin.write(head + body)
            process.stdin.flush()
            found = json.loads(process.stdout.readline())
            pictures = process.stdout.read(sum(found.get("lengths", ())))
        except (OSError, ValueError):
            self.close()
            return ({"refused": "broken"}, b"") if too_long.is_set() else None
        finally:
            watch.cancel()
        self._done += 1
        if self._done >= PICTURES or found.get("is_worn"):
            self.close()
        return found, pictures

    def _ready(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.close()
        source = str(Path(__file__).parents[3])
        known = {name: os.environ[name] for name in self.environment if name in os.environ}
        try:
            process = subprocess.Popen(  # noqa: S603  # ourselves
                [sys.executable, "-s", "-P", "-m", MAIN, str(self.memory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=known | {"PYTHONPATH": source, "MALLOC_ARENA_MAX": "1"},
            )
        except OSError as failure:
            raise NoDarkroom from failure
        self._process, self._done = process, 0
        self._finalizer = weakref.finalize(self, _end, process)
        assert process.stdout  # noqa: S101  # it is a pipe
        if not process.stdout.readline():
            self.close()
            raise NoDarkroom
        return process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()
