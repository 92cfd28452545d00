"""What decoding refuses; and whatever bytes come, nothing but a PhotoError or a sound photo comes out."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from models.photo import MAX_JPEG_SCANS, PhotoError, PhotoLimits, decode_photo

pytestmark = pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning", "ignore::UserWarning")


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of(width: int, height: int) -> bytes:
    """A black and white PNG that is a few kilobytes whatever size it claims, complete up to 100 MP."""
    rows = bytes((width + 7) // 8 + 1) * height if width * height <= 100_000_000 else b""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def animated_webp_of(width: int, height: int) -> bytes:
    """A small animation whose header claims a canvas of another size."""
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    data = bytearray(encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=100))
    canvas = data.index(b"VP8X") + 12
    data[canvas : canvas + 6] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes(data)


def jpeg_with_scans(more: int) -> bytes:
    data = encoded(Image.new("L", (64, 64), 77), "JPEG", progressive=True)
    last = data[data.rfind(b"\xff\xda") : -2]
    return data[:-2] + last * more + data[-2:]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "neither JPEG nor PNG nor WEBP"),
        (b"\0" * 100, "neither JPEG nor PNG nor WEBP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "neither .* that begin with .*<svg"),
        (b"<!DOCTYPE html><html></html>", "neither .* that begin with .*<!DOCTYPE"),
        (encoded(Image.new("RGB", (9, 9)), "GIF"), "neither JPEG nor PNG nor WEBP"),
        (encoded(Image.new("RGB", (9, 9)), "TIFF"), "neither JPEG nor PNG nor WEBP"),
        (b"\xff\xd8\xff", "damaged jpg"),
        (b"\x89PNG\r\n\x1a\n", "damaged png"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "damaged webp"),
        (png_of(0, 5), "damaged png"),
        (png_of(5, 0), "damaged png"),
        (png_of(9500, 9500), r"photo: 90\.2 megapixels, at most 25 are allowed"),
        (png_of(20_000, 20_000), "far more than the 25 megapixels allowed"),
        (png_of(2**31 - 1, 2**31 - 1), "megapixels allowed|damaged png"),
        (png_of(70_000, 1), "70000 x 1 pixels, at most 65535 a side"),
        (animated_webp_of(16_383, 16_383), "far more than the 25 megapixels allowed"),
        (animated_webp_of(6_000, 5_000), r"30\.0 megapixels"),
        (jpeg_with_scans(MAX_JPEG_SCANS), "more than 50 scans"),
    ],
    ids=lambda value: value[:24].decode("latin-1").__repr__() if isinstance(value, bytes) else None,
)
def test_refused_with_a_clear_reason(data: bytes, reason: str) -> None:
    with pytest.raises(PhotoError, match=reason) as caught:
        decode_photo(data)
    assert str(caught.value).startswith("photo: ")
    assert "0x" not in str(caught.value)


def test_the_limits_are_the_callers() -> None:
    data = encoded(Image.effect_noise((100, 80), 90), "PNG")
    with pytest.raises(PhotoError, match=r"photo: 0\.0 MB, at most 0\.0005 are allowed"):
        decode_photo(data, PhotoLimits(max_bytes=500))
    with pytest.raises(PhotoError, match=r"0\.0 megapixels"):
        decode_photo(data, PhotoLimits(max_pixels=7999))
    assert decode_photo(data, PhotoLimits(max_bytes=len(data), max_pixels=8000)).width == 100


def test_fifteen_megabytes_are_the_most() -> None:
    data = encoded(Image.new("RGB", (9, 9)), "JPEG")
    assert decode_photo(data.ljust(15_000_000, b"\0")).width == 9  # what follows the picture is ignored
    with pytest.raises(PhotoError, match=r"photo: 15\.0 MB, at most 15 are allowed"):
        decode_photo(data.ljust(15_000_001, b"\0"))


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_a_photo_that_was_cut_short_is_refused(file_format: str) -> None:
    data = encoded(Image.effect_noise((200, 150), 90).convert("RGB"), file_format)
    for share in (0.02, 0.3, 0.6, 0.9):
        with pytest.raises(PhotoError, match="damaged"):
            decode_photo(data[: int(len(data) * share)])


def test_honest_scans_are_accepted_and_films_behind_the_picture_are_not_counted() -> None:
    assert decode_photo(jpeg_with_scans(20)).width == 64
    film = b"\0\2" + b"\xff\xda\0\2" * 1000
    assert decode_photo(encoded(Image.new("RGB", (9, 9)), "JPEG") + film).width == 9


def test_a_thousand_scans_are_refused_at_once() -> None:
    data = encoded(Image.new("L", (5000, 5000), 77), "JPEG", progressive=True)
    last = data[data.rfind(b"\xff\xda") : -2]
    start = time.perf_counter()
    with pytest.raises(PhotoError, match="scans"):
        decode_photo(data[:-2] + last * 1000 + data[-2:])
    assert time.perf_counter() - start < 1.0  # 20 s if they were decoded


def sources() -> list[bytes]:
    image = Image.effect_noise((40, 30), 80).convert("RGB")
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a maker"
    icc = bytes(range(256)) * 2
    return [
        encoded(image, "JPEG", exif=exif, icc_profile=icc),
        encoded(image, "JPEG", progressive=True, comment=b"hello"),
        encoded(image.convert("CMYK"), "JPEG", exif=exif),
        encoded(image, "PNG", exif=exif, icc_profile=icc),
        encoded(image.quantize(16), "PNG", transparency=3),
        encoded(image.convert("RGBA"), "PNG", save_all=True, append_images=[Image.new("RGBA", (40, 30))]),
        encoded(image.convert("I;16"), "PNG", transparency=7),
        encoded(image, "WEBP", exif=exif, icc_profile=icc),
        encoded(image.convert("RGBA"), "WEBP", lossless=True),
        encoded(image, "WEBP", save_all=True, append_images=[Image.new("RGB", (40, 30))], duration=9),
    ]


SOURCES = sources()
EDITS = st.lists(
    st.tuples(
        st.floats(0, 1), st.sampled_from(["set", "cut", "drop", "double", "insert"]), st.binary(max_size=6)
    ),
    max_size=8,
)


def assert_sound_or_refused(data: bytes) -> None:
    try:
        photo = decode_photo(data)
    except PhotoError:
        return
    assert photo.pixels.shape == (photo.height, photo.width, 3)
    assert 1 <= max(photo.width, photo.height) <= 1024
    assert photo.source_width * photo.source_height <= 25_000_000


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(SOURCES), EDITS)
def test_damaged_bytes_never_raise_anything_else(
    source: bytes, edits: list[tuple[float, str, bytes]]
) -> None:
    data = bytearray(source)
    for place, edit, replacement in edits:
        at = int(place * len(data))
        match edit:
            case "set":
                data[at : at + len(replacement)] = replacement
            case "cut":
                del data[at:]
            case "drop":
                del data[at : at + 7]
            case "double":
                data[at:at] = data[at : at + 40]
            case "insert":
                data[at:at] = replacement
    assert_sound_or_refused(bytes(data))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SOURCES), st.floats(0, 0.4), st.integers(0, 255))
def test_damaged_headers_never_raise_anything_else(source: bytes, place: float, value: int) -> None:
    data = bytearray(source)
    data[int(place * (len(data) - 1))] = value
    assert_sound_or_refused(bytes(data))


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\xff\0\0\0WEBP"]), st.binary(max_size=200)
)
def test_noise_behind_a_right_beginning_never_raises_anything_else(beginning: bytes, noise: bytes) -> None:
    assert_sound_or_refused(beginning + noise)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_memory_stays_bounded(tmp_path: Path) -> None:
    """Bombs are refused before their pixels exist; the largest that is allowed stays under 450 MB."""
    (tmp_path / "bomb-1").write_bytes(png_of(9500, 9500))
    (tmp_path / "bomb-2").write_bytes(animated_webp_of(16_383, 16_383))
    (tmp_path / "bomb-3").write_bytes(animated_webp_of(2**24, 2**7))
    (tmp_path / "large").write_bytes(
        encoded(Image.new("RGBA", (5000, 5000), (1, 2, 3, 99)), "PNG", compress_level=1)
    )
    program = (
        "import pathlib, re, sys\n"
        "from models.photo import PhotoError, decode_photo\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):\n"
        "    try: decode_photo(path.read_bytes()); print(path.name, 'decoded')\n"
        "    except PhotoError as error: print(path.name, 'refused')\n"
        "    print(int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) // 1000)\n"
    )
    arguments = [sys.executable, "-W", "ignore", "-c", program, str(tmp_path)]
    printed = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.split("\n")
    results, peaks_mb = printed[0:8:2], [int(line) for line in printed[1:8:2]]
    assert results == ["bomb-1 refused", "bomb-2 refused", "bomb-3 refused", "large decoded"]
    assert peaks_mb[2] < 90, peaks_mb
    assert peaks_mb[3] < 450, peaks_mb
