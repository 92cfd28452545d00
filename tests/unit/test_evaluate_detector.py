"""The figures of a detector: right where they are known, and the JSON that programs read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from drawn_people import draw_people
from PIL import Image
from typer.testing import CliRunner

from models.detection.kinds import PARTS_MEASURED
from models.detector import Detection
from models.evaluation.detector import Judged, iou, measure, predictions
from streams.cli import app

BOX = (10.0, 10.0, 50.0, 90.0)
ELSEWHERE = (100.0, 10.0, 140.0, 90.0)


def detection(part: str, box: tuple[float, float, float, float], score: float) -> Detection:
    return Detection(part, "thing", box, score)  # type: ignore[arg-type]


def test_a_detector_that_knows_all_scores_one() -> None:
    judged = [
        Judged(
            str(n),
            tuple((p, BOX) for p in PARTS_MEASURED),
            tuple(detection(p, BOX, 0.9) for p in PARTS_MEASURED),
        )
        for n in range(3)
    ]
    report = measure(judged, 12.34)
    assert report.map50["mean"] == pytest.approx(1.0)
    assert (report.ar50["mean"], report.precision["mean"], report.recall["mean"]) == (1.0, 1.0, 1.0)
    assert report.as_data()["ms_per_photo"] == 12.3
    assert list(report.as_data()["mAP50"]) == ["mean", *PARTS_MEASURED]


def test_a_false_alarm_costs_by_its_rank_and_only_shown_ones_cost_precision() -> None:
    truth = (("bag", BOX),)
    first = Judged("1", truth, (detection("bag", ELSEWHERE, 0.9), detection("bag", BOX, 0.8)))
    report = measure([first], 0.0)
    assert report.map50["bag"] == pytest.approx(0.5, abs=0.01)
    assert (report.precision["bag"], report.recall["bag"]) == (0.5, 1.0)
    unsure = Judged("1", truth, (detection("bag", BOX, 0.8), detection("bag", ELSEWHERE, 0.4)))
    report = measure([unsure], 0.0)
    assert report.map50["bag"] == pytest.approx(1.0)
    assert (report.precision["bag"], report.recall["bag"]) == (1.0, 1.0)


def test_parts_that_no_photo_has_are_left_out_of_the_mean() -> None:
    report = measure([Judged("1", (("bag", BOX),), (detection("bag", BOX, 0.8),))], 0.0)
    assert report.map50["mean"] == pytest.approx(1.0)
    assert report.as_data()["mAP50"]["headwear"] is None


def test_one_box_is_found_once() -> None:
    twice = Judged("1", (("lower", BOX),), (detection("lower", BOX, 0.9), detection("lower", BOX, 0.8)))
    report = measure([twice], 0.0)
    assert (report.precision["lower"], report.recall["lower"]) == (0.5, 1.0)


def test_predictions_are_coco_results() -> None:
    [row] = predictions([Judged("0042", (), (detection("bag", BOX, 0.75),))])
    assert row["image_id"] == "0042"
    assert row["category"] == "bag"
    assert (row["bbox"], row["score"]) == ([10.0, 10.0, 40.0, 80.0], 0.75)


def test_no_photos_is_a_clear_error() -> None:
    with pytest.raises(ValueError, match="no labelled photos"):
        measure([], 0.0)


def test_iou_of_known_boxes() -> None:
    assert iou(BOX, BOX) == 1.0
    assert iou(BOX, ELSEWHERE) == 0.0
    assert iou((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)


def test_the_command_prints_the_agreed_json_and_writes_predictions(tmp_path: Path) -> None:
    root = draw_people(tmp_path / "people", 3)
    file = tmp_path / "predictions.json"
    folders = [f"--{name}={root / name}" for name in ("photos", "masks")]
    labels = f"--labels={root / 'labels.json'}"
    done = CliRunner().invoke(
        app, ["evaluate", "detector", *folders, labels, f"--predictions={file}", "--json"]
    )
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)
    assert set(figures) == {"mAP50", "AR50", "mAP50_95", "precision", "recall", "ms_per_photo", "photos"}
    assert set(figures["mAP50"]) == {"mean", *PARTS_MEASURED}
    assert figures["photos"] == 3
    for row in json.loads(file.read_text(encoding="utf-8")):
        assert row["image_id"] in ("0000", "0001", "0002")
        x, y, width, height = row["bbox"]
        assert 0 <= x <= x + width <= 80.01
        assert 0 <= y <= y + height <= 120.01


def test_single_garments_are_measured_too_and_a_sheet_is_drawn(tmp_path: Path) -> None:
    root = draw_people(tmp_path / "people", 1)
    singles = tmp_path / "singles"
    (singles / "shoes").mkdir(parents=True)
    Image.new("RGB", (90, 120), (250, 240, 230)).save(singles / "shoes" / "a.jpg")
    words = ["evaluate", "detector", f"--photos={root / 'photos'}", f"--masks={root / 'masks'}"]
    words += [f"--labels={root / 'labels.json'}", f"--singles={singles}", f"--sheet={tmp_path / 'sheet.png'}"]
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["single_part"] in (0.0, 1.0)
    with Image.open(tmp_path / "sheet.png") as picture:
        assert picture.format == "PNG"
