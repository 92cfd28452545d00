"""The embedder of garments: its promises, its losses, a training in seconds, and its commands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from models.datasets.records import Skipped
from models.embedder import GarmentEmbedder
from models.embedder_net import COLOURS, DIM, KINDS, LOOK_DIM, colour_block, lab_cells
from models.embedder_pictures import cut, garment_picture
from models.training.embedder import Options, Trainer
from models.training.embedder_loss import contrast_loss, kind_loss, triplet_loss
from models.training.embedder_views import VIEWS, item_views, kinds_of, read_items
from models.vision import open_vision
from models.visions import describe
from streams.cli import main

SMALL = Options(steps=4, batch=4, side_px=64, log_every=2, settling=2)


@pytest.fixture(scope="module")
def embedder() -> GarmentEmbedder:
    return GarmentEmbedder()


@pytest.fixture(scope="module")
def singles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Blocks of colours in class folders."""
    root = tmp_path_factory.mktemp("singles")
    for number, label in enumerate(["dress", "shoes"] * 7):
        (root / label).mkdir(exist_ok=True)
        Image.fromarray(pattern(number)).save(root / label / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two street photos with a dress and shoes each, as CCP has them."""
    root = tmp_path_factory.mktemp("street")
    (root / "labels.json").write_text(json.dumps(["null", "dress", "shoes"]))
    for folder in ("photos", "masks"):
        (root / folder).mkdir()
    for number in range(2):
        mask = np.zeros((160, 100), np.uint8)
        mask[10:100, 20:80], mask[110:150, 30:70] = 1, 2
        Image.fromarray(mask).save(root / "masks" / f"{number:04d}.png")
        Image.fromarray(pattern(50 + number, 160, 100)).save(root / "photos" / f"{number:04d}.jpg")
    return root


def pattern(seed: int, height: int = 60, width: int = 48) -> NDArray[np.uint8]:
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 3, 3), np.uint8)
    return np.asarray(Image.fromarray(blocks).resize((width, height), Image.Resampling.NEAREST))


def square(seed: int) -> NDArray[np.uint8]:
    return pattern(seed, 224, 224)


def test_embeddings_are_unit_and_the_same_alone_and_in_a_batch(embedder: GarmentEmbedder) -> None:
    pictures = np.stack([square(seed) for seed in range(3)])
    together = embedder.embed(pictures)
    alone = np.concatenate([embedder.embed(pictures[n : n + 1]) for n in range(3)])
    assert together.shape == (3, DIM) == (3, embedder.dim)
    assert together.dtype == np.float32
    assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-5)
    assert np.abs(together - alone).max() < 2e-2  # half-precision convolutions may add in another order
    assert np.abs(together - embedder.embed(pictures)).max() < 1e-3


def test_the_blocks_are_weighted_by_their_shares(embedder: GarmentEmbedder) -> None:
    row = embedder.embed(np.stack([square(0)]))[0]
    lengths = np.square([*map(np.linalg.norm, np.split(row, [len(KINDS), len(KINDS) + LOOK_DIM]))])
    assert lengths == pytest.approx(embedder.shares, abs=1e-3)
    assert lengths.sum() == pytest.approx(1, abs=1e-5)


def test_black_white_and_grey_have_embeddings(embedder: GarmentEmbedder) -> None:
    plain = np.stack([np.full((224, 224, 3), value, np.uint8) for value in (0, 128, 255)])
    assert np.isfinite(embedder.embed(plain)).all()


def test_colours_are_those_of_lab() -> None:
    red = torch.zeros(1, 64, 64, 3, dtype=torch.uint8)
    red[..., 0] = 255
    assert lab_cells(red)[0, 0].tolist() == pytest.approx([53.24, 80.09, 67.2], abs=0.1)
    palette = torch.randn(COLOURS, 3) * 5
    palette[7] = torch.tensor([53.24, 80.09, 67.2])
    assert int(colour_block(red, palette)[0].argmax()) == 7


def test_the_vision_of_whole_photos_uses_it() -> None:
    vision, known = open_vision("whole-looks"), describe("whole-looks")
    assert (vision.detector, vision.embedder, vision.dim) == (known.detector, known.embedder, known.dim)


@given(st.tuples(*[st.floats(-50, 150)] * 4))
def test_any_box_cuts_at_least_a_pixel(box: tuple[float, float, float, float]) -> None:
    found = cut(pattern(0), box)
    assert min(found.shape[:2]) >= 1
    assert garment_picture(pattern(0), box, 8).shape == (8, 8, 3)


def test_a_kind_that_may_be_several_is_right_in_any_of_them() -> None:
    logits = torch.tensor([[9.0, 0.0, 0.0]])
    right, wrong = torch.tensor([[True, True, False]]), torch.tensor([[False, True, True]])
    assert kind_loss(logits, right) < kind_loss(logits, wrong)


def test_views_of_one_garment_that_lie_together_cost_less() -> None:
    far, near = torch.eye(4), torch.eye(2).repeat(2, 1)
    far = torch.nn.functional.pad(far, (0, 4))
    near = torch.nn.functional.pad(near, (0, 6))
    garments, nothing = torch.tensor([0, 1, 0, 1]), torch.zeros(0, 8)
    none = torch.zeros(0, dtype=torch.long)
    assert contrast_loss(near, garments, nothing, none) < contrast_loss(far, garments, nothing, none)
    remembered = near[:1]  # the same garment as before is no negative, another one is
    same = contrast_loss(near, garments, remembered, torch.tensor([0]))
    other = contrast_loss(near, garments, remembered, torch.tensor([9]))
    assert same < other


def test_triplets_take_the_hardest_of_each() -> None:
    rows = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]]))
    labels = torch.tensor([0, 0, 1, 1])
    same = labels[:, None] == labels[None]
    assert float(triplet_loss(rows, same)) == 0.0
    mixed = torch.tensor([0, 1, 0, 1])
    assert float(triplet_loss(rows, mixed[:, None] == mixed[None])) > 0.9
    assert float(triplet_loss(rows, torch.ones(4, 4, dtype=torch.bool))) == 0.0


def test_labels_of_both_data_sets_are_kinds() -> None:
    names = {name: [KINDS[n] for n in kinds_of(name)] for name in ("jeans", "coat", "pumps", "purse", "top")}
    assert names["jeans"] == ["pants"]
    assert names["coat"] == ["outwear"]
    assert names["pumps"] == ["shoes"]
    assert names["purse"] == ["bag"]
    assert names["top"] == ["t-shirt", "longsleeve", "shirt"]
    assert len(kinds_of("umbrella")) == len(KINDS)


def test_views_are_the_same_for_the_same_seed(singles: Path, street: Path) -> None:
    items = read_items(singles, Skipped()) + read_items(street, Skipped())
    assert len(items) == 14 + 4
    first, again = (list(item_views(items, 32, 5)) for _ in range(2))
    assert len(first) == VIEWS * len(items)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("loss", ["looks", "triplet"])
def test_a_stopped_training_goes_on_as_if_nothing_had_been(loss: str, singles: Path, tmp_path: Path) -> None:
    items = read_items(singles, Skipped())
    options = Options(**{**vars(SMALL), "loss": loss})
    whole = Trainer(items, options, tmp_path / "whole").run()
    interrupted = Trainer(items, options, tmp_path / "parts")
    keep = interrupted._keep

    def stop() -> None:
        keep()
        raise KeyboardInterrupt

    interrupted._keep = stop  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        interrupted.run()
    parts = Trainer(items, options, tmp_path / "parts").run()
    assert whole.read_bytes() == parts.read_bytes()
    assert (tmp_path / "parts" / "curve.png").stat().st_size > 0
    assert len((tmp_path / "parts" / "log.jsonl").read_text().splitlines()) == 2
    with pytest.raises(ValueError, match="trained with"):
        Trainer(items, Options(**{**vars(options), "rate": 1.0}), tmp_path / "parts")


def test_a_garment_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="got 0 garments"):
        Trainer([], SMALL, tmp_path)


def test_the_command_evaluates(
    singles: Path, street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--gallery", str(singles), "--queries", str(singles)]
    arguments += ["--photos", str(street / "photos"), "--masks", str(street / "masks")]
    arguments += ["--labels", str(street / "labels.json"), "--json"]
    arguments += ["--embeddings", str(tmp_path / "e.npz"), "--sheet", str(tmp_path / "s.png")]
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "embedder", *arguments])
    assert ended.value.code == 0
    figures = json.loads(capsys.readouterr().out)
    names = "same_class_mAP same_class_P10 leave_one_out_mAP augmented_recall1 half_recall1 colour_ratio"
    assert all(0 <= figures[name] <= 2 for name in names.split())
    assert figures["dim"] == DIM
    assert figures["garments"] == 4
    assert figures["ms_per_crop"] > 0
    with np.load(tmp_path / "e.npz", allow_pickle=False) as kept:
        assert kept["embeddings"].shape == (28, DIM)
        assert kept["garment_left"].shape == (4, DIM)
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.width > 500


def test_some_of_photos_masks_and_labels_are_refused(
    singles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "embedder", "--gallery", str(singles), "--queries", str(singles), "--photos", "x"])
    assert ended.value.code == 2
    assert "expected all three or none" in capsys.readouterr().err
