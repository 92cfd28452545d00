"""Clothing Co-Parsing's masks become boxes by the rule that detectors are measured with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from drawn_people import draw_people
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models.datasets.ccp import box_of_pieces, read_ccp, read_labels
from models.datasets.records import DatasetError, Skipped

CCP = Path(__file__).parents[3] / "shared" / "data" / "ccp"


def read(root: Path, skipped: Skipped | None = None) -> dict[str, dict[str, tuple[float, ...] | None]]:
    photos = read_ccp(root / "photos", root / "masks", root / "labels.json", skipped or Skipped())
    return {p.photo_id: {g.category: g.box_xyxy for g in p.garments} for p in photos}


def test_a_label_is_one_garment_round_its_large_pieces(tmp_path: Path) -> None:
    photos = read(draw_people(tmp_path, 2))
    assert list(photos) == ["0000", "0001"]
    assert set(photos["0000"]) == {"t-shirt", "pants", "shoes"}
    assert set(photos["0001"]) == {"t-shirt", "pants", "shoes", "bag"}
    x1, y1, x2, y2 = photos["0000"]["shoes"] or ()
    assert (y1, y2, x2 - x1) == (100, 108, 26)


def test_specks_neither_widen_a_box_nor_are_garments(tmp_path: Path) -> None:
    root = draw_people(tmp_path, 1)
    mask = np.array(Image.open(root / "masks" / "0000.png"))
    before = read(root)["0000"]
    mask[0:2, 0:2] = 3  # far under a twentieth of the trousers
    mask[119, 79] = 5  # a bag of one pixel: under 0.03 % of the photo
    mask[119, 77] = 5
    Image.fromarray(mask).save(root / "masks" / "0000.png")
    assert read(root)["0000"] == before


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), min_size=1, max_size=30))
def test_the_box_of_pieces_lies_within_the_masks_and_holds_its_largest(cells: list[tuple[int, int]]) -> None:
    mask = np.zeros((16, 16), bool)
    for y, x in cells:
        mask[y, x] = True
    x1, y1, x2, y2 = (int(side) for side in box_of_pieces(mask))
    ys, xs = np.nonzero(mask)
    assert xs.min() <= x1 < x2 <= xs.max() + 1
    assert ys.min() <= y1 < y2 <= ys.max() + 1
    assert mask[y1:y2, x1:x2].any(axis=0)[[0, -1]].all()


def test_bad_masks_are_named_and_counted_and_the_others_read(tmp_path: Path) -> None:
    root = draw_people(tmp_path, 4)
    (root / "masks" / "0000.png").write_bytes(b"no picture")
    (root / "masks" / "0001.png").unlink()
    Image.fromarray(np.full((120, 80), 200, np.uint8)).save(root / "masks" / "0002.png")
    skipped = Skipped()
    assert list(read(root, skipped)) == ["0003"]
    assert skipped.count == 3
    assert "0002.png" in skipped.lines[2]
    assert "value 200, expected less than 7" in skipped.lines[2]


def test_a_data_set_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    root = draw_people(tmp_path / "a", 1)
    photos = read_ccp(root / "photos", root / "none", root / "labels.json", Skipped())
    with pytest.raises(DatasetError, match="no such folder"):
        next(photos)
    (root / "labels.json").write_text(json.dumps({"0": "null"}), encoding="utf-8")
    with pytest.raises(DatasetError, match="expected a JSON list of label names"):
        read_labels(root / "labels.json")


@pytest.mark.photos
@pytest.mark.skipif(not CCP.is_dir(), reason="the photographs are not there")
def test_the_real_masks_give_boxes_inside_their_photos() -> None:
    skipped = Skipped()
    photos = read_ccp(CCP / "photos", CCP / "masks", CCP / "labels.json", skipped)
    for photo, _ in zip(photos, range(20), strict=False):
        assert photo.width is not None
        assert photo.height is not None
        for garment in photo.garments:
            assert garment.box_xyxy is not None
            assert 0 <= garment.box_xyxy[0] < garment.box_xyxy[2] <= photo.width
            assert 0 <= garment.box_xyxy[1] < garment.box_xyxy[3] <= photo.height
    assert skipped.count == 0
