"""What decoding makes of good photos: upright RGB on white, at a bounded size, with the source's geometry."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from models.photo import Photo, PhotoLimits, decode_photo, photo_extension

REAL_PHOTOS = Path(__file__).parents[3] / "shared" / "data" / "clothing" / "validation"
RED, GREEN, BLUE, WHITE = (230, 20, 20), (20, 200, 20), (20, 20, 230), (255, 255, 255)


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def three_corners(width: int = 96, height: int = 64) -> Image.Image:
    """White with a red top left, green top right and blue bottom left quarter: no turn looks like another."""
    image = Image.new("RGB", (width, height), WHITE)
    image.paste(RED, (0, 0, width // 2, height // 2))
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    return image


def corners(photo: Photo) -> list[tuple[int, ...]]:
    """The colours in the middles of the four quarters: top left, top right, bottom left, bottom right."""
    h, w = photo.height, photo.width
    return [
        tuple(int(v) for v in photo.pixels[y, x]) for y in (h // 4, 3 * h // 4) for x in (w // 4, 3 * w // 4)
    ]


def assert_corners(photo: Photo, *expected: tuple[int, int, int], within: int = 12) -> None:
    assert np.abs(np.array(corners(photo)) - np.array(expected)).max() <= within, corners(photo)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_each_format_decodes_to_upright_rgb(file_format: str) -> None:
    data = encoded(three_corners(), file_format)
    photo = decode_photo(data)
    assert photo.pixels.shape == (64, 96, 3)
    assert photo.pixels.dtype == np.uint8
    assert not photo.pixels.flags.writeable
    assert (photo.source_width, photo.source_height, photo.scale) == (96, 64, 1.0)
    assert photo.sha256 == hashlib.sha256(data).hexdigest()
    assert_corners(photo, RED, GREEN, BLUE, WHITE)


@pytest.mark.parametrize(
    ("mode", "file_format"),
    [("CMYK", "JPEG"), ("YCbCr", "JPEG"), ("P", "PNG"), ("RGBA", "PNG"), ("RGBA", "WEBP"), ("P", "WEBP")],
)
def test_other_modes_become_rgb(mode: str, file_format: str) -> None:
    assert_corners(
        decode_photo(encoded(three_corners().convert(mode), file_format)), RED, GREEN, BLUE, WHITE, within=40
    )


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_grey_photos_become_rgb(mode: str) -> None:
    photo = decode_photo(encoded(Image.new("L", (9, 9), 255).convert(mode), "PNG"))
    assert (photo.pixels == 255).all()


@pytest.mark.parametrize(("file_format", "tolerance"), [("JPEG", 30), ("PNG", 0), ("WEBP", 30)])
@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, (RED, GREEN, BLUE, WHITE)),
        (2, (GREEN, RED, WHITE, BLUE)),
        (3, (WHITE, BLUE, GREEN, RED)),
        (4, (BLUE, WHITE, RED, GREEN)),
        (5, (RED, BLUE, GREEN, WHITE)),
        (6, (BLUE, RED, WHITE, GREEN)),
        (7, (WHITE, GREEN, BLUE, RED)),
        (8, (GREEN, WHITE, RED, BLUE)),
        (9, (RED, GREEN, BLUE, WHITE)),  # no such orientation
        (0, (RED, GREEN, BLUE, WHITE)),
    ],
)
def test_exif_orientation(
    file_format: str, tolerance: int, orientation: int, expected: tuple[Any, ...]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = decode_photo(encoded(three_corners(), file_format, exif=exif))
    assert_corners(photo, *expected, within=tolerance)
    turned = 5 <= orientation <= 8
    assert (photo.source_width, photo.source_height) == ((64, 96) if turned else (96, 64))
    assert (photo.width, photo.height) == (photo.source_width, photo.source_height)


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP"])  # a PNG's is under a checksum
def test_damaged_exif_does_not_spoil_the_photo(file_format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(three_corners(), file_format, exif=exif)
    damaged = data.replace(b"MM\0*", b"Mm\0*")
    assert damaged != data
    assert_corners(decode_photo(damaged), RED, GREEN, BLUE, WHITE, within=30)


def test_damaged_colour_profile_does_not_spoil_the_photo() -> None:
    data = encoded(three_corners(), "JPEG", icc_profile=b"not a profile at all" * 30)
    assert_corners(decode_photo(data), RED, GREEN, BLUE, WHITE)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_alpha_is_laid_on_white(file_format: str) -> None:
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    image.paste((200, 0, 0, 255), (0, 0, 20, 40))
    pixels = decode_photo(encoded(image, file_format, lossless=True)).pixels
    assert (pixels[:, 20:] == 255).all()
    assert (pixels[:, :20] == (200, 0, 0)).all()


def test_half_transparent_is_half_white() -> None:
    pixels = decode_photo(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 128)), "PNG")).pixels
    assert (np.abs(pixels.astype(int) - 127) <= 1).all()


def test_transparent_palette_colour_is_white() -> None:
    image = Image.new("P", (4, 4), 0)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((0, 0), 1)
    pixels = decode_photo(encoded(image, "PNG", transparency=0)).pixels
    assert tuple(pixels[0, 0]) == (40, 50, 60)
    assert (pixels[1:] == 255).all()


def test_transparent_rgb_colour_is_white() -> None:
    image = Image.new("RGB", (4, 4), (1, 2, 3))
    image.putpixel((0, 0), (9, 9, 9))
    pixels = decode_photo(encoded(image, "PNG", transparency=(1, 2, 3))).pixels
    assert tuple(pixels[0, 0]) == (9, 9, 9)
    assert (pixels[1:] == 255).all()


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    levels = np.array([[0, 0x4000, 0x8000, 0xFFFF]], np.uint16)
    pixels = decode_photo(encoded(Image.fromarray(levels), "PNG")).pixels
    assert pixels[0, :, 0].tolist() == [0, 0x40, 0x80, 0xFF]
    assert (pixels[..., 0] == pixels[..., 2]).all()


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_an_animation_gives_its_first_frame(file_format: str) -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in (RED, GREEN, BLUE)]
    data = encoded(frames[0], file_format, save_all=True, append_images=frames[1:], duration=50)
    assert_corners(decode_photo(data), RED, RED, RED, RED)


def test_a_jpeg_of_several_pictures_gives_its_first() -> None:
    data = encoded(three_corners(), "MPO", save_all=True, append_images=[Image.new("RGB", (96, 64), RED)])
    assert_corners(decode_photo(data), RED, GREEN, BLUE, WHITE)


def test_one_pixel_is_a_photo() -> None:
    photo = decode_photo(encoded(Image.new("RGB", (1, 1), RED), "PNG"))
    assert photo.pixels.tolist() == [[list(RED)]]


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("size", [(3000, 2000), (1100, 1100), (1024, 10), (2047, 3), (1, 4000)])
def test_large_photos_come_out_near_the_wanted_side(file_format: str, size: tuple[int, int]) -> None:
    photo = decode_photo(encoded(three_corners(*size), file_format), PhotoLimits(max_side_px=1024))
    longer, shorter = max(photo.width, photo.height), min(photo.width, photo.height)
    assert 1024 * 0.75 <= longer <= 1024
    assert (photo.source_width, photo.source_height) == size
    assert photo.scale == pytest.approx(max(size) / longer)
    assert shorter == pytest.approx(min(size) / photo.scale, abs=1)
    if min(size) > 100:
        assert_corners(photo, RED, GREEN, BLUE, WHITE, within=30)


def test_a_turned_large_photo_keeps_its_geometry() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = decode_photo(encoded(three_corners(3000, 2000), "JPEG", exif=exif))
    assert (photo.source_width, photo.source_height) == (2000, 3000)
    assert photo.height > photo.width
    assert_corners(photo, BLUE, RED, WHITE, GREEN, within=30)


def test_a_twelve_megapixel_jpeg_is_decoded_at_reduced_size(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (375, 500, 3), np.uint8)
    data = encoded(Image.fromarray(noise).resize((4000, 3000)), "JPEG", quality=90)
    asked: list[tuple[int, int]] = []
    draft = JpegImagePlugin.JpegImageFile.draft

    def watched(picture: Any, mode: Any, size: Any) -> Any:
        made = draft(picture, mode, size)
        asked.append(picture.size)
        return made

    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "draft", watched)
    photo = decode_photo(data)
    # Counted in pixels, not seconds: a quarter of a side is a sixteenth of the work wherever it runs.
    assert asked
    assert max(asked[-1]) <= 2048
    assert (photo.source_width, photo.source_height) == (4000, 3000)


def test_the_extension_goes_by_the_bytes() -> None:
    image = three_corners()
    found = {photo_extension(encoded(image, f)) for f in ("JPEG", "PNG", "WEBP")}
    assert found == {"jpg", "png", "webp"}
    assert photo_extension(encoded(image, "GIF")) is None
    assert photo_extension(b"") is None


@pytest.mark.photos
@pytest.mark.skipif(not REAL_PHOTOS.is_dir(), reason="the photographs of ../shared/data are not there")
def test_real_photographs_decode_as_pillow_does() -> None:
    for path in sorted(REAL_PHOTOS.glob("*/*.jpg"))[::15]:
        photo = decode_photo(path.read_bytes())
        with Image.open(path) as image:
            assert np.array_equal(photo.pixels, np.asarray(image.convert("RGB"))), path.name
