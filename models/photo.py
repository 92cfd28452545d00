"""Safe decoding of photos that strangers sent.

In: the bytes of a JPEG, PNG or WEBP file (the first frame, where there are several). Out: a `Photo` of
upright 8-bit RGB pixels, transparency laid on white, at most `max_side_px` on its longer side. Anything else,
and anything too large, damaged or meant to do harm, is a `PhotoError` that says why; no other exception
leaves here. Embedded colour profiles are ignored.
"""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP")
# JPEG's own limit; a PNG of 1 x 25,000,000 would cost half a gigabyte of row pointers.
LONGEST_SIDE_PX = 65_535
# Each scan of a JPEG costs a pass over the whole picture (20 ms at 25 MP) and may take only a few dozen
# bytes; honest files have about ten.
MAX_JPEG_SCANS = 50
_TURN_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_JPEG_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")


class PhotoError(ValueError):
    """The bytes are no photo that is accepted; the message says why."""


@dataclass(frozen=True)
class PhotoLimits:
    """What is accepted (`max_bytes`, `max_pixels` of the source) and the longer side that is decoded to."""

    max_bytes: int = 15_000_000
    max_pixels: int = 25_000_000
    max_side_px: int = 1024


DEFAULT_LIMITS = PhotoLimits()


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded photo.

    `pixels` is (H, W, 3) uint8 RGB, upright and read-only; `source_width` and `source_height` are the size of
    the upright source photo in pixels; `sha256` is that of the bytes it came from, in hexadecimal.
    """

    pixels: NDArray[np.uint8]
    source_width: int
    source_height: int
    sha256: str

    @property
    def width(self) -> int:
        """Width of `pixels`."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Height of `pixels`."""
        return int(self.pixels.shape[0])

    @property
    def scale(self) -> float:
        """Pixels of the source photo per decoded pixel (along the longer side); at least 1."""
        return max(self.source_width, self.source_height) / max(self.width, self.height)


def photo_extension(data: bytes) -> str | None:
    """Return `jpg`, `png` or `webp` by the file's first bytes, which is all the decoder goes by, or None."""
    if data.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return None


def decode_photo(data: bytes, limits: PhotoLimits = DEFAULT_LIMITS) -> Photo:
    """Return the photo in `data`.

    Raises PhotoError when it is too large, in another format, damaged or cut short.
    """
    if len(data) > limits.max_bytes:
        raise PhotoError(f"photo: {len(data) / 1e6:.1f} MB, at most {limits.max_bytes / 1e6:g} are allowed")
    extension = photo_extension(data)
    if extension is None:
        raise PhotoError(
            f"photo: neither JPEG nor PNG nor WEBP ({len(data)} bytes that begin with {data[:12]!r})"
        )
    if extension == "jpg":
        _check_jpeg_scans(data)
    try:
        return _decode(data, limits)
    except PhotoError:
        raise
    except Image.DecompressionBombError as error:
        raise PhotoError(
            f"photo: far more than the {limits.max_pixels / 1e6:g} megapixels allowed"
        ) from error
    except UnidentifiedImageError as error:  # its own message names a buffer's address
        raise PhotoError(f"photo: damaged {extension} file: the header is not usable") from error
    # Which exceptions damaged bytes draw from the codecs is no one's promise: OSError, SyntaxError,
    # struct.error, MemoryError and others are known. All mean the same here.
    except Exception as error:
        raise PhotoError(f"photo: damaged {extension} file: {str(error) or type(error).__name__}") from error


def _decode(data: bytes, limits: PhotoLimits) -> Photo:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        width, height = image.size
        _check_size(width, height, limits)
        shrink = min(1.0, limits.max_side_px / max(width, height))
        # JPEG only: the codec halves while decoding. Three quarters of the wanted side are near enough, and a
        # 12 MP photo then needs no resampling at all.
        image.draft(None, (max(1, round(width * shrink * 0.75)), max(1, round(height * shrink * 0.75))))
        orientation = _orientation(image)
        image.load()
        target = (max(1, round(width * shrink)), max(1, round(height * shrink)))
        upright = _shrunk(_on_white(image), target)
        if orientation in _TURN_UPRIGHT:
            upright = upright.transpose(_TURN_UPRIGHT[orientation])
        if orientation >= 5:  # a quarter turn
            width, height = height, width
    pixels = np.array(upright, dtype=np.uint8)
    pixels.setflags(write=False)
    return Photo(pixels, width, height, hashlib.sha256(data).hexdigest())


def _check_size(width: int, height: int, limits: PhotoLimits) -> None:
    if width < 1 or height < 1:
        raise PhotoError(f"photo: {width} x {height} pixels, expected at least 1 x 1")
    if max(width, height) > LONGEST_SIDE_PX:
        raise PhotoError(f"photo: {width} x {height} pixels, at most {LONGEST_SIDE_PX} a side are allowed")
    if width * height > limits.max_pixels:
        found, allowed = width * height / 1e6, limits.max_pixels / 1e6
        raise PhotoError(f"photo: {found:.1f} megapixels, at most {allowed:g} are allowed")


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 where it is missing or damaged, which spoils no pixel."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:
        return 1
    return value if isinstance(value, int) and value in _TURN_UPRIGHT else 1


def _on_white(image: Image.Image) -> Image.Image:
    """Return the picture as RGB, what is transparent laid on white, 16-bit grey scaled to 8 bits."""
    if image.mode.startswith("I"):  # Pillow's own conversion would clip 16 bits, not scale them
        grey = np.asarray(image)
        eight_bits = (grey.astype(np.uint32) >> 8).astype(np.uint8)
        transparent = image.info.get("transparency")
        if isinstance(transparent, int):
            eight_bits[grey == transparent] = 255
        return Image.fromarray(eight_bits).convert("RGB")
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    with_alpha = image.convert("RGBA")
    white = Image.new("RGB", image.size, (255, 255, 255))
    white.paste(with_alpha, mask=with_alpha.getchannel("A"))
    return white


def _shrunk(image: Image.Image, target: tuple[int, int]) -> Image.Image:
    """Return the picture at `target` (width, height), or as it is where the codec came out at or below it."""
    if image.width <= target[0] and image.height <= target[1]:
        return image
    return image.resize(target, Image.Resampling.BILINEAR, reducing_gap=1.0)


def _check_jpeg_scans(data: bytes) -> None:
    """Refuse a JPEG with absurdly many scans: 15 MB of them would keep a core busy for many minutes."""
    if data.count(b"\xff\xda") <= MAX_JPEG_SCANS:  # quick, and counts too many at worst
        return
    scans, position = 0, 2
    while (marker := _JPEG_MARKER.search(data, position)) is not None:
        code = marker.group(1)[0]
        if code == 0xD9:  # end of image; what follows (a film, a second picture) is never decoded
            return
        scans += code == 0xDA
        if scans > MAX_JPEG_SCANS:
            raise PhotoError(f"photo: a JPEG of more than {MAX_JPEG_SCANS} scans")
        position = marker.end()
        if code != 0x01:  # all but TEM have a length, and their content may hold anything
            position += int.from_bytes(data[position : position + 2], "big")
