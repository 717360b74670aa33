"""Make a picture anew from bytes that strangers sent. Runs in a process of its own, with little memory and no secrets.

`python -m earlybird.infra.images.developing MEMORY` reads requests on its standard input and answers on its standard
output: a line of JSON, then as many bytes as it says. MEMORY is how many bytes of address space it may take.
"""

from __future__ import annotations

import io
import json
import re
import resource
import sys
import warnings
from typing import IO, Any

from PIL import ExifTags, Image, JpegImagePlugin, MpoImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

MOST_PIXELS = {"JPEG": 50_000_000, "MPO": 50_000_000, "PNG": 25_000_000, "WEBP": 25_000_000}
"""How many pixels a picture may have by what its header says, before anything is opened: JPEG opens in part."""

LONGEST_SIDE, SHORTEST_SIDE = 30_000, 16
SIDES = {"photo": 2560, "signature": 1200}
"""The longest side of what is kept, in pixels."""

THUMBNAIL_SIDE = 320
QUALITY, THUMBNAIL_QUALITY = 85, 75
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What an EXIF orientation asks for."""

ACTIVE = re.compile(rb"<script|<iframe|<!doctype|<\?php\s", re.IGNORECASE)
"""What may stand nowhere in the bytes that are kept, not even by the accident of a compressor."""

LONGEST_WORD = 100
OPENERS = (JpegImagePlugin, MpoImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin)
"""Loaded before the limits hold; TIFF is the form EXIF has."""


class Refused(Exception):
    """A picture that is not taken; its text is one of: format, pixels, small, broken."""


def develop(body: bytes, kind: str, mark: str) -> tuple[dict[str, Any], bytes, bytes]:
    """Return what was read off the picture, the picture made anew, and a small one.

    `kind` is photo (JPEG comes out) or signature (a grey PNG). `mark` is written into both, so that what is kept is
    never byte for byte what came.
    """
    with Image.open(io.BytesIO(body), formats=("JPEG", "PNG", "WEBP")) as image:
        original = _checked(image)
        original["exif"] = exif = _exif(image)
        image.draft("RGB", (SIDES[kind], SIDES[kind]))
        image.load()
        whole = _flat(image)
        whole.thumbnail((SIDES[kind], SIDES[kind]), reducing_gap=2.0)
    turn = TURNS.get(exif.pop("orientation", 1))
    if turn is not None:
        whole = whole.transpose(turn)
    if kind == "signature":
        whole = whole.convert("L")
    whole.info.clear()
    small = whole.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), reducing_gap=2.0)
    found = {"original": original, "width": whole.width, "height": whole.height}
    return found, _written(whole, kind, mark, QUALITY), _written(small, kind, mark, THUMBNAIL_QUALITY)


def _checked(image: Image.Image) -> dict[str, Any]:
    """Hold the header to the limits, before any pixel is read; return what it says."""
    form, (width, height) = str(image.format), image.size
    if form not in MOST_PIXELS:
        raise Refused("format")
    if width * height > MOST_PIXELS[form] or max(width, height) > LONGEST_SIDE:
        raise Refused("pixels")
    if min(width, height) < SHORTEST_SIDE:
        raise Refused("small")
    return {"format": form, "mode": image.mode, "width": width, "height": height}


def _flat(image: Image.Image) -> Image.Image:
    """Return the first frame in plain colours, on white where one could look through it."""
    side = max(image.size)
    if image.mode.startswith(("I", "F")):  # 16 bits and more: keep the upper eight
        found = image.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    elif image.mode in {"RGBA", "LA", "La", "PA", "RGBa"} or "transparency" in image.info:
        seen = image.convert("RGBA")
        if side > 2 * max(SIDES.values()):
            seen = seen.reduce(2)
        found = Image.new("RGB", seen.size, "white")
        found.paste(seen, mask=seen.getchannel("A"))
    else:
        found = image.convert("RGB")
    return found


def _written(image: Image.Image, kind: str, mark: str, quality: int) -> bytes:
    out = io.BytesIO()
    if kind == "signature":
        label = PngImagePlugin.PngInfo()
        label.add_text("Comment", mark)
        image.save(out, "PNG", pnginfo=label)
    else:
        image.save(out, "JPEG", quality=quality, comment=mark.encode())
    if ACTIVE.search(out.getvalue()):
        raise Refused("broken")
    return out.getvalue()


def _exif(image: Image.Image) -> dict[str, Any]:
    """Return camera, time and place as the picture tells them, bounded; what cannot be read is left out."""
    found: dict[str, Any] = {}
    try:
        told = image.getexif()
        inner = told.get_ifd(ExifTags.IFD.Exif)
        gps = told.get_ifd(ExifTags.IFD.GPSInfo)
    except Exception:  # noqa: BLE001  # whatever a stranger's metadata breaks, the picture may still be good
        return found
    words = {
        "make": told.get(ExifTags.Base.Make),
        "model": told.get(ExifTags.Base.Model),
        "taken": inner.get(ExifTags.Base.DateTimeOriginal) or told.get(ExifTags.Base.DateTime),
        "offset": inner.get(ExifTags.Base.OffsetTimeOriginal) or inner.get(ExifTags.Base.OffsetTime),
        "gps_day": gps.get(ExifTags.GPS.GPSDateStamp),
    }
    found = {name: _word(word) for name, word in words.items() if isinstance(word, str) and _word(word)}
    orientation = told.get(ExifTags.Base.Orientation)
    if isinstance(orientation, int):
        found["orientation"] = orientation
    north = _degrees(gps.get(ExifTags.GPS.GPSLatitude), gps.get(ExifTags.GPS.GPSLatitudeRef), 90)
    east = _degrees(gps.get(ExifTags.GPS.GPSLongitude), gps.get(ExifTags.GPS.GPSLongitudeRef), 180)
    if north is not None and east is not None:
        found |= {"latitude": north, "longitude": east}
    try:
        hour, minute, second = (int(float(part)) for part in gps.get(ExifTags.GPS.GPSTimeStamp, ()))
    except (TypeError, ValueError, ArithmeticError):
        return found
    return found | {"gps_time": f"{hour:02d}:{minute:02d}:{second:02d}"}


def _word(text: str) -> str:
    return re.sub(r"[^ -~\u00a1-\ud7ff]", "", text).strip()[:LONGEST_WORD]


def _degrees(parts: Any, side: Any, most: int) -> float | None:
    """Return degrees, minutes and seconds as degrees, south and west negative."""
    try:
        degrees, minutes, seconds = (float(part) for part in parts)
    except (TypeError, ValueError, ArithmeticError):
        return None
    found = degrees + minutes / 60 + seconds / 3600
    if not 0 <= found <= most or side not in {"N", "S", "E", "W"}:
        return None
    return round(-found if side in {"S", "W"} else found, 6)


def answer(head: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the answer to one request; a picture can break nothing but itself."""
    try:
        found, whole, small = develop(body, head["kind"], head["mark"])
    except Refused as refusal:
        return {"refused": str(refusal)}, b""
    except MemoryError:
        return {"refused": "pixels", "is_worn": True}, b""
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return {"refused": "pixels"}, b""
    except Exception as failure:  # noqa: BLE001  # decoders raise whatever they like
        return {"refused": "broken", "why": type(failure).__name__}, b""
    return found | {"lengths": [len(whole), len(small)]}, whole + small


def peak_kib() -> int:
    """Return the most memory this process has had at once."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123  # no path library is loaded
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def limit(memory: int) -> None:
    """Take little memory, write no file, open next to none, leave no core."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    Image.MAX_IMAGE_PIXELS = max(MOST_PIXELS.values())
    PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = 2**20
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Say that all is ready, then answer until nobody asks any more."""
    answers.write(b"{}\n")
    answers.flush()
    while line := requests.readline():
        head = json.loads(line)
        found, body = answer(head, requests.read(head["length"]))
        found["peak_kib"] = peak_kib()
        answers.write(json.dumps(found).encode() + b"\n" + body)
        answers.flush()


if __name__ == "__main__":
    limit(int(sys.argv[1]))
    serve(sys.stdin.buffer, sys.stdout.buffer)
