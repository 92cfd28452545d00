"""Pose: the rules on keypoints and on garments, the gate before the index, the light gate on real photos."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from models.catalogue import Effect, ProductRecord, Version
from models.photo import Photo, decode_photo
from models.pose import KEYPOINTS, FoundGarment, GateMode, Pose, full_shot_of_garments, pose_of_keypoints
from models.pose_gate import GatedVision, LightGate, gated, open_gate
from models.pose_net import HEIGHT_PX, WIDTH_PX, pose_picture
from models.published.keypoints import pose_of_people
from models.vision import Garment
from schemas.cloudevents import Event
from schemas.garments import GarmentsIndexed
from schemas.parts import Part
from streams.agents.product_points import as_event, points
from streams.settings import Settings

CCP = Path(__file__).parents[3] / "shared" / "data" / "ccp"
CLOTHING = Path(__file__).parents[3] / "shared" / "data" / "clothing"

STANDING = {
    "nose": (50, 12),
    "left_eye": (53, 10),
    "right_eye": (47, 10),
    "left_ear": (57, 11),
    "right_ear": (43, 11),
    "left_shoulder": (62, 28),
    "right_shoulder": (38, 28),
    "left_hip": (57, 60),
    "right_hip": (43, 60),
    "left_ankle": (55, 110),
    "right_ankle": (45, 110),
}
"""A person facing the camera in a photo of 100 x 120: their left is on the picture's right."""


def judged(points: dict[str, tuple[int, int]], *hidden: str, mirrored: bool = False) -> tuple[bool, bool]:
    places = np.zeros((len(KEYPOINTS), 2), np.float32)
    visible = np.zeros(len(KEYPOINTS), bool)
    for name, (x, y) in points.items():
        places[KEYPOINTS.index(name)] = (100 - x if mirrored else x, y)
        visible[KEYPOINTS.index(name)] = name not in hidden
    pose = pose_of_keypoints(places, visible, 100, 120, "test")
    return pose.full_shot, pose.front_facing


def test_a_person_from_head_to_feet_who_faces_the_camera_is_both() -> None:
    assert judged(STANDING) == (True, True)


@pytest.mark.parametrize(
    ("hidden", "expected"),
    [
        (("left_ankle",), (False, True)),
        (("left_ankle", "right_ankle"), (False, True)),
        (("nose", "left_eye", "right_eye"), (False, False)),
        (("nose",), (True, False)),
        (("left_eye",), (True, False)),
        (("right_shoulder",), (True, False)),
    ],
)
def test_what_cannot_be_seen_decides(hidden: tuple[str, ...], expected: tuple[bool, bool]) -> None:
    assert judged(STANDING, *hidden) == expected


def test_seen_from_behind_the_left_shoulder_is_on_the_left() -> None:
    assert judged(STANDING, mirrored=True) == (True, False)


def test_seen_from_the_side_the_shoulders_are_close() -> None:
    aside = STANDING | {"left_shoulder": (52, 28), "right_shoulder": (48, 28)}
    assert judged(aside) == (True, False)


def test_feet_outside_the_photo_are_guesses() -> None:
    assert judged(STANDING | {"left_ankle": (55, 121)}) == (False, True)


def people(*rows: tuple[float, tuple[float, float, float, float], float]) -> dict[str, torch.Tensor]:
    """What Keypoint R-CNN says of people: score, box, and how surely each keypoint of `STANDING` is seen."""
    points = torch.zeros(len(rows), len(KEYPOINTS), 3)
    for name, (x, y) in STANDING.items():
        points[:, KEYPOINTS.index(name)] = torch.tensor([float(x), float(y), 1.0])
    return {
        "scores": torch.tensor([score for score, _, _ in rows]),
        "boxes": torch.tensor([box for _, box, _ in rows]).reshape(-1, 4),
        "keypoints": points,
        "keypoints_scores": torch.tensor([[seen] * len(KEYPOINTS) for _, _, seen in rows]),
    }


def test_the_largest_sure_person_is_judged() -> None:
    small, large = (0.0, 0.0, 10.0, 10.0), (0.0, 0.0, 90.0, 110.0)
    for rows, expected in (
        ([], (False, False)),
        ([(0.99, large, 9.0)], (True, True)),
        ([(0.99, large, -1.0)], (False, False)),
        ([(0.3, large, 9.0)], (False, False)),
        ([(0.99, small, 9.0), (0.9, large, -1.0)], (False, False)),
        ([(0.99, small, -1.0), (0.9, large, 9.0)], (True, True)),
    ):
        pose = pose_of_people(people(*rows), 100, 120, "test")
        assert (pose.full_shot, pose.front_facing) == expected


@dataclass(frozen=True)
class Found:
    part: Part
    box_xyxy: tuple[float, float, float, float]


SHIRT = Found("upper", (30, 25, 70, 60))
TROUSERS = Found("lower", (35, 58, 65, 105))
SHOES = Found("footwear", (35, 104, 65, 115))


@pytest.mark.parametrize(
    ("garments", "expected"),
    [
        ([SHIRT, TROUSERS, SHOES], True),
        ([Found("full_body", (30, 25, 70, 90)), SHOES], True),
        ([SHIRT, TROUSERS], False),
        ([SHOES], False),
        ([TROUSERS, SHOES], False),
        ([Found("upper", (30, 2, 70, 60)), TROUSERS, SHOES], False),  # no room for a head
        ([Found("upper", (30, 6, 70, 60)), Found("headwear", (40, 0, 60, 8)), TROUSERS, SHOES], True),
        ([SHIRT, TROUSERS, Found("footwear", (35, 5, 65, 15))], False),  # shoes above the shirt
        ([Found("whole", (0, 0, 100, 120))], None),
        ([], None),
    ],
)
def test_garments_reach_from_head_to_feet_or_not(garments: list[Found], expected: bool | None) -> None:
    assert full_shot_of_garments(garments) is expected


def garment(part: Part) -> Garment:
    return Garment(part, None, (0.0, 0.0, 1.0, 1.0), 1.0, np.ones(1, np.float32))


class TwoGarments:
    detector, embedder, dim = "fake-1", "ones-1", 1

    def garments(self, photos: list[Photo]) -> list[list[Garment]]:
        return [[garment("whole"), garment("upper")] for _ in photos]


class BrightGate:
    """White photos are full shots; those with a red corner face the camera."""

    name = "bright"

    def judge(self, pixels: NDArray[np.uint8], garments: list[FoundGarment]) -> Pose:
        assert [g.part for g in garments] == ["whole", "upper"]
        return Pose(bool(pixels[0, 0, 0] > 100), bool(pixels[0, 0, 1] < 100), self.name)


def photo(*colour: int) -> Photo:
    return Photo(np.full((4, 4, 3), colour, np.uint8), 4, 4, "0" * 64)


def test_the_verdict_travels_with_the_garments() -> None:
    vision = GatedVision(TwoGarments(), BrightGate(), require=False)  # type: ignore[arg-type]
    assert (vision.detector, vision.embedder, vision.dim) == ("fake-1", "ones-1", 1)
    red, black = vision.garments([photo(200, 0, 0), photo(0, 200, 0)])
    assert [g.pose for g in red] == [Pose(True, True, "bright")] * 2
    assert [g.pose for g in black] == [Pose(False, False, "bright")] * 2


def test_required_only_the_whole_is_left_of_other_photos() -> None:
    vision = GatedVision(TwoGarments(), BrightGate(), require=True)  # type: ignore[arg-type]
    photos = [photo(200, 0, 0), photo(200, 200, 0), photo(0, 0, 0)]
    assert [[g.part for g in found] for found in vision.garments(photos)] == [
        ["whole", "upper"],
        ["whole"],
        ["whole"],
    ]


def test_the_verdict_is_in_the_index_and_in_the_event() -> None:
    version = Version(1.0, 2)
    record = ProductRecord(version, newest=version, fields={"image_link": ("p.jpg", version)})
    judged = replace(garment("upper"), pose=Pose(True, False, "bright"))
    found = points("p", record, [(0, [judged, garment("lower")])], 1.0)
    cause = Event(id="1", source="s", type="product.uploaded", time=datetime.now(UTC), subject="p", data={})
    event = as_event("p", record, Effect.INDEX, found, "fake-1", "ones-1", cause)
    assert event is not None
    said = {"full_shot": True, "front_facing": False, "gate": "bright"}
    assert [point.payload.get("pose") for point in found] == [said, None]
    assert isinstance(event.data, dict)
    assert [one.get("pose") for one in event.data["garments"]] == [said, None]
    GarmentsIndexed.model_validate(event.data)


def test_off_is_the_vision_itself() -> None:
    vision = TwoGarments()
    assert gated(vision, "off", "keypoint-rcnn") is vision  # type: ignore[arg-type, comparison-overlap]


def test_the_setting_knows_the_modes() -> None:
    assert get_args(Settings.model_fields["pose_gate"].annotation) == get_args(GateMode)
    assert Settings.model_fields["pose_gate"].default == "annotate"


@pytest.mark.parametrize(
    ("seen", "garments", "expected"),
    [
        ((0.9, 0.9, 0.9), [SHIRT, TROUSERS, SHOES], (True, True)),
        ((0.7, 0.6, 0.2), [SHIRT, TROUSERS, SHOES], (True, False)),  # 0.42, and the garments speak for it
        ((0.8, 0.8, 0.2), [SHIRT, TROUSERS], (False, False)),  # 0.64, and they speak against it
        ((0.8, 0.8, 0.6), [], (True, True)),
        ((0.1, 0.9, 0.4), [SHIRT, TROUSERS, SHOES], (False, False)),
    ],
)
def test_the_light_gate_weighs_network_and_garments(
    seen: tuple[float, float, float], garments: list[Found], expected: tuple[bool, bool]
) -> None:
    pose = LightGate(lambda pixels: seen).judge(np.zeros((2, 2, 3), np.uint8), garments)
    assert (pose.full_shot, pose.front_facing, pose.gate) == (*expected, "pose-light-1")


@given(st.integers(1, 40), st.integers(1, 40))
def test_the_gate_sees_the_whole_photo(height: int, width: int) -> None:
    picture = pose_picture(np.full((height, width, 3), 250, np.uint8))
    assert picture.shape == (HEIGHT_PX, WIDTH_PX, 3)
    rows, columns = np.nonzero((picture == 250).all(axis=2))
    assert len(rows) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    assert np.ptp(rows) + 1 == HEIGHT_PX or np.ptp(columns) + 1 == WIDTH_PX


@pytest.mark.photos
@pytest.mark.skipif(not CCP.is_dir(), reason="the photographs of ../shared/data are not there")
def test_the_light_gate_on_real_photos() -> None:
    gate = open_gate("light")
    street = [decode_photo(p.read_bytes()).pixels for p in sorted((CCP / "photos").glob("*.jpg"))[601::8]]
    single = [decode_photo(p.read_bytes()).pixels for p in sorted(CLOTHING.glob("validation/*/*.jpg"))[::14]]
    whole = [gate.judge(pixels, []) for pixels in street]
    cut = [gate.judge(pixels[: len(pixels) // 2], []) for pixels in street]
    alone = [gate.judge(pixels, []) for pixels in single]
    assert np.mean([pose.full_shot for pose in whole]) >= 0.9
    assert np.mean([pose.front_facing for pose in whole]) >= 0.8
    assert np.mean([pose.full_shot for pose in cut]) <= 0.1
    assert np.mean([pose.full_shot for pose in alone]) <= 0.1
    assert np.mean([pose.front_facing for pose in alone]) <= 0.1


def test_weak_truth_from_masks() -> None:
    from models.training.pose_truth import from_behind, person_of, view

    labels = ["null", "hair", "skin", "shirt", "shoes"]
    mask = np.zeros((120, 60), np.uint8)
    mask[10:16, 24:36] = 1
    mask[14:24, 26:34] = 2
    mask[24:100, 18:42] = 3
    mask[100:110, 20:40] = 4
    person = person_of(mask, labels)
    assert person is not None
    assert (person.top, person.bottom, person.head_bottom, person.looks_here) == (10, 110, 24, True)
    pixels = np.full((120, 60, 3), 200, np.uint8)
    pixels[mask == 1] = (40, 30, 20)
    assert view(pixels, person, (0, 0, 60, 120))[1] == (True, True, True)
    assert view(pixels, person, (0, 0, 60, 80))[1] == (True, False, True)
    assert view(pixels, person, (0, 20, 60, 120))[1] == (False, True, False)
    assert view(pixels, person, (40, 0, 60, 120))[1] == (False, False, False)
    behind = from_behind(pixels, mask, person, 1, np.random.default_rng(0))
    assert (pixels[18:22, 28:32] == 200).all()
    assert behind[18:22, 28:32].max() < 90
    assert person_of(np.zeros((120, 60), np.uint8), labels) is None


def test_fitting_gives_the_same_file_twice_and_learns(tmp_path: Path) -> None:
    from models.training.fit_pose import fit, measure, read_street, write

    (tmp_path / "photos").mkdir()
    (tmp_path / "masks").mkdir()
    (tmp_path / "labels.json").write_text(json.dumps(["null", "hair", "skin", "shirt", "shoes"]))
    for name in range(2):
        mask = np.zeros((120, 60), np.uint8)
        mask[10:16, 24:36], mask[14:24, 26:34], mask[24:100, 18:42], mask[100:110, 20:40] = 1, 2, 3, 4
        colours = np.array([[200] * 3, [40, 30, 20], [220, 170, 140], [20, 20, 200], [90, 0, 0]], np.uint8)
        Image.fromarray(colours[mask]).save(tmp_path / "photos" / f"{name:04}.jpg")
        Image.fromarray(mask).save(tmp_path / "masks" / f"{name:04}.png")
    streets = read_street(tmp_path, 0)
    assert len(streets) == 2
    single = [np.full((20, 20, 3), 90, np.uint8)]
    nets = [fit(streets, single, epochs=1, views=2) for _ in range(2)]
    assert len({write(net, tmp_path / f"{at}.safetensors") for at, net in enumerate(nets)}) == 1
    figures = measure(nets[0], streets, single)
    assert figures["whole photo"]["photos"] == 2
    assert all(0 <= share <= 1 for row in figures.values() for name, share in row.items() if name != "photos")
