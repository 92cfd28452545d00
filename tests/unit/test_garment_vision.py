"""The vision with a detector: its promises, whatever detects and embeds, and the shipped models on photos."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.datasets.ccp import read_ccp
from models.datasets.class_folders import read_class_folders
from models.datasets.records import Skipped
from models.detection.kinds import KIND_OF_CATEGORY, PART_OF_KIND
from models.detector import Detection, Detector, draw_canvas
from models.evaluation.detector import iou
from models.garment_vision import GarmentVision
from models.photo import Photo, decode_photo
from models.vision import MAX_BATCH, open_look_vision, open_vision
from models.visions import WHOLE_PHOTO, describe
from streams.services import indexed_part
from streams.settings import Settings

DATA = Path(__file__).parents[3] / "shared" / "data"
needs_photos = pytest.mark.skipif(not DATA.is_dir(), reason="the photographs are not there")


def photo_of(pixels: NDArray[np.uint8], scale: int = 1) -> Photo:
    """A decoded photo whose source was `scale` times as large."""
    height, width = pixels.shape[:2]
    return Photo(pixels, width * scale, height * scale, hashlib.sha256(pixels.tobytes()).hexdigest())


class Halves:
    """Finds a red upper and a blue lower half in every photo, sure of the one, not of the other."""

    name = "halves-1"

    def detect(self, photos: Sequence[Photo], *, least_score: float) -> list[list[Detection]]:
        def of(photo: Photo) -> list[Detection]:
            width, height = float(photo.source_width), float(photo.source_height)
            both = [
                Detection("upper", "coat", (0.0, 0.0, width, height / 2), 0.9),
                Detection("lower", "pants", (0.0, height / 2, width, height), 0.6),
            ]
            return [detection for detection in both if detection.score >= least_score]

        return [of(photo) for photo in photos]


class MeanColour:
    """Embeds a picture as its mean colour and remembers how many came at once."""

    name, dim, side_px = "mean-colour", 3, 8

    def __init__(self) -> None:
        self.batches: list[int] = []

    def embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.batches.append(len(pictures))
        means = pictures.astype(np.float32).mean(axis=(1, 2)) + 1e-3
        return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True))


def red_over_blue(scale: int = 1) -> Photo:
    pixels = np.zeros((60, 40, 3), np.uint8)
    pixels[:30, :, 0] = 255
    pixels[30:, :, 2] = 255
    return photo_of(pixels, scale)


def test_the_whole_photo_comes_first_then_each_crop_with_its_own_embedding() -> None:
    vision = GarmentVision(Halves(), MeanColour(), least_score=0.5)
    [[whole, upper, lower]] = vision.garments([red_over_blue(scale=3)])
    assert (whole.part, whole.category, whole.score) == ("whole", None, 1.0)
    assert whole.box_xyxy == (0.0, 0.0, 120.0, 180.0)
    assert (upper.part, upper.category, upper.box_xyxy) == ("upper", "coat", (0.0, 0.0, 120.0, 90.0))
    assert upper.embedding.argmax() == 0
    assert lower.embedding.argmax() == 2
    assert (vision.detector, vision.embedder, vision.dim) == ("halves-1", "mean-colour", 3)


def test_what_is_less_sure_than_asked_is_left_out() -> None:
    vision = GarmentVision(Halves(), MeanColour(), least_score=0.7)
    assert [garment.part for garment in vision.garments([red_over_blue()])[0]] == ["whole", "upper"]


def test_crops_of_many_photos_go_in_bounded_batches_and_find_their_photo() -> None:
    embedder = MeanColour()
    found = GarmentVision(Halves(), embedder, least_score=0.5).garments([red_over_blue()] * 5)
    assert [len(garments) for garments in found] == [3] * 5
    assert (sum(embedder.batches), max(embedder.batches)) == (15, MAX_BATCH)
    assert GarmentVision(Halves(), embedder, least_score=0.5).garments([]) == []


@pytest.mark.parametrize("name", ["lite0", "looks"])
def test_shoppers_photos_are_searched_for_garments_in_the_catalogues_embedding(name: str) -> None:
    vision, catalogue = open_look_vision(name), describe(name)
    assert (vision.embedder, vision.dim) == (catalogue.embedder, catalogue.dim)
    assert vision.detector != WHOLE_PHOTO
    assert indexed_part(Settings(vision=name), "upper") == ("whole" if name == "lite0" else "upper")


@pytest.mark.parametrize(("height", "width"), [(448, 300), (300, 448), (256, 256), (1, 900), (900, 1)])
def test_the_network_sees_the_whole_photo_in_its_own_proportions(height: int, width: int) -> None:
    canvas = draw_canvas(photo_of(np.full((height, width, 3), 255, np.uint8)))
    rows, columns = np.nonzero((canvas.pixels == 255).all(axis=2))
    seen = (columns.max() - columns.min() + 1, rows.max() - rows.min() + 1)
    assert seen[0] * canvas.scale_xy[0] == pytest.approx(width, abs=1e-6)
    assert seen[1] * canvas.scale_xy[1] == pytest.approx(height, abs=1e-6)
    assert (columns.min(), rows.min()) == (canvas.left, canvas.top)
    assert canvas.pixels.shape[0] % 32 == canvas.pixels.shape[1] % 32 == 0


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector()


def test_the_vision_is_what_it_is_said_to_be() -> None:
    vision, told = open_vision("looks"), describe("looks")
    assert (vision.detector, vision.embedder, vision.dim) == (told.detector, told.embedder, told.dim)
    with pytest.raises(ValueError, match=r"least score is 1\.5"):
        open_vision("looks", least_score=1.5)


@pytest.mark.parametrize(("height", "width"), [(448, 300), (64, 640), (3, 3)])
def test_boxes_lie_in_the_source_photo_whatever_is_in_it(detector: Detector, height: int, width: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    [found] = detector.detect([photo_of(noise, scale=2)], least_score=0.0)
    for one in found:
        x1, y1, x2, y2 = one.box_xyxy
        assert 0 <= x1 < x2 <= 2 * width
        assert 0 <= y1 < y2 <= 2 * height
        assert 0 <= one.score <= 1
        assert one.part == PART_OF_KIND[KIND_OF_CATEGORY[one.category]]


def street(count: int) -> list[tuple[Photo, list[tuple[str, tuple[float, float, float, float]]]]]:
    ccp = DATA / "ccp"
    photos = read_ccp(ccp / "photos", ccp / "masks", ccp / "labels.json", Skipped())
    return [
        (
            decode_photo(photo.path.read_bytes()),
            [(str(garment.part), garment.box_xyxy) for garment in photo.garments if garment.box_xyxy],
        )
        for number, photo in zip(range(8 * count), photos, strict=False)
        if number % 8 == 7  # never trained on
    ]


@pytest.mark.photos
@needs_photos
def test_people_in_the_street_wear_what_they_wear(detector: Detector) -> None:
    photos = street(12)
    right = shown = 0
    for photo, truth in photos:
        [found] = detector.detect([photo])
        shown += len(found)
        right += sum(
            any(p == one.part and iou(one.box_xyxy, box) >= 0.5 for p, box in truth) for one in found
        )
        parts = [one.part for one in found]
        for one in found:
            nested = [o for o in found if o is not one and {o.part, one.part} == {"upper", "full_body"}]
            assert all(iou(one.box_xyxy, other.box_xyxy) <= 0.6 for other in nested)
        assert parts
    assert shown >= 3 * len(photos)
    assert right / shown >= 0.6


@pytest.mark.photos
@needs_photos
def test_the_batch_does_not_matter(detector: Detector) -> None:
    photos = [photo for photo, _ in street(5)]
    turned = Image.fromarray(photos[0].pixels).transpose(Image.Transpose.ROTATE_90)
    photos.append(photo_of(np.asarray(turned)))  # of another shape than the others
    alone = [detector.detect([photo])[0] for photo in photos]
    for one, other in zip(alone, detector.detect(photos), strict=True):
        assert [d.part for d in one] == [d.part for d in other]
        assert [d.score for d in one] == pytest.approx([d.score for d in other], abs=0.02)


@pytest.mark.photos
@needs_photos
def test_a_single_garment_is_of_its_part(detector: Detector) -> None:
    labelled = list(read_class_folders(DATA / "clothing", "validation", Skipped()))[::12]
    right = 0
    for photo in labelled:
        [found] = detector.detect([decode_photo(photo.path.read_bytes())], least_score=0.0)
        right += bool(found) and found[0].part == photo.garments[0].part
    assert right / len(labelled) >= 0.85


@pytest.mark.photos
@needs_photos
def test_an_upright_photo_and_its_rotated_file_give_the_same_boxes(
    detector: Detector, tmp_path: Path
) -> None:
    photo, _ = street(1)[0]
    sideways = Image.fromarray(photo.pixels).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it a quarter clockwise to see it upright
    sideways.save(tmp_path / "a.png", exif=exif)
    upright = decode_photo((tmp_path / "a.png").read_bytes())
    assert np.array_equal(upright.pixels, photo.pixels)
    assert detector.detect([upright]) == detector.detect([photo])
