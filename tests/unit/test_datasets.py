"""Published data sets are read as their formats say, and what is malformed is named and counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_cases import (
    DEEPFASHION_PHOTOS,
    LONG_SLEEVE_OUTWEAR,
    SKIRT,
    item,
    mask_row,
    write_deepfashion,
    write_deepfashion2,
    write_fashion_mnist,
    write_imaterialist,
    write_photo,
)

from models.datasets import deepfashion2, masks
from models.datasets.fashion_mnist import read_fashion_mnist
from models.datasets.formats import FORMATS, read
from models.datasets.parts import part_of
from models.datasets.records import DatasetError, LabelledPhoto, Skipped


def all_of(name: str, root: Path, split: str | None = None) -> tuple[list[LabelledPhoto], Skipped]:
    skipped = Skipped()
    return list(read(name, root, split, skipped)), skipped


def test_deepfashion2_is_read(tmp_path: Path) -> None:
    root = write_deepfashion2(tmp_path, {"item2": item(SKIRT, style=0), "item1": item(LONG_SLEEVE_OUTWEAR)})
    [photo], skipped = all_of("deepfashion2", root, "train")
    assert skipped.count == 0
    assert (photo.photo_id, photo.width, photo.height, photo.pair_id) == ("000001", 60, 80, 101)
    assert photo.path.is_file()
    coat, skirt = photo.garments
    assert (coat.category, coat.part, coat.style) == ("long sleeve outwear", "upper", 1)
    assert (skirt.category, skirt.part, skirt.style) == ("skirt", "lower", 0)
    assert coat.box_xyxy == (5, 10, 45, 70)
    assert coat.mask == ((5, 10, 45, 10, 45.5, 70, 5, 70),)
    assert [mark.number for mark in coat.landmarks] == list(range(89, 128))
    assert [mark.number for mark in skirt.landmarks] == list(range(182, 190))
    assert (skirt.landmarks[1].x, skirt.landmarks[1].visibility) == (183, 2)


def test_the_294_landmarks_belong_to_13_categories() -> None:
    counts = np.diff(deepfashion2.LANDMARK_ENDS).tolist()
    assert counts == [25, 33, 31, 39, 15, 15, 10, 14, 8, 29, 37, 19, 19]
    assert len(deepfashion2.CATEGORIES) == 13
    assert deepfashion2.LANDMARKS == 294


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"category_id": 14}, "category_id is '14', expected 1 to 13"),
        ({"category_id": True}, "category_id is 'True'"),
        ({"bounding_box": [45, 10, 5, 70]}, "x1 < x2"),
        ({"bounding_box": [70, 10, 90, 70]}, "inside the photo"),
        ({"bounding_box": [1, 2, 3]}, "expected 4 numbers"),
        ({"bounding_box": [1, 2, 3, "wide"]}, "expected numbers"),
        ({"bounding_box": [1, 2, 3, float("nan")]}, "expected finite numbers"),
        ({"landmarks": [1, 2, 2]}, "expected 24 numbers"),
        ({"landmarks": [1, 2, 3] * 8}, "visibility 3"),
        ({"segmentation": [[1, 2, 3, 4]]}, "fewer than three corners"),
        ({"segmentation": "none"}, "expected a list of outlines"),
        ({"style": -1}, "style is '-1'"),
    ],
)
def test_a_malformed_item_is_named_and_its_photo_kept(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    root = write_deepfashion2(tmp_path, {"item1": item(SKIRT, **changes), "item2": item(SKIRT)})
    [photo], skipped = all_of("deepfashion2", root, "train")
    assert len(photo.garments) == 1
    [line] = skipped.lines
    assert line.startswith(f"{root}/train/annos/000001.json: item1: ")
    assert reason in line


def test_a_file_that_is_no_annotation_is_named(tmp_path: Path) -> None:
    root = write_deepfashion2(tmp_path, *({"item1": item(SKIRT)} for _ in range(5)))
    annos = root / "train" / "annos"
    (annos / "000001.json").write_text("{")
    (annos / "000002.json").write_text("[]")
    (root / "train" / "image" / "000003.jpg").write_bytes(b"no photo")
    (root / "train" / "image" / "000004.jpg").unlink()
    photos, skipped = all_of("deepfashion2", root, "train")
    assert [photo.photo_id for photo in photos] == ["000005"]
    assert skipped.counts == {str(annos / f"{number:06}.json"): 1 for number in range(1, 5)}
    with pytest.raises(DatasetError, match="got no annotations"):
        all_of("deepfashion2", root, "validation")


def test_imaterialist_is_read(tmp_path: Path) -> None:
    mask = np.zeros((7, 5), bool)
    mask[2:5, 1:4] = True
    shoe = np.zeros((7, 5), bool)
    shoe[:, 4] = True
    shoe[6, 3] = True  # ends at the bottom of one column, goes on at the top of the next
    rows = [mask_row("a.jpg", mask, "0_2_5"), mask_row("a.jpg", shoe, "23"), mask_row("b.jpg", mask, "31")]
    photos, skipped = all_of("imaterialist", write_imaterialist(tmp_path, rows))
    assert skipped.count == 0
    assert [photo.photo_id for photo in photos] == ["a.jpg", "b.jpg"]
    assert photos[0].path == tmp_path / "train" / "a.jpg"
    shirt, worn = photos[0].garments
    assert (shirt.category, shirt.part, shirt.attributes) == ("shirt, blouse", "upper", ("denim", "floral"))
    assert isinstance(shirt.mask, masks.Runs)
    assert np.array_equal(shirt.mask.pixels(), mask)
    assert shirt.box_xyxy == (1, 2, 4, 5)
    assert (worn.part, worn.box_xyxy) == ("footwear", (3, 0, 5, 7))
    assert photos[1].garments[0].part is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"EncodedPixels": "1 3 2"}, "pairs"),
        ({"EncodedPixels": "1 3 2 2"}, "expected one after pixel 3"),
        ({"EncodedPixels": "30 10"}, "at most 5 x 7"),
        ({"EncodedPixels": "0 3"}, "expected one after pixel 0"),
        ({"EncodedPixels": "a b"}, "invalid literal"),
        ({"EncodedPixels": ""}, "empty"),
        ({"ClassId": "99"}, "label_descriptions.json"),
        ({"ClassId": "0_77"}, "label_descriptions.json"),
        ({"ClassId": ""}, "ClassId is ''"),
        ({"Height": "-7"}, "Height is '-7'"),
    ],
)
def test_a_malformed_row_is_named(tmp_path: Path, changes: dict[str, str], reason: str) -> None:
    mask = np.eye(7, 5, dtype=bool)
    rows = [mask_row("a.jpg", mask, "0"), mask_row("a.jpg", mask, "0") | changes]
    [photo], skipped = all_of("imaterialist", write_imaterialist(tmp_path, rows))
    assert len(photo.garments) == 1
    [line] = skipped.lines
    assert line.startswith(f"{tmp_path / 'train.csv'}: line 3: ")
    assert reason in line


def test_rows_of_a_photo_that_come_back_are_told(tmp_path: Path) -> None:
    mask = np.eye(7, 5, dtype=bool)
    rows = [mask_row(name, mask, "0") for name in ("a.jpg", "b.jpg", "a.jpg", "../c.jpg")]
    photos, skipped = all_of("imaterialist", write_imaterialist(tmp_path, rows))
    assert [photo.photo_id for photo in photos] == ["a.jpg", "b.jpg"]
    assert skipped.count == 2
    (tmp_path / "train.csv").write_text("ImageId,ClassId\na.jpg,0\n")
    with pytest.raises(DatasetError, match="no column EncodedPixels, Height, Width"):
        all_of("imaterialist", tmp_path)


def test_deepfashion_is_read(tmp_path: Path) -> None:
    root = write_deepfashion(tmp_path)
    photos, skipped = all_of("deepfashion", root)
    assert skipped.count == 0
    assert [photo.split for photo in photos] == ["train", "val", "test"]
    seen = [(p.garments[0].category, p.garments[0].part, p.garments[0].attributes) for p in photos]
    assert seen == [
        ("Blouse", "upper", ("floral print",)),
        ("Jeans", "lower", ("acid wash",)),
        ("Dress", "full_body", ("a-line", "floral print")),
    ]
    assert photos[1].garments[0].box_xyxy == (10, 20, 50, 70)
    assert all(photo.path.is_file() for photo in photos)
    [jeans], _ = all_of("deepfashion", root, "val")
    assert jeans.photo_id == DEEPFASHION_PHOTOS[1]


def test_malformed_lines_of_deepfashion_are_named(tmp_path: Path) -> None:
    a, b, c = DEEPFASHION_PHOTOS
    root = write_deepfashion(
        tmp_path,
        list_category_img=[f"{a} 1", f"{b} 4", f"{c} three", "../../outside.jpg 1"],
        list_bbox=[f"{a} 10 20 50", f"{b} 10 20 50 70", f"{c} 10 20 50 70", "../../outside.jpg 1 2 3 4"],
        list_attr_img=[f"{a} 1 1", f"{b} 1 1 1", f"{c} 1 1 5"],
        list_eval_partition=[f"{a} train", f"{b} val", f"{c} later", "../../outside.jpg train"],
    )
    photos, skipped = all_of("deepfashion", root)
    assert photos == []
    told = {(Path(line.split(": ")[0]).name, line.split(": ")[1]) for line in skipped.lines}
    assert told == {
        ("list_bbox.txt", f"line 3 ({a})"),
        ("list_attr_img.txt", f"line 3 ({a})"),
        ("list_attr_img.txt", f"line 5 ({c})"),
        ("list_eval_partition.txt", f"line 5 ({c})"),
        ("list_category_img.txt", f"line 3 ({a})"),
        ("list_category_img.txt", f"line 4 ({b})"),
        ("list_category_img.txt", f"line 5 ({c})"),
        ("list_category_img.txt", "line 6 (../../outside.jpg)"),
    }


def test_a_list_cut_short_is_told(tmp_path: Path) -> None:
    root = write_deepfashion(tmp_path)
    file = root / "Anno" / "list_category_img.txt"
    file.write_text(file.read_text().replace("3\n", "289222\n", 1))
    photos, skipped = all_of("deepfashion", root)
    assert len(photos) == 3
    assert skipped.lines == [f"{file}: line 1: says 289222 lines, there are 3"]
    file.unlink()
    with pytest.raises(DatasetError, match=r"no list_category_img\.txt"):
        all_of("deepfashion", root)


@pytest.mark.parametrize("zipped", [True, False])
def test_fashion_mnist_is_read(tmp_path: Path, zipped: bool) -> None:
    skipped = Skipped()
    found = read_fashion_mnist(write_fashion_mnist(tmp_path, [9, 0, 3], zipped=zipped), None, skipped)
    assert found.pixels.shape == (3, 28, 28)
    assert found.pixels[:, 0, 0].tolist() == [0, 10, 20]
    assert found.names() == ["Ankle boot", "T-shirt/top", "Dress"]
    assert skipped.count == 0


def test_wrong_labels_and_files_of_fashion_mnist_are_named(tmp_path: Path) -> None:
    root, skipped = write_fashion_mnist(tmp_path, [1, 10, 2], zipped=False, split="t10k"), Skipped()
    assert read_fashion_mnist(root, "test", skipped).pixels[:, 0, 0].tolist() == [0, 20]
    assert skipped.lines == [f"{root / 't10k-labels-idx1-ubyte'}: label 1: is 10, expected 0 to 9"]
    with pytest.raises(DatasetError, match="no train-images-idx3-ubyte"):
        read_fashion_mnist(root, "train", skipped)
    images = root / "t10k-images-idx3-ubyte"
    whole = images.read_bytes()
    for data, reason in (
        (whole[:-1], "expected 2352"),
        (whole[:3], "expected at least 16"),
        (b"\x00\x00\x0d\x03" + whole[4:], "expected 00000803"),
        (whole[:4] + b"\xff" * 12 + whole[16:], "expected"),
    ):
        images.write_bytes(data)
        with pytest.raises(DatasetError, match=reason):
            read_fashion_mnist(root, "test", skipped)
    images.unlink()
    (root / "t10k-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8b cut short")
    with pytest.raises(DatasetError, match=r"t10k-images-idx3-ubyte\.gz"):
        read_fashion_mnist(root, "test", skipped)


def test_class_folders_are_read(tmp_path: Path) -> None:
    for name in ("train/shorts/b.jpg", "train/dress/a.png", "train/shorts/c.webp"):
        write_photo(tmp_path / name)
    (tmp_path / "train" / "shorts" / "notes.txt").write_text("not a photo")
    photos, skipped = all_of("class-folders", tmp_path, "train")
    assert [(photo.photo_id, photo.garments[0].part) for photo in photos] == [
        ("dress/a.png", "full_body"),
        ("shorts/b.jpg", "lower"),
        ("shorts/c.webp", "lower"),
    ]
    assert [photo.garments[0].category_id for photo in photos] == [0, 1, 1]
    assert skipped.count == 1
    with pytest.raises(DatasetError, match="expected one a class"):
        all_of("class-folders", tmp_path / "train" / "dress")


@pytest.mark.parametrize(
    ("category", "part"),
    [
        ("sling dress", "full_body"),
        ("short sleeve outwear", "upper"),
        ("Button-Down", "upper"),
        ("Cutoffs", "lower"),
        ("bag, wallet", "bag"),
        ("tights, stockings", "accessory"),
        ("top, t-shirt, sweatshirt", "upper"),
        ("headband, head covering, hair accessory", "headwear"),
        ("Ankle boot", "footwear"),
        ("full_body", "full_body"),
        ("zipper", None),
        ("", None),
    ],
)
def test_categories_belong_to_parts(category: str, part: str | None) -> None:
    assert part_of(category) == part


def test_every_category_of_deepfashion2_belongs_to_a_part() -> None:
    assert {part_of(name) for name in deepfashion2.CATEGORIES} == {"upper", "lower", "full_body"}


def test_formats_and_splits_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"expected one of {', '.join(FORMATS)}"):
        all_of("fashion3", tmp_path)
    with pytest.raises(ValueError, match="split: got 'dev'"):
        all_of("deepfashion2", tmp_path, "dev")


def test_skipped_tells_at_once_and_keeps_counting() -> None:
    told: list[str] = []
    skipped = Skipped(told.append)
    for at in range(1500):
        skipped.add(Path("file"), f"entry {at}", "wrong")
    assert (skipped.count, len(skipped.lines), len(told)) == (1500, 1000, 1500)


def test_reading_goes_photo_by_photo(tmp_path: Path) -> None:
    """The second file is damaged after the first photo was handed out: nothing was read ahead."""
    root = write_deepfashion2(tmp_path, {"item1": item(SKIRT)}, {"item1": item(SKIRT)})
    skipped = Skipped()
    photos = read("deepfashion2", root, "train", skipped)
    assert next(photos).photo_id == "000001"
    (root / "train" / "annos" / "000002.json").write_text(json.dumps(["changed"]))
    assert list(photos) == []
    assert skipped.count == 1
