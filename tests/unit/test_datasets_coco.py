"""COCO JSON: written as the published conversion has it, read from any tool, streamed, and masks as runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_cases import (
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
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from PIL import Image

from models.datasets import masks
from models.datasets.coco import read_coco
from models.datasets.json_stream import stream_object
from models.datasets.records import DatasetError, LabelledPhoto, Skipped
from streams.cli import main


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["datasets", *arguments])
    return int(ended.value.code or 0)


def all_of(file: Path, photos: Path) -> tuple[list[LabelledPhoto], Skipped]:
    skipped = Skipped()
    return list(read_coco(file, photos, skipped)), skipped


def test_deepfashion2_becomes_the_published_coco(tmp_path: Path) -> None:
    root = write_deepfashion2(
        tmp_path, {"item1": item(LONG_SLEEVE_OUTWEAR), "item2": item(SKIRT, style=0)}, {"item1": item(1)}
    )
    out = tmp_path / "made" / "train.json"
    assert run("convert", "deepfashion2", str(root), "--split", "train", "--out", str(out)) == 0
    made = json.loads(out.read_text())
    assert list(out.parent.iterdir()) == [out]
    assert [(image["id"], image["file_name"]) for image in made["images"]] == [
        (1, "000001.jpg"),
        (2, "000002.jpg"),
    ]
    assert [category["id"] for category in made["categories"]] == list(range(1, 14))
    assert [len(category["keypoints"]) for category in made["categories"]][:4] == [25, 33, 31, 39]
    coat, skirt, top = made["annotations"]
    assert coat["bbox"] == [5, 10, 40, 60]
    assert coat["area"] == 2400
    assert (coat["style"], coat["pair_id"], skirt["style"], top["pair_id"]) == (1, 101, 0, 102)
    assert coat["segmentation"] == [[5, 10, 45, 10, 45.5, 70, 5, 70]]
    for row, (first, end) in ((coat, (89, 128)), (skirt, (182, 190)), (top, (0, 25))):
        points = np.array(row["keypoints"]).reshape(294, 3)
        assert row["num_keypoints"] == end - first
        assert np.flatnonzero(points[:, 2]).tolist() == list(range(first, end))
        assert points[first:end, 0].tolist() == list(range(first, end))


def test_what_was_written_reads_back(tmp_path: Path) -> None:
    root = write_deepfashion2(tmp_path, {"item1": item(SKIRT), "item2": item(1)}, {"item1": item(13)})
    out = tmp_path / "train.json"
    assert run("convert", "deepfashion2", str(root), "--split", "train", "--out", str(out)) == 0
    from models.datasets.formats import read

    skipped = Skipped()
    before = list(read("deepfashion2", root, "train", skipped))
    after, also_skipped = all_of(out, root / "train" / "image")
    assert skipped.count == also_skipped.count == 0
    assert [photo.garments for photo in after] == [photo.garments for photo in before]
    assert [(p.path, p.width, p.height, p.pair_id) for p in after] == [
        (p.path, p.width, p.height, p.pair_id) for p in before
    ]


def test_pycocotools_reads_what_was_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    mask = np.zeros((7, 5), bool)
    mask[2:5, 1:4] = True
    write_imaterialist(tmp_path, [mask_row("a.jpg", mask, "0_2"), mask_row("b.jpg", mask, "23")])
    out = tmp_path / "train.json"
    assert run("convert", "imaterialist", str(tmp_path), "--out", str(out)) == 0
    read = coco.COCO(str(out))
    assert len(read.imgs) == 2
    assert np.array_equal(read.annToMask(read.anns[1]), mask)
    assert read.anns[1]["bbox"] == [1, 2, 3, 3]
    assert read.anns[1]["attributes"] == ["denim"]
    assert read.imgs[1]["file_name"] == "train/a.jpg"
    capsys.readouterr()


def test_deepfashion_becomes_coco_with_sizes_from_the_photos(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = write_deepfashion(tmp_path), tmp_path / "all.json"
    (root / "img/Maxi_Dress/img_3.jpg").unlink()
    assert run("convert", "deepfashion", str(root), "--out", str(out), "--json") == 1
    said = capsys.readouterr()
    assert json.loads(said.out) == {"photos": 2, "garments": 2, "skipped": 1, "out": str(out)}
    assert "img_3.jpg" in said.err
    photos, _ = all_of(out, root)
    assert [(photo.width, photo.height, photo.garments[0].category) for photo in photos] == [
        (60, 80, "Blouse"),
        (60, 80, "Jeans"),
    ]


def test_fashion_mnist_becomes_class_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, out = write_fashion_mnist(tmp_path / "idx", [9, 0, 0]), tmp_path / "folders"
    assert run("convert", "fashion-mnist", str(root), "--out", str(out)) == 0
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.png")) == [
        "Ankle boot/00000.png",
        "T-shirt-top/00001.png",
        "T-shirt-top/00002.png",
    ]
    assert np.asarray(Image.open(out / "T-shirt-top" / "00002.png"))[0, 0] == 20
    assert run("inspect", "class-folders", str(out), "--json") == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["categories"] == {"Ankle boot": 1, "T-shirt-top": 2}


def test_inspect_counts_and_names_what_is_malformed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = {"item1": item(SKIRT, style="red"), "item2": item(SKIRT)}
    root = write_deepfashion2(tmp_path, *(broken for _ in range(25)))
    assert run("inspect", "deepfashion2", str(root), "--split", "train", "--json") == 1
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found == {"photos": 25, "garments": 25, "categories": {"skirt": 25}, "skipped": 25}
    assert said.err.count("item1: style is 'red'") == 20
    assert "and 5 more" in said.err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["inspect", "fashion3", "."], "format: got 'fashion3'"),
        (["convert", "coco", ".", "--out", "x"], "not COCO JSON already"),
        (["convert", "class-folders", ".", "--out", "x"], "has no boxes"),
        (["inspect", "deepfashion2", "."], "got no annotations"),
    ],
)
def test_wrong_usage_is_one_line(
    arguments: list[str],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert reason in line


def coco_json(**changes: Any) -> dict[str, Any]:
    image = {"id": 7, "file_name": "a.jpg", "width": 60, "height": 80}
    row = {"id": 1, "image_id": 7, "category_id": 3, "bbox": [5, 10, 40, 60]}
    parts = {"annotations": [row], "images": [image], "categories": [{"id": 3, "name": "skirt"}]}
    return {"info": {"year": 2019}} | parts | changes


def written(folder: Path, data: Any) -> Path:
    write_photo(folder / "a.jpg")
    file = folder / "any.json"
    file.write_text(json.dumps(data))
    return file


def test_annotations_may_come_first(tmp_path: Path) -> None:
    [photo], skipped = all_of(written(tmp_path, coco_json()), tmp_path)
    assert skipped.count == 0
    [skirt] = photo.garments
    assert (skirt.category, skirt.part, skirt.box_xyxy) == ("skirt", "lower", (5, 10, 45, 70))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"image_id": "seven"}, "image_id is 'seven'"),
        ({"image_id": 8}, "annotations of no image"),
        ({"category_id": 4}, "category_id is 4"),
        ({"bbox": [5, 10, 0, 60]}, "x1 < x2"),
        ({"bbox": None}, "bbox is None"),
        ({"keypoints": [1, 2]}, "expected three a landmark"),
        ({"segmentation": {"size": [80, 60], "counts": [5]}}, "runs of 5 pixels"),
        ({"segmentation": {"counts": [5]}}, "expected size and counts"),
        ({"segmentation": {"size": [1, 1], "counts": [0, 1]}}, "expected 60 x 80"),
        ({"segmentation": [[1, 2, 3]]}, "three corners"),
        ({"segmentation": 5}, "expected outlines or runs"),
    ],
)
def test_malformed_annotations_are_named(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    data = coco_json()
    data["annotations"].append(data["annotations"][0] | {"id": 2} | changes)
    file = written(tmp_path, data)
    [photo], skipped = all_of(file, tmp_path)
    assert len(photo.garments) == 1
    [line] = skipped.lines
    assert line.startswith(f"{file}: ")
    assert reason in line


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ({"id": 8, "file_name": "../a.jpg", "width": 6, "height": 8}, "expected one below"),
        ({"id": 8, "file_name": "b.jpg", "width": 0, "height": 8}, "width is '0'"),
        ({"id": 7, "file_name": "b.jpg", "width": 9, "height": 8}, "not there yet"),
        ({"id": -1}, "id is '-1'"),
        ("b.jpg", "expected an object"),
    ],
)
def test_malformed_images_are_named(tmp_path: Path, image: Any, reason: str) -> None:
    data = coco_json()
    data["images"].append(image)
    photos, skipped = all_of(written(tmp_path, data), tmp_path)
    assert len(photos) == 1
    assert skipped.count == 1
    assert reason in skipped.lines[0]


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"images": [1, 2', '{"images": [{}] "x"}', "{}", "[" * 9000, "\xff"]
)
def test_what_is_no_coco_json_is_said(tmp_path: Path, text: str) -> None:
    file = tmp_path / "no.json"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(DatasetError, match=r"no\.json: .*expected COCO JSON"):
        all_of(file, tmp_path)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(
    st.dictionaries(st.text(max_size=5), JSON, max_size=5), st.sampled_from([None, 1, 7]), st.integers(1, 9)
)
def test_streaming_says_what_json_says(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any], indent: int | None, chunk: int
) -> None:
    file = tmp_path_factory.mktemp("json") / "any.json"
    file.write_text(json.dumps(data, indent=indent))
    expected = [
        (key, element)
        for key, value in data.items()
        for element in (value if isinstance(value, list) else [value])
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.datasets.json_stream._CHUNK_CHARS", chunk)
        assert list(stream_object(file)) == expected


MASKS = npst.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


@given(MASKS)
def test_runs_are_the_mask(mask: NDArray[np.bool_]) -> None:
    runs = masks.from_pixels(mask)
    assert np.array_equal(runs.pixels(), mask)
    assert runs.area_px == mask.sum()
    rows, columns = np.nonzero(mask)
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if len(rows) else None
    assert runs.box_xyxy() == box
    assert masks.from_coco(masks.to_coco(runs)) == runs


@given(MASKS)
def test_compressed_runs_are_read_as_pycocotools_writes_them(mask: NDArray[np.bool_]) -> None:
    tool = pytest.importorskip("pycocotools.mask")
    compressed = tool.encode(np.asfortranarray(mask.astype(np.uint8)))
    text = {"size": compressed["size"], "counts": compressed["counts"].decode()}
    assert np.array_equal(masks.from_coco(text).pixels(), mask)


def test_outlines_become_pixels() -> None:
    mask = masks.from_outlines([[1, 1, 4, 1, 4, 3, 1, 3]], 6, 8)
    assert mask.shape == (6, 8)
    assert mask[1:4, 1:5].all()
    assert mask.sum() == 12
