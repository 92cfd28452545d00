"""Training the detector: a few steps on a tiny drawn set, from the command line to the checkpoint."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from drawn_people import draw_people
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from models.datasets.ccp import read_ccp
from models.datasets.records import LabelledGarment, LabelledPhoto, Skipped
from models.detection.kinds import KINDS
from models.detection.network import Answers, DetectorNet, places_xy, scaled
from models.detector import Detector
from models.photo import decode_photo
from models.training.backgrounds import garment_box
from models.training.detector import Options, Trainer
from models.training.detector_curve import curve
from models.training.detector_loss import Truth, assigned, losses
from models.training.detector_sources import BODY, Source, rare_repeated, sources, with_regions
from models.training.detector_views import Views
from streams.cli import app


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_people(tmp_path_factory.mktemp("people"), 4)


@pytest.fixture(scope="module")
def street(people: Path) -> list[Source]:
    skipped = Skipped()
    photos = read_ccp(people / "photos", people / "masks", people / "labels.json", skipped)
    found = list(with_regions(sources(photos, skipped), people / "masks", people / "labels.json", skipped))
    assert skipped.count == 0
    return found


def test_sources_have_boxes_kinds_and_regions(street: list[Source]) -> None:
    first = street[1]
    assert [KINDS[kind] for kind in first.kinds] == ["inner", "lower", "footwear", "bag"]
    assert first.regions is not None
    assert set(np.unique(first.regions)) >= {0, BODY, 1 + KINDS.index("inner"), 1 + KINDS.index("bag")}
    assert (first.categories >= 0).all()


def test_a_damaged_photo_is_told_and_left_out(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff no photo")
    skipped = Skipped()
    photo = LabelledPhoto("bad", tmp_path / "bad.jpg", (LabelledGarment("dress", 0, "full_body"),))
    assert list(sources([photo], skipped)) == []
    assert "bad.jpg" in skipped.lines[0]


def test_photos_of_a_rare_kind_come_more_often(street: list[Source]) -> None:
    hat = replace(street[0], kinds=np.array([KINDS.index("headwear")]), boxes_xyxy=street[0].boxes_xyxy[:1])
    many = rare_repeated([street[0]] * 19 + [hat])
    assert [len(many), sum(photo is hat for photo in many)] == [22, 3]


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from([(384, 256), (320, 320), (256, 384)]))
def test_views_keep_their_boxes_inside_and_are_the_same_for_the_same_seed(
    street: list[Source], seed: int, size: tuple[int, int]
) -> None:
    views = Views(street, street[:1], single_share=0.3)
    view = views.view(seed, size, np.random.default_rng(seed))
    assert view.pixels.shape == (*size, 3)
    assert view.regions.shape == size
    x1, y1, x2, y2 = view.boxes_xyxy.T
    assert ((x1 >= 0) & (x1 < x2) & (x2 <= size[1]) & (y1 >= 0) & (y1 < y2) & (y2 <= size[0])).all()
    assert len(view.kinds) == len(view.categories) == len(view.weights) == len(view.boxes_xyxy)
    again = views.view(seed, size, np.random.default_rng(seed))
    assert np.array_equal(view.pixels, again.pixels)
    assert np.array_equal(view.boxes_xyxy, again.boxes_xyxy)


def test_boxes_follow_their_pixels(street: list[Source]) -> None:
    """The mask, moved with the photo, and the box, moved by arithmetic, end up in the same place."""
    views = Views(street, [], single_share=0.0)
    checked = 0
    for seed in range(40):
        view = views.view(seed, (384, 256), np.random.default_rng(seed))
        if (view.kinds == KINDS.index("lower")).sum() != 1:
            continue
        box = view.boxes_xyxy[view.kinds == KINDS.index("lower")][0]
        ys, xs = np.nonzero(view.regions == 1 + KINDS.index("lower"))
        inside = (xs >= box[0] - 3) & (xs <= box[2] + 3) & (ys >= box[1] - 3) & (ys <= box[3] + 3)
        assert inside.all()
        checked += 1
    assert checked > 10


def test_the_background_leaves_the_garment() -> None:
    picture = Image.new("RGB", (224, 298), (200, 180, 150))
    ImageDraw.Draw(picture).rectangle((50, 60, 170, 240), fill=(30, 60, 160))
    assert garment_box(np.asarray(picture)) == pytest.approx((50, 60, 170, 240), abs=9)
    blank = garment_box(np.full((298, 224, 3), 90, np.uint8))
    assert blank[2] - blank[0] > 150


def test_the_places_that_answer_are_in_the_garment_and_of_its_slot() -> None:
    places, strides = places_xy(256, 192)
    truth = Truth(
        torch.tensor([[40.0, 40.0, 120.0, 200.0], [60.0, 50.0, 100.0, 120.0]]),
        torch.tensor([KINDS.index("outer"), KINDS.index("inner")]),
        torch.tensor([-1, -1]),
        torch.ones(2),
        torch.zeros(32, 24, dtype=torch.int64),
    )
    around = torch.cat((places - 30, places + 30), dim=1)[:, None, :].expand(-1, 3, -1)
    place, garment = assigned(torch.zeros(len(places), len(KINDS)), around, truth, places, strides)
    assert set(garment.tolist()) == {0, 1}
    for at, number in zip(place, garment, strict=True):
        x1, y1, x2, y2 = truth.boxes_xyxy[number]
        assert x1 < places[at, 0] < x2
        assert y1 < places[at, 1] < y2


def test_the_loss_falls_to_nearly_nothing_for_perfect_answers() -> None:
    places, strides = places_xy(128, 128)
    box = torch.tensor([[20.0, 30.0, 90.0, 110.0]])
    truth = Truth(
        box,
        torch.tensor([KINDS.index("lower")]),
        torch.tensor([-1]),
        torch.ones(1),
        torch.zeros(16, 16, dtype=torch.int64),
    )
    boxes = box[:, None, :].expand(1, len(places), 4)[:, :, None, :].expand(-1, -1, 3, -1)
    kinds = torch.full((1, len(places), len(KINDS)), -12.0)
    place, _ = assigned(kinds[0], boxes[0], truth, places, strides)
    kinds[0, place, KINDS.index("lower")] = 12.0
    regions = torch.full((1, 12, 16, 16), -9.0)
    regions[:, 0] = 9.0
    good = losses(Answers(kinds, boxes, torch.zeros(1, len(places), 42), regions), [truth], places, strides)
    assert good.whole.item() < 0.01
    bad = losses(
        Answers(-kinds, boxes + 50, torch.zeros(1, len(places), 42), -regions), [truth], places, strides
    )
    assert bad.whole.item() > 10


def test_the_network_answers_for_every_place_of_any_canvas() -> None:
    net = DetectorNet().eval()
    for height, width in ((96, 64), (64, 96), (96, 96)):
        with torch.inference_mode():
            answers = net(scaled(torch.zeros(1, height, width, 3, dtype=torch.uint8)))
        places, strides = places_xy(height, width)
        assert answers.kinds.shape == (1, len(places), len(KINDS))
        assert answers.boxes_xyxy.shape == (1, len(places), 3, 4)
        assert len(strides) == len(places)


def test_a_stopped_training_goes_on_as_if_it_had_not_stopped(street: list[Source], tmp_path: Path) -> None:
    options = Options(epochs=2, batch=2)
    whole = Trainer(street[:2], [], options, tmp_path / "whole").run()

    def stop(_: object) -> dict[str, float]:
        raise KeyboardInterrupt

    stopped = Trainer(street[:2], [], options, tmp_path / "stopped")
    with pytest.raises(KeyboardInterrupt):
        stopped.run(stop, every=2)  # in its second epoch, before that is kept
    resumed = Trainer(street[:2], [], options, tmp_path / "stopped")
    assert resumed.epoch == 1
    both = [safetensors.torch.load_file(file) for file in (whole, resumed.run())]
    assert all(torch.equal(value, both[1][name]) for name, value in both[0].items())
    with pytest.raises(ValueError, match="trained with"):
        Trainer(street[:2], [], replace(options, seed=1), tmp_path / "stopped")


def test_the_command_trains_and_its_checkpoint_detects(people: Path, tmp_path: Path) -> None:
    singles = tmp_path / "singles" / "dress"
    singles.mkdir(parents=True)
    Image.new("RGB", (90, 120), (250, 240, 230)).save(singles / "a.jpg")
    out = tmp_path / "out"
    words = ["train", "detector", f"--data={people}", f"--singles={singles.parent}", f"--out={out}"]
    done = CliRunner().invoke(app, [*words, "--epochs=1", "--batch=2", "--held-out=4", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["photos"], told["single_photos"], told["epochs"]) == (3, 1, 1)
    assert told["held_out"]["photos"] == 1
    with Image.open(out / "curve.png") as picture:
        assert picture.format == "PNG"
    detector = Detector(safetensors.torch.load_file(told["checkpoint"]))
    assert ((detector.thresholds > 0) & (detector.thresholds < 1)).all()
    photo = decode_photo((people / "photos" / "0000.jpg").read_bytes())
    [found] = detector.detect([photo], least_score=0.0)
    assert all(0 <= one.box_xyxy[0] < one.box_xyxy[2] <= 80 for one in found)


def test_nothing_to_train_on_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="got no photos"):
        Trainer([], [], Options(), tmp_path)


def test_a_curve_can_be_drawn_of_one_epoch() -> None:
    assert curve([{"epoch": 1.0, "whole": 3.0, "seconds": 2.0}]).size == (900, 560)
