"""Strangers' pictures: nothing is kept as it came, and nothing they hold can take memory, time or the process."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from conftest import SOAK
from earlybird.infra.images import darkroom as rooms
from earlybird.infra.images.darkroom import Darkroom, Developed
from make.hostile import PAYLOAD, bombs, hostile, many_scans, picture, written

SIDE = 5000 if SOAK else 1200
SUSPECT = re.compile(rb"<script|<html|<svg|<\?php|onload=|alert\(|document\.cookie|PK\x03\x04", re.IGNORECASE)


@pytest.fixture(scope="module")
def darkroom() -> Iterator[Darkroom]:
    room = Darkroom()
    yield room
    room.close()


def developed(room: Darkroom, body: bytes, kind: str = "photo") -> Developed | type[Exception]:
    try:
        return room.develop(body, kind)
    except (rooms.Invalid, rooms.Unavailable) as failure:
        return type(failure)


def opened(body: bytes) -> Image.Image:
    with Image.open(io.BytesIO(body)) as image:
        image.load()
        return image


def test_of_a_hundred_hostile_files_none_is_kept_as_it_came(darkroom: Darkroom) -> None:
    files = hostile(SIDE)
    assert len(files) > 100
    outcomes: dict[str, object] = {}
    for name, body in files.items():
        kind = "signature" if "png" in name else "photo"
        found = developed(darkroom, body, kind)
        outcomes[name] = found
        if isinstance(found, type):
            assert issubclass(found, rooms.Invalid), (name, found)
            continue
        for kept in (found.whole, found.thumbnail):
            assert kept != body, name
            assert not SUSPECT.search(kept), name
            image = opened(kept)
            assert (image.format, getattr(image, "n_frames", 1)) == ("PNG" if kind == "signature" else "JPEG", 1), name
            assert not image.getexif(), name
            assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density", "comment", "Comment"}, name
        assert max(found.width, found.height) <= 2560, name
    assert darkroom.peak_kib < rooms.MEMORY // 1024
    taken = {name for name, found in outcomes.items() if isinstance(found, Developed)}
    assert "jpeg and html" in taken  # neutralised
    assert outcomes["heic"] is rooms.PhonesOwnForm
    assert outcomes["jpeg of 64 million pixels"] is rooms.PictureTooLarge
    assert outcomes["png of 36 million pixels"] is rooms.PictureTooLarge
    assert outcomes["png of 100 million pixels"] is rooms.PictureTooLarge
    assert outcomes["one pixel"] is rooms.PictureTooSmall
    assert {outcomes[name] for name in files if name.startswith("JPEG cut")} == {rooms.PictureBroken}
    assert not taken & {"html", "svg", "html as jpeg", "html as png", "pdf", "postscript", "png with a long profile"}


def test_what_would_take_more_memory_is_refused_and_the_next_picture_is_taken() -> None:
    """The limit is the process's own; a picture that passes all the others runs into it."""
    small = Darkroom(memory=160 * 2**20)
    large = dict(bombs(2600))["webp, large"]
    assert developed(small, large) is rooms.PictureTooLarge
    assert isinstance(developed(small, written(picture())), Developed)
    assert small.peak_kib < 160 * 1024
    small.close()


def test_what_takes_too_long_is_ended_and_the_next_picture_is_taken() -> None:
    room, slow = Darkroom(seconds=0.05), many_scans(6000)
    assert developed(room, slow) is rooms.PictureBroken
    room.seconds = 30
    assert isinstance(developed(room, slow), Developed)
    room.close()


def test_a_process_that_fell_over_is_made_anew(darkroom: Darkroom) -> None:
    assert isinstance(developed(darkroom, written(picture())), Developed)
    assert darkroom._process
    darkroom._process.kill()
    assert isinstance(developed(darkroom, written(picture())), Developed)


def test_the_process_knows_no_secret_and_may_write_no_file(darkroom: Darkroom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARLYBIRD_SECRET_KEY", "never to be seen by a decoder")
    darkroom.close()
    darkroom.develop(written(picture()), "photo")
    assert darkroom._process
    told = Path(f"/proc/{darkroom._process.pid}")
    assert b"SECRET" not in (told / "environ").read_bytes()
    told_limits = (told / "limits").read_text(encoding="ascii")
    assert re.search(r"Max file size +0 +0 ", told_limits)
    assert re.search(rf"Max address space +{rooms.MEMORY} ", told_limits)


def test_time_place_and_camera_are_told_and_are_not_in_the_picture(darkroom: Darkroom) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Xiaomi\0\x07", "Redmi 9A" + "x" * 500
    exif[ExifTags.Base.Orientation] = 6
    inner, gps = exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo)
    inner[ExifTags.Base.DateTimeOriginal], inner[ExifTags.Base.OffsetTimeOriginal] = "2026:01:16 06:30:00", "+05:30"
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLongitudeRef] = "N", "E"
    gps[ExifTags.GPS.GPSLatitude] = (Fraction(12), Fraction(58), Fraction(1788, 100))
    gps[ExifTags.GPS.GPSLongitude] = (Fraction(77), Fraction(35), Fraction(408, 10))
    gps[ExifTags.GPS.GPSDateStamp], gps[ExifTags.GPS.GPSTimeStamp] = "2026:01:16", (1, 0, 12)
    body = written(picture((120, 90)), exif=exif)
    assert b"Xiaomi" in body
    found = darkroom.develop(body, "photo")
    told = found.original["exif"]
    assert (told["latitude"], told["longitude"]) == (12.971633, 77.594667)
    assert (told["taken"], told["offset"], told["gps_time"]) == ("2026:01:16 06:30:00", "+05:30", "01:00:12")
    assert told["make"] == "Xiaomi"
    assert len(told["model"]) == 100
    assert (found.width, found.height) == (90, 120)  # turned as the camera was held
    for kept in (found.whole, found.thumbnail):
        assert not opened(kept).getexif()
        assert not re.search(rb"Exif|Xiaomi|Redmi|2026:01", kept)


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA", "LA", "CMYK", "I;16"])
def test_a_picture_of_any_kind_still_shows_what_it_showed(darkroom: Darkroom, mode: str) -> None:
    image = Image.new("L", (64, 64), 255)
    image.paste(0, (0, 0, 32, 64))
    if mode == "I;16":
        image = image.convert("I").point(lambda value: value * 257)
    form = "JPEG" if mode == "CMYK" else "PNG"
    found = darkroom.develop(written(image.convert(mode), form), "photo")
    shown = opened(found.whole).convert("L")
    assert shown.getpixel((8, 32)) < 40
    assert shown.getpixel((56, 32)) > 215


def test_what_one_looks_through_is_white(darkroom: Darkroom) -> None:
    ink = Image.new("RGBA", (200, 100), (0, 0, 0, 0))
    ink.paste((0, 0, 0, 255), (50, 50, 150, 54))
    found = darkroom.develop(written(ink, "PNG"), "signature")
    shown = opened(found.whole)
    assert (shown.format, shown.mode, found.media_type) == ("PNG", "L", "image/png")
    assert (shown.getpixel((5, 5)), shown.getpixel((100, 52))) == (255, 0)


def test_a_picture_made_here_is_made_anew_when_it_comes_back(darkroom: Darkroom) -> None:
    first = darkroom.develop(written(Image.new("RGB", (64, 64), "grey")), "photo")
    assert darkroom.develop(first.whole, "photo").whole != first.whole


def test_pixels_that_spell_a_script_are_not_kept(darkroom: Darkroom) -> None:
    """A compressor may keep what it cannot press as it is: then the pixels themselves stand in the file."""
    row = (PAYLOAD * 4)[:256]
    noise = Image.frombytes("L", (256, 256), b"".join(row for _ in range(256)))
    found = developed(darkroom, written(noise, "PNG", compress_level=0), "signature")
    assert isinstance(found, type) or not SUSPECT.search(found.whole)
