"""Photo -> garments: the seam's promises, and that the embeddings are sound and find what is alike."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from models.photo import Photo, decode_photo
from models.vision import MAX_BATCH, Vision, WholePhotoVision, garment_id, open_vision, square_picture
from schemas.parts import PARTS

CLOTHING = Path(__file__).parents[3] / "shared" / "data" / "clothing"


def photo_of(pixels: NDArray[np.uint8], scale: int = 1) -> Photo:
    """A decoded photo whose source was `scale` times as large."""
    return Photo(
        pixels, pixels.shape[1] * scale, pixels.shape[0] * scale, hashlib.sha256(pixels.tobytes()).hexdigest()
    )


def plain(colour: tuple[int, int, int], height: int = 60, width: int = 40) -> Photo:
    return photo_of(np.full((height, width, 3), colour, np.uint8))


def pattern(seed: int, height: int = 120, width: int = 90) -> Photo:
    """A picture of coloured blocks, different for each seed."""
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 3, 3), np.uint8)
    return photo_of(np.asarray(Image.fromarray(blocks).resize((width, height), Image.Resampling.NEAREST)))


@pytest.fixture(scope="module")
def vision() -> Vision:
    return open_vision("lite0", threads=1)


def embeddings(vision: Vision, photos: list[Photo]) -> NDArray[np.float32]:
    return np.stack([garments[0].embedding for garments in vision.garments(photos)])


def test_importing_the_seam_does_not_import_torch() -> None:
    program = "import sys, models.vision; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_photo_is_one_whole_garment_in_pixels_of_the_source(vision: Vision) -> None:
    photo = photo_of(pattern(0, 120, 90).pixels, scale=4)
    [[garment]] = vision.garments([photo])
    assert (garment.part, garment.category, garment.score) == ("whole", None, 1.0)
    assert garment.part in PARTS
    assert garment.box_xyxy == (0.0, 0.0, 360.0, 480.0)
    assert garment.embedding.shape == (vision.dim,) == (256,)
    assert garment.embedding.dtype == np.float32
    assert garment.embedding.base is None
    assert (vision.detector, vision.embedder) == ("whole-photo-1", "lite0-pca256-1")


def test_embeddings_are_finite_and_unit_whatever_the_photo(vision: Vision) -> None:
    colours = [(0, 0, 0), (255, 255, 255), (127, 127, 127), (255, 0, 0)]
    shapes = [pattern(1, 1, 1), pattern(2, 1, 1000), pattern(3, 1024, 3)]
    found = embeddings(vision, [plain(colour) for colour in colours] + shapes)
    assert np.isfinite(found).all()
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(len(found)), abs=1e-5)


def test_the_batch_does_not_matter(vision: Vision) -> None:
    photos = [pattern(seed) for seed in range(9)] + [plain((200, 200, 200))]
    alone = np.concatenate([embeddings(vision, [photo]) for photo in photos])
    together = embeddings(vision, photos)
    reversed_order = embeddings(vision, photos[::-1])[::-1]
    assert (alone * together).sum(axis=1).min() > 1 - 1e-3
    assert (alone * reversed_order).sum(axis=1).min() > 1 - 1e-3
    assert np.array_equal(together, embeddings(vision, photos))


def test_no_photos_no_garments(vision: Vision) -> None:
    assert vision.garments([]) == []


def test_the_same_thing_in_other_light_is_nearer_than_another_thing(vision: Vision) -> None:
    things = [pattern(seed) for seed in range(6)]
    dimmed = [photo_of((thing.pixels * 0.85).astype(np.uint8)) for thing in things]
    cosines = embeddings(vision, things) @ embeddings(vision, dimmed).T
    assert cosines.argmax(axis=1).tolist() == list(range(6))


class CountingEmbedder:
    """Embeds a picture as its mean colour and remembers how many came at once."""

    name, dim, side_px = "mean-colour", 3, 8

    def __init__(self) -> None:
        self.batches: list[int] = []

    def embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.batches.append(len(pictures))
        means = pictures.astype(np.float32).mean(axis=(1, 2))
        return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True))


def test_many_photos_go_in_bounded_batches_and_keep_their_order() -> None:
    embedder = CountingEmbedder()
    photos = [plain((shade + 1, 255 - shade, 7)) for shade in range(MAX_BATCH * 2 + 3)]
    found = embeddings(WholePhotoVision(embedder), photos)
    assert embedder.batches == [MAX_BATCH, MAX_BATCH, 3]
    assert np.all(np.diff(found[:, 0]) > 0)


@pytest.mark.parametrize(
    ("name", "threads", "reason"),
    [("lite9", 1, "got 'lite9', expected one of lite0"), ("lite0", 0, "threads is 0")],
)
def test_open_vision_names_what_is_wrong(name: str, threads: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        open_vision(name, threads=threads)


def test_square_picture_keeps_the_middle_undistorted() -> None:
    pixels = np.zeros((400, 300, 3), np.uint8)  # 3:4, so that a quarter of the height goes
    pixels[:50], pixels[350:] = (255, 0, 0), (255, 0, 0)
    pixels[199:201, :] = (0, 255, 0)
    picture = square_picture(pixels, 60)
    assert picture.shape == (60, 60, 3)
    assert picture[..., 0].max() == 0  # the red ends are cut away
    assert picture[29:31, :, 1].min() > 0  # the middle is the middle


def test_square_picture_lays_a_long_photo_on_white() -> None:
    picture = square_picture(np.zeros((400, 100, 3), np.uint8), 60)
    columns = picture[30, :, 0]
    assert columns[:20].tolist() == columns[-20:].tolist() == [255] * 20
    assert columns[20:40].max() == 0  # 100 of the 300 pixels kept, a third of the side
    assert np.array_equal(picture.transpose(1, 0, 2), square_picture(np.zeros((100, 400, 3), np.uint8), 60))


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 64))
def test_square_picture_takes_any_shape(height: int, width: int, side: int) -> None:
    picture = square_picture(np.full((height, width, 3), 9, np.uint8), side)
    assert picture.shape == (side, side, 3)
    assert (picture[(side - 1) // 2, (side - 1) // 2] == 9).all()


def test_garment_ids_stay_what_they_are() -> None:
    assert garment_id("sku-1", 0, 0) == "732110ab-e9c0-5c93-8338-24591c370c4e"
    assert uuid.UUID(garment_id("sku-1", 0, 0)).version == 5


@given(st.sets(st.tuples(st.text(max_size=8), st.integers(0, 20), st.integers(0, 20)), min_size=2))
def test_garment_ids_differ(keys: set[tuple[str, int, int]]) -> None:
    assert len({garment_id(*key) for key in keys}) == len(keys)


def test_a_jpeg_and_its_large_copy_embed_alike(vision: Vision) -> None:
    """Decoding at a reduced size, as large photos are, does not change what is found."""
    shapes = Image.fromarray(pattern(5).pixels)
    photos = []
    for size in ((300, 400), (3000, 4000)):
        buffer = io.BytesIO()
        shapes.resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
        photos.append(decode_photo(buffer.getvalue()))
    small, large = embeddings(vision, photos)
    assert small @ large > 0.97


@pytest.mark.photos
@pytest.mark.skipif(not CLOTHING.is_dir(), reason="the photographs of ../shared/data are not there")
def test_a_centroid_of_twelve_shorts_finds_shorts(vision: Vision) -> None:
    gallery = [
        path for folder in sorted((CLOTHING / "train").iterdir()) for path in sorted(folder.iterdir())[:25]
    ]
    queries = sorted((CLOTHING / "validation" / "shorts").iterdir())[:12]
    found = embeddings(vision, [decode_photo(path.read_bytes()) for path in gallery])
    centroid = embeddings(vision, [decode_photo(path.read_bytes()) for path in queries]).mean(axis=0)
    nearest = np.argsort(-(found @ centroid))[:12]
    assert sum(gallery[i].parent.name == "shorts" for i in nearest) >= 8  # a tenth of the gallery is
