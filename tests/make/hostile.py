"""More than a hundred files that nobody should keep as they are: lies, bombs, polyglots, fragments, oddities."""

from __future__ import annotations

import gzip
import io
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

from PIL import Image, PngImagePlugin

PAYLOAD = b"<script>alert(document.cookie)</script><?php system($_GET['c']); ?>"
HTML = b"<!DOCTYPE html><html><body>" + PAYLOAD + b"</body></html>"
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">' + PAYLOAD + b"</svg>"
SOI, SOS, PNG = b"\xff\xd8\xff", b"\xff\xda", b"\x89PNG\r\n\x1a\n"


def picture(size: tuple[int, int] = (120, 90), mode: str = "RGB") -> Image.Image:
    """A picture with something on it."""
    dice = random.Random(5)
    small = Image.frombytes("RGB", (8, 6), dice.randbytes(8 * 6 * 3))
    return small.resize(size).convert(mode)


def written(image: Image.Image, form: str = "JPEG", **words: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **words)
    return out.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, *chunks: bytes, depth: int = 1, colour: int = 0, pixels: bytes | None = None,
        interlace: int = 0) -> bytes:  # fmt: skip
    """A PNG by hand: its header may lie, its pixels are zeros unless given."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))
    if pixels is None:
        pixels = zlib.compress(bytes(min((width * depth + 7) // 8 + 1, 2**20) * min(height, 8)), 9)
    return PNG + head + b"".join(chunks) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def zeros(count: int) -> bytes:
    """So many zero bytes, compressed, without ever holding them."""
    press, part = zlib.compressobj(9), bytes(2**20)
    return b"".join([*(press.compress(part) for _ in range(count // 2**20)), press.compress(bytes(count % 2**20)),
                     press.flush()])  # fmt: skip


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def jpeg_claiming(width: int, height: int) -> bytes:
    """A JPEG whose header says another size than its data has."""
    whole = written(picture())
    place = whole.index(b"\xff\xc0")
    return whole[: place + 5] + struct.pack(">HH", height, width) + whole[place + 9 :]


def many_scans(count: int, side: int = 400) -> bytes:
    """A progressive JPEG whose last scan stands there so many times."""
    whole = written(picture((side, side)), progressive=True, quality=60)
    places = [i for i in range(len(whole)) if whole[i : i + 2] == SOS]
    last = whole[places[-1] : -2]
    return whole[:-2] + last * count + whole[-2:]


def exif(*entries: tuple[int, int, int, bytes], next_at: int = 0) -> bytes:
    """EXIF by hand: little-endian TIFF with one directory."""
    body = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries))
    for tag, kind, count, value in entries:
        body += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
    return b"Exif\0\0" + body + struct.pack("<I", next_at)


def webp_claiming(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + size
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def lies() -> Iterator[tuple[str, bytes]]:
    """What is no picture, whatever it says."""
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("x.html", HTML)
    plain = picture()
    yield "nothing", b""
    yield "one byte", b"\xff"
    yield "zeros", bytes(4096)
    yield "html", HTML
    yield "svg", SVG
    yield "svg, gzipped", gzip.compress(SVG)
    yield "php", PAYLOAD
    yield "shell", b"#!/bin/sh\nrm -rf /\n"
    yield "zip", zipped.getvalue()
    yield "pdf", b"%PDF-1.7\n" + PAYLOAD
    yield "elf", b"\x7fELF" + bytes(200)
    yield "postscript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 90 90\n(%pipe%id) (r) file\n"
    yield "html as jpeg", SOI + HTML
    yield "html as jpeg with a comment", SOI[:2] + segment(0xFE, HTML)
    yield "html as png", PNG + HTML
    yield "html as webp", b"RIFF" + struct.pack("<I", len(HTML) + 4) + b"WEBP" + HTML
    yield "riff that is sound", b"RIFF\x24\0\0\0WAVEfmt " + bytes(40)
    yield "html as gif", b"GIF89a" + HTML
    yield "heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)
    yield "avif", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + bytes(200)
    yield "mp4", b"\0\0\0\x18ftypmp42\0\0\0\0" + bytes(200)
    for form in ("GIF", "TIFF", "BMP", "ICO", "PPM", "TGA", "PCX", "JPEG2000"):
        yield f"a real {form}", written(plain, form)


def polyglots() -> Iterator[tuple[str, bytes]]:
    """Real pictures that are something else as well."""
    jpeg, text = written(picture()), PngImagePlugin.PngInfo()
    text.add_text("Comment", PAYLOAD.decode())
    text.add_text("Long", PAYLOAD.decode() * 50, zip=True)
    text.add_itxt("XML:com.adobe.xmp", SVG.decode())
    zipped = io.BytesIO(jpeg)
    with zipfile.ZipFile(zipped, "a") as archive:
        archive.writestr("x.html", HTML)
    yield "jpeg and html", jpeg + HTML
    yield "jpeg and zip", zipped.getvalue()
    yield "jpeg with html as a comment", with_segments(jpeg, segment(0xFE, HTML))
    yield "jpeg with a script that is a jpeg too", with_segments(jpeg, segment(0xFE, b"*/=1;" + PAYLOAD + b"/*"))
    for number in range(16):
        yield f"jpeg with html in APP{number}", with_segments(jpeg, segment(0xE0 + number, HTML))
    yield "jpeg with html as icc", written(picture(), icc_profile=HTML * 20)
    described = Image.Exif()
    described[0x010E], described[0x013B], described[0x9286] = PAYLOAD.decode(), PAYLOAD.decode(), PAYLOAD
    for form in ("JPEG", "PNG", "WEBP"):
        yield f"{form} with html in exif", written(picture(), form, exif=described.tobytes())
    yield "jpeg with xmp", written(picture(), xmp=SVG)
    yield "webp with xmp", written(picture(), "WEBP", xmp=SVG)
    yield "png with texts", written(picture(), "PNG", pnginfo=text)
    yield "png with html as icc", written(picture(), "PNG", icc_profile=HTML * 20)
    yield "png and html", written(picture(), "PNG") + HTML
    yield "png with html between", png(64, 64, chunk(b"htML", HTML))
    yield "png whose pixels spell html", png(len(PAYLOAD) // 3 * 3, 64, depth=8, pixels=zlib.compress(
        b"".join(b"\0" + PAYLOAD[: len(PAYLOAD) // 3 * 3] for _ in range(64)), 0))  # fmt: skip
    yield "webp and html", written(picture(), "WEBP") + HTML


def bombs(side: int) -> Iterator[tuple[str, bytes]]:
    """Small files that want to be large; those that may be opened have so many pixels a side."""
    many = 2 * side * side  # more than what any text may open to
    yield "png of 100 million pixels", png(10_000, 10_000)
    yield "png of 36 million pixels", png(6000, 6000)
    yield "png as wide as it gets", png(2**31 - 1, 2**31 - 1)
    yield "png of nothing", png(0, 100)
    yield "png, long and thin", png(60_000, 20)
    yield "png, large in a few bytes", png(side, side, pixels=zeros((side // 8 + 1) * side))
    yield "png, large, of 16 bits", png(side, side, depth=16, colour=6, pixels=zeros((8 * side + 1) * side))
    yield "png, large, interlaced", png(side, side, interlace=1, depth=8, pixels=zeros(side * side + 16 * side))
    yield "png with more pixels than it says", png(64, 64, pixels=zeros(many))
    yield "png with a long text", png(64, 64, chunk(b"zTXt", b"k\0\0" + zeros(many)))
    yield "png with a long profile", png(64, 64, chunk(b"iCCP", b"k\0\0" + zeros(many)))
    yield "png with a long international text", png(64, 64, chunk(b"iTXt", b"k\0\1\0\0\0" + zeros(many)))
    yield "png with 20,000 texts", png(64, 64, chunk(b"tEXt", b"k\0" + b"x" * 100) * 20_000)
    yield "png with exif of 5 MB", png(64, 64, chunk(b"eXIf", b"II*\0\x08\0\0\0\xff\xff" + bytes(5 * 2**20)))
    yield "png with a chunk as long as it gets", PNG + b"\xff\xff\xff\xffIHDR" + bytes(100)
    yield "jpeg of 64 million pixels", jpeg_claiming(8000, 8000)
    yield "jpeg as wide as it gets", jpeg_claiming(65_500, 65_500)
    yield "jpeg, large, most of it missing", jpeg_claiming(side, side)
    yield "jpeg of nothing", jpeg_claiming(0, 0)
    yield "jpeg, large", written(Image.new("L", (7 * side // 5, 7 * side // 5), 90))
    yield "jpeg with 200 scans", many_scans(200)
    yield "webp of 268 million pixels", webp_claiming(16_384, 16_384)
    yield "webp as wide as it gets", webp_claiming(2**24, 2**24)
    yield "webp, large", written(Image.new("RGB", (side, side), "navy"), "WEBP", method=0, quality=1)


def fragments() -> Iterator[tuple[str, bytes]]:
    """Pictures that were cut, and pictures that were shaken."""
    dice = random.Random(11)
    for form in ("JPEG", "PNG", "WEBP"):
        whole = written(picture((300, 200)), form)
        for part in (3, 12, 40, len(whole) // 2, len(whole) - 20):
            yield f"{form} cut after {part} bytes", whole[:part]
        for shake in range(8):
            shaken = bytearray(whole)
            for _ in range(1 + 2 * shake):
                shaken[dice.randrange(12, len(shaken))] = dice.randrange(256)
            yield f"{form} shaken {shake}", bytes(shaken)
    whole = written(picture(), "PNG")
    yield "png with a wrong checksum", whole[:29] + bytes(4) + whole[33:]
    yield "png without pixels", PNG + whole[8:33] + chunk(b"IEND", b"")
    yield "jpeg without pixels", written(picture())[:-1].partition(SOS)[0] + b"\xff\xd9"


def oddities() -> Iterator[tuple[str, bytes]]:
    """Real pictures of kinds that trip programs up."""
    frames = [picture((64, 48)).rotate(turn) for turn in range(0, 360, 12)]
    yield "png, animated", written(frames[0], "PNG", save_all=True, append_images=frames[1:])
    yield "webp, animated", written(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    yield "jpeg of many pictures", written(frames[0], "MPO", save_all=True, append_images=frames[1:5])
    yield "jpeg in cmyk", written(picture(mode="CMYK"))
    yield "jpeg in cmyk with a profile", written(picture(mode="CMYK"), icc_profile=bytes(50_000))
    yield "jpeg in grey", written(picture(mode="L"))
    yield "png, 1 bit", written(picture(mode="1"), "PNG")
    yield "png, grey of 16 bits", written(picture(mode="I").point(lambda v: v * 200).convert("I;16"), "PNG")
    yield "png, colours of 16 bits", png(32, 32, depth=16, colour=2, pixels=zlib.compress(bytes(193 * 32)))
    yield "png with a palette", written(picture(mode="P"), "PNG")
    yield "png with a see-through palette", written(picture(mode="P"), "PNG", transparency=3)
    yield "png, grey and see-through", written(picture(mode="LA"), "PNG")
    yield "png, see-through", written(picture(mode="RGBA"), "PNG")
    yield "webp, see-through", written(picture(mode="RGBA"), "WEBP", lossless=True)
    yield "one pixel", written(Image.new("RGB", (1, 1)))
    jpeg = written(picture())
    yield "exif in a circle", with_segments(jpeg, segment(0xE1, exif((0x8769, 4, 1, struct.pack("<I", 8)), next_at=8)))
    yield (
        "exif beyond its end",
        with_segments(
            jpeg, segment(0xE1, exif((0x010F, 2, 2**31 - 1, b"\xff\xff\xff\x7f"), (0x8825, 4, 1, b"\xff\xff\xff\xff")))
        ),
    )
    yield "exif turned by nonsense", with_segments(jpeg, segment(0xE1, exif((0x0112, 3, 1, b"\xff\xff"))))
    yield "exif that is html", with_segments(jpeg, segment(0xE1, b"Exif\0\0" + HTML))


def hostile(side: int) -> dict[str, bytes]:
    """All of them by name; the large ones have `side` pixels a side."""
    return dict([*lies(), *polyglots(), *bombs(side), *fragments(), *oddities()])
