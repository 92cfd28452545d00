"""The published models by name, with weights that are chance or hand-made: nothing is fetched."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from dataset_cases import write_photo
from numpy.typing import NDArray
from torchvision.models.detection import FasterRCNN, MaskRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

from models.datasets.deepfashion2 import CATEGORIES
from models.datasets.masks import from_pixels
from models.datasets.records import LabelledGarment, LabelledPhoto, Skipped
from models.photo import Photo
from models.published import detectors, embedders, train_detector, train_embedder, weights
from models.published.detectors import Detection, RcnnDetector, build_detector
from models.published.embedders import MultiTask, PublishedEmbedder, TripletNet, Trunk, open_embedder
from models.published.keypoints import KeypointGate, build_keypoint_rcnn
from models.published.losses import distance_of, hardest_triplets, multi_task_loss, triplet_loss
from models.published.names import Model, parse
from models.published.vision import PublishedVision, crop_picture
from models.vision import open_vision
from models.visions import describe
from models.weights import WeightsError
from streams.cli import main


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def small(net: Any) -> Any:
    """A detector that looks at small pictures, so that a test takes no time."""
    net.transform.min_size, net.transform.max_size = (64,), 96
    net.roi_heads.detections_per_img = 5
    return net


def noise(height: int = 60, width: int = 40, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def photo_of(pixels: NDArray[np.uint8], scale: int = 1) -> Photo:
    return Photo(pixels, pixels.shape[1] * scale, pixels.shape[0] * scale, "0" * 64)


@pytest.mark.parametrize("kind", ["faster-rcnn", "mask-rcnn"])
def test_detectors_of_torchvision_find_boxes_and_masks(kind: str) -> None:
    net = small(build_detector(kind, len(CATEGORIES)))
    detector = RcnnDetector(net, CATEGORIES, score_threshold=0.0)
    assert len(detector.detect([noise(), noise(50, 70)])) == 2
    [found] = detector.detect([noise(50, 70)])
    assert found, "chance finds something at a threshold of 0"
    scores = [detection.score for detection in found]
    assert scores == sorted(scores, reverse=True)
    for detection in found:
        assert detection.category in CATEGORIES
        x1, y1, x2, y2 = detection.box_xyxy
        assert 0 <= x1 <= x2 <= 70
        assert 0 <= y1 <= y2 <= 50
        assert (detection.mask is not None) == (kind == "mask-rcnn")
        assert detection.mask is None or detection.mask.shape == (50, 70)
    highest = RcnnDetector(net, CATEGORIES, score_threshold=scores[0]).detect([noise(50, 70)])
    assert [detection.score for detection in highest[0]] == [s for s in scores if s >= scores[0]]


def test_keypoint_rcnn_judges_a_photo() -> None:
    pose = KeypointGate(small(build_keypoint_rcnn()), "by chance").judge(noise())
    assert pose.gate == "by chance"
    assert not pose.full_shot  # nobody is in it


@pytest.mark.parametrize(("kind", "dim"), [("resnet50", 2048), ("densenet121", 1024)])
def test_embeddings_are_unit_and_as_long_as_published(kind: str, dim: int) -> None:
    embedder = PublishedEmbedder(TripletNet(Trunk(kind)), kind)
    pictures = np.stack([noise(224, 224, seed) for seed in range(2)])
    found = embedder.embed(pictures)
    assert (found.shape, found.dtype, embedder.dim) == ((2, dim), np.float32, dim)
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(2), abs=1e-5)
    assert np.allclose(embedder.embed(pictures[:1]), found[:1], atol=1e-4)


def test_the_multi_task_heads_have_the_published_sizes() -> None:
    net = MultiTask(Trunk("resnet50"))
    shapes = {
        name: tuple(weight.shape) for name, weight in net.named_parameters() if not name.startswith("trunk")
    }
    assert shapes == {
        "class_head.dense.weight": (512, 2048),
        "class_head.dense.bias": (512,),
        "class_head.classes.weight": (46, 512),
        "class_head.classes.bias": (46,),
        "box_head.dense.weight": (512, 2048),
        "box_head.dense.bias": (512,),
        "box_head.narrow.weight": (128, 512),
        "box_head.narrow.bias": (128,),
        "box_head.box.weight": (4, 128),
        "box_head.box.bias": (4,),
    }
    said = net.eval()(torch.from_numpy(noise(64, 64)[None]))
    assert (said.classes.shape, said.boxes.shape) == ((1, 46), (1, 4))
    dense = (net.class_head.dense, net.box_head.dense, net.box_head.narrow)
    expected = 0.001 * sum(float(layer.weight.detach().square().sum()) for layer in dense)
    assert float(net.penalty().detach()) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("kind", ["resnet50", "densenet121"])
def test_only_the_last_layers_are_unfrozen(kind: str) -> None:
    trunk = Trunk(kind)
    trunk.unfreeze_last(12)
    layers = list(trunk.weighted_layers())
    trained = [all(weight.requires_grad for weight in layer.parameters()) for layer in layers]
    assert trained == [False] * (len(layers) - 12) + [True] * 12
    norm = next(layer for layer in layers if isinstance(layer, torch.nn.BatchNorm2d))
    before = norm.running_mean.clone()
    trunk.train()(torch.from_numpy(noise(64, 64)[None].repeat(2, axis=0)))
    assert torch.equal(norm.running_mean, before), "a frozen batch norm keeps its statistics"
    trunk.unfreeze_last(0)
    assert not any(weight.requires_grad for weight in trunk.parameters())


def test_the_triplet_loss_is_the_published_one() -> None:
    anchor, positive, negative = (torch.tensor([row]) for row in ([1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]))
    near, far = 2**0.5, 2.0
    assert float(distance_of(anchor, positive, "euclidean")) == pytest.approx(near)
    assert float(distance_of(anchor, negative, "cosine")) == pytest.approx(2.0)
    assert float(triplet_loss(anchor, positive, negative, 0.2)) == 0.0
    assert float(triplet_loss(anchor, positive, negative, 1.0)) == pytest.approx(near - far + 1.0)
    assert float(triplet_loss(anchor, positive, negative, 1.5, "cosine")) == pytest.approx(1 - 2 + 1.5)
    with pytest.raises(ValueError, match="expected euclidean or cosine"):
        distance_of(anchor, positive, "manhattan")  # type: ignore[arg-type]


def test_the_hardest_triplets_are_found() -> None:
    rows = torch.tensor([[0.0], [1.0], [5.0], [2.0], [9.0]])
    labels = torch.tensor([0, 0, 0, 1, 2])
    anchor, positive, negative = hardest_triplets(rows, labels)
    assert anchor.flatten().tolist() == [0, 1, 5]
    assert positive.flatten().tolist() == [5, 5, 0]
    assert negative.flatten().tolist() == [2, 2, 2]
    assert len(hardest_triplets(rows, torch.zeros(5))[0]) == 0


def test_the_multi_task_loss_falls_when_both_are_right() -> None:
    from models.published.embedders import Tasks

    classes, boxes = torch.tensor([1]), torch.tensor([[0.1, 0.2, 0.9, 0.8]])
    right = Tasks(torch.tensor([[-9.0, 9.0]]), boxes)
    assert float(multi_task_loss(right, classes, boxes)) < 1e-6
    assert float(multi_task_loss(Tasks(-right.classes, boxes), classes, boxes)) > 9
    assert float(multi_task_loss(Tasks(right.classes, boxes + 1), classes, boxes)) == pytest.approx(
        0.5, abs=1e-4
    )


class MeanColour:
    name, dim, side_px = "mean-colour", 3, 20

    def embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        means = pictures.astype(np.float32).mean(axis=(1, 2)) + 1
        return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), np.float32)


class Says:
    def __init__(self, *detections: Detection) -> None:
        self.detections = list(detections)

    def detect(self, photos: list[NDArray[np.uint8]]) -> list[list[Detection]]:
        return [self.detections for _ in photos]


SKIRT = Detection("skirt", (10, 30, 30, 50), 0.9)
DRESS = Detection("sling dress", (5, 5, 35, 55), 0.8)
TOP = Detection("long sleeve top", (5, 5, 35, 30), 0.7)
SLEEVE = Detection("sleeve", (5, 5, 10, 30), 0.7)


def test_detections_become_garments_behind_the_whole() -> None:
    vision = PublishedVision(Says(SKIRT, DRESS, TOP, SLEEVE), "fake-1", MeanColour())
    first, second = vision.garments([photo_of(noise(), scale=2), photo_of(noise(seed=1))])
    assert [(g.part, g.category, g.score) for g in first] == [
        ("whole", None, 1.0),
        ("lower", "skirt", 0.9),
        ("full_body", "sling dress", 0.8),
        ("upper", "long sleeve top", 0.7),
    ]
    assert first[0].box_xyxy == (0, 0, 80, 120)
    assert first[1].box_xyxy == (20, 60, 60, 100)
    assert second[1].box_xyxy == (10, 30, 30, 50)
    assert (vision.detector, vision.embedder, vision.dim) == ("fake-1", "mean-colour", 3)
    assert vision.garments([]) == []


def test_tops_and_bottoms_are_the_published_two_crops() -> None:
    vision = PublishedVision(Says(DRESS, SKIRT, TOP), "fake-1", MeanColour(), tops_and_bottoms=True)
    [garments] = vision.garments([photo_of(noise())])
    assert [(g.part, g.category) for g in garments] == [
        ("whole", None),
        ("upper", "sling dress"),
        ("lower", "skirt"),
    ]


def test_a_mask_blanks_the_background_of_a_crop() -> None:
    pixels = np.full((60, 40, 3), (200, 0, 0), np.uint8)
    mask = np.zeros((60, 40), bool)
    mask[30:40, 10:30] = True
    picture = crop_picture(pixels, Detection("skirt", (10, 30, 30, 50), 0.9, mask), 20)
    assert picture is not None
    assert (picture[:10] == (200, 0, 0)).all()
    assert (picture[11:] == 255).all()
    plain = crop_picture(pixels, SKIRT, 20)
    assert plain is not None
    assert (plain == (200, 0, 0)).all()
    assert crop_picture(pixels, Detection("skirt", (50, 10, 60, 20), 0.9), 20) is None


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_names_say_which_file(tmp_path: Path) -> None:
    file = tmp_path / "a+b:c.safetensors"
    digest = weights.save(torch.nn.Linear(1, 1), {"dim": 64}, file)
    assert digest == sha256(file)
    names = parse(f"mask-rcnn:{file}+densenet121:{file}#{digest[:16]}")
    assert names is not None
    assert names.detector == Model("mask-rcnn", file)
    told = describe(f"mask-rcnn:{file}+densenet121:{file}#{digest[:16]}")
    assert (told.detector, told.dim) == (f"mask-rcnn-{digest[:12]}", 64)
    assert told.embedder == f"densenet121-{digest[:12]}"
    assert describe("whole-photo+resnet50").embedder == "resnet50-imagenet1k-v2"
    assert describe("whole-photo+densenet121").dim == 1024
    weights.save(torch.nn.Linear(2, 2), {"dim": 64}, file)
    with pytest.raises(WeightsError, match="expected " + digest[:16]):
        describe(f"mask-rcnn:{file}+densenet121:{file}#{digest[:16]}")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("faster-rcnn+resnet50", "expected faster-rcnn:FILE"),
        ("whole-photo:x+resnet50", "has no weights"),
        ("mask-rcnn:x#nothex+resnet50", "8 to 64 digits"),
        ("faster-rcnn+resnet18", "an embedder of resnet50, densenet121"),
        ("yolo:x+resnet50", "a detector of faster-rcnn"),
    ],
)
def test_names_that_mean_nothing_are_refused(name: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        describe(name)


def test_files_that_are_not_there_or_damaged_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot read"):
        describe(f"faster-rcnn:{tmp_path / 'no.safetensors'}+resnet50")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\xff" * 64)
    with pytest.raises(WeightsError, match="expected safetensors"):
        describe(f"whole-photo+resnet50:{broken}")
    other = tmp_path / "other.safetensors"
    weights.save(torch.nn.Linear(1, 1), {}, other)
    with pytest.raises(WeightsError, match=r"resnet50: .*"):
        open_embedder(Model("resnet50", other))
    pickled = tmp_path / "pickled.pth"
    torch.save({"net": Path("x")}, pickled)
    with pytest.raises(WeightsError, match=r"pickled\.pth"):
        open_embedder(Model("resnet50", pickled))


def test_torchvision_weights_come_from_the_cache_and_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if fetched before: a file named by the beginning of its SHA-256, with an older torch's names."""
    trunk = Trunk("densenet121")
    state = {name: t for name, t in trunk.net.state_dict().items() if "num_batches" not in name}
    old = {name.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): t for name, t in state.items()}
    scratch = tmp_path / "scratch.pth"
    torch.save(
        old | {"classifier.weight": torch.zeros(1000, 1024), "classifier.bias": torch.zeros(1000)}, scratch
    )
    name = f"densenet121-{sha256(scratch)[:8]}.pth"
    kept = tmp_path / "hub" / "checkpoints" / name
    kept.parent.mkdir(parents=True)
    scratch.rename(kept)

    class Weights:
        url = f"https://models.invalid/{name}"

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    assert weights.torchvision_weights(Weights()).keys() >= {"classifier.bias"}  # type: ignore[arg-type]

    class Densenet:
        IMAGENET1K_V1 = Weights()

    monkeypatch.setattr(embedders, "DenseNet121_Weights", Densenet)
    filled = Trunk("densenet121")
    filled.load_imagenet()
    assert torch.equal(filled.net.features.conv0.weight, trunk.net.features.conv0.weight)
    kept.write_bytes(kept.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="SHA-256"):
        weights.torchvision_weights(Weights())  # type: ignore[arg-type]
    kept.unlink()
    with pytest.raises(WeightsError, match="cannot be fetched"):
        weights.torchvision_weights(Weights())  # type: ignore[arg-type]


def labelled(folder: Path, *categories: str) -> list[LabelledPhoto]:
    mask = np.zeros((80, 60), bool)
    mask[10:70, 5:45] = True
    return [
        LabelledPhoto(
            str(at),
            write_photo(folder / f"{at}.jpg", seed=at),
            (LabelledGarment(name, 0, None, (5, 10, 45, 70), from_pixels(mask)),),
            60,
            80,
        )
        for at, name in enumerate(categories)
    ]


@pytest.mark.parametrize("kind", ["faster-rcnn", "mask-rcnn"])
def test_a_detector_is_trained_and_opened_by_name(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def build_small(kind: str, classes: int) -> Any:
        backbone = resnet_fpn_backbone(backbone_name="resnet18", weights=None)
        return small((MaskRCNN if kind == "mask-rcnn" else FasterRCNN)(backbone, classes + 1))

    monkeypatch.setattr(detectors, "build_detector", build_small)
    monkeypatch.setattr(train_detector, "build_detector", build_small)
    photos, skipped = labelled(tmp_path, "skirt", "vest"), Skipped()
    (tmp_path / "1.jpg").write_bytes(b"damaged")
    schedule = train_detector.DetectorSchedule(steps=2, batch=2, warm_up_steps=1)
    out = tmp_path / "garments.safetensors"
    digest = train_detector.train_detector(kind, photos, "nothing", schedule, out, skipped)
    assert list(skipped.counts) == [str(tmp_path / "1.jpg")]
    embedder = tmp_path / "embedder.safetensors"
    weights.save(TripletNet(Trunk("densenet121"), 32), {"dim": 32}, embedder)
    name = f"{kind}:{out}+densenet121:{embedder}"
    vision, told = open_vision(name, least_score=0.0), describe(name)
    assert (vision.detector, vision.embedder, vision.dim) == (told.detector, told.embedder, told.dim)
    assert vision.detector == f"{kind}-{digest[:12]}"
    [garments] = vision.garments([photo_of(noise())])
    assert garments[0].part == "whole"
    assert {g.category for g in garments[1:]} <= {"skirt", "vest"}
    assert all(g.embedding.shape == (32,) for g in garments)
    again = tmp_path / "more.safetensors"
    train_detector.train_detector(kind, labelled(tmp_path, "skirt", "vest"), out, schedule, again, Skipped())
    other = labelled(tmp_path, "hat", "vest", "shoe")  # another number of classes: those layers begin anew
    train_detector.train_detector(kind, other, out, schedule, again, Skipped())
    with pytest.raises(ValueError, match="no photos with boxes"):
        train_detector.train_detector(kind, [], out, schedule, again, skipped)


@pytest.mark.parametrize("task", ["multi-task", "triplet"])
def test_an_embedder_is_trained_and_opened_by_name(task: Any, tmp_path: Path) -> None:
    photos, skipped = labelled(tmp_path, "skirt", "vest", "skirt", "vest"), Skipped()
    dim = 16 if task == "triplet" else None
    schedule = train_embedder.EmbedderSchedule(task=task, epochs=1, batch=4, dim=dim, last_layers=2)
    out = tmp_path / "embedder.safetensors"
    train_embedder.train_embedder("densenet121", photos, "nothing", schedule, out, skipped)
    assert skipped.count == 0
    told = describe(f"whole-photo+densenet121:{out}")
    assert told.dim == (dim or 1024)
    vision = open_vision(f"whole-photo+densenet121:{out}")
    assert vision.garments([photo_of(noise())])[0][0].embedding.shape == (told.dim,)
    again = tmp_path / "again.safetensors"
    other = train_embedder.EmbedderSchedule(
        task="triplet", epochs=1, batch=4, dim=8, last_layers=2, distance="cosine"
    )
    train_embedder.train_embedder("densenet121", photos, out, other, again, skipped)
    assert describe(f"whole-photo+densenet121:{again}").dim == 8
    with pytest.raises(ValueError, match="at least two"):
        train_embedder.train_embedder("densenet121", photos[:1], "nothing", schedule, out, skipped)
    for photo in photos:
        photo.path.write_bytes(b"damaged")
    with pytest.raises(ValueError, match="none of 4 photos can be decoded"):
        train_embedder.train_embedder("densenet121", photos, "nothing", schedule, out, skipped)


def test_train_published_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for at, name in enumerate(("skirt", "vest", "skirt", "vest")):
        write_photo(tmp_path / "photos" / name / f"{at}.jpg", seed=at)
    out = tmp_path / "alike.safetensors"
    arguments = [
        "densenet121",
        "class-folders",
        str(tmp_path / "photos"),
        "--from",
        "nothing",
        "--out",
        str(out),
    ]
    options = ["--task", "triplet", "--epochs", "1", "--batch", "4", "--json"]
    with pytest.raises(SystemExit) as ended:
        main(["train", "published", *arguments, *options])
    assert not ended.value.code
    said = json.loads(capsys.readouterr().out)
    assert (said["photos"], said["skipped"], said["sha256"]) == (4, 0, sha256(out))
    assert describe(said["vision"]).dim == 1024
    for wrong in (
        ["resnet18", *arguments[1:]],
        [*arguments, "--task", "both"],
        [*arguments, "--distance", "far"],
    ):
        with pytest.raises(SystemExit) as ended:
            main(["train", "published", *wrong])
        assert ended.value.code == 2
        assert "expected one of" in capsys.readouterr().err
