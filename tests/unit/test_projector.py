"""The embedding map: alike lies by alike, TensorBoard reads the log, the page needs nothing else."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_cases import write_fashion_mnist
from numpy.typing import NDArray
from PIL import Image

from models.projector import Mapped, places, sprite_side_px, thumbnail, write_log
from models.projector_map import page
from models.vision import Garment
from streams.cli import main
from streams.commands import embeddings as command
from vectorstore.base import GarmentPoint, Hit

pytest.importorskip("sklearn")
pytest.importorskip("tensorboard")


def groups(of: int = 12, dim: int = 20) -> NDArray[np.float32]:
    """Three groups of `of` embeddings each, every one around a direction of its own."""
    rng = np.random.default_rng(0)
    rows = np.repeat(np.eye(3, dim) * 5, of, axis=0) + rng.normal(0, 0.3, (3 * of, dim))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def mapped(count: int, name: str = "thing") -> list[Mapped]:
    colours = np.random.default_rng(1).integers(0, 256, (count, 3), np.uint8)
    return [
        Mapped(f"{name} {at}", f"kind {at % 3}", np.full((16, 16, 3), colour, np.uint8))
        for at, colour in enumerate(colours)
    ]


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_alike_lies_by_alike(method: Any) -> None:
    rows = groups()
    found = places(rows, method, seed=3)
    assert found.shape == (36, 2)
    assert found.min() == 0
    assert found.max() == 1
    distances = np.linalg.norm(found[:, None] - found[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (distances.argmin(axis=1) // 12 == np.arange(36) // 12).all()
    assert np.array_equal(places(rows, method, seed=3), found)


@pytest.mark.parametrize("count", [3, 4, 7])
def test_few_embeddings_are_a_map_too(count: int) -> None:
    assert np.isfinite(places(groups()[:count], "tsne")).all()
    assert np.isfinite(places(np.ones((count, 5), np.float32), "pca")).all()


def test_two_are_none() -> None:
    with pytest.raises(ValueError, match="got 2 embeddings, expected at least 3"):
        places(groups()[:2], "pca")


def test_thumbnails_are_undistorted_and_fit_on_one_sprite() -> None:
    tall = thumbnail(np.zeros((40, 20, 3), np.uint8), 8)
    assert (tall[:, 2:6] == 0).all()
    assert (tall[:, :2] == 255).all()
    assert thumbnail(np.zeros((3, 3), np.uint8), 8).shape == (8, 8, 3)
    for count in (1, 100, 10_000, 70_000):
        side = sprite_side_px(count)
        assert 8 <= side <= 64
        assert int(np.ceil(np.sqrt(count))) * side <= 8192


def test_tensorboard_reads_the_log(tmp_path: Path) -> None:
    from google.protobuf import text_format
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

    things, rows = mapped(5, "tab\tand\nbreak"), groups()[:5]
    folder = write_log(tmp_path / "log", rows, things, "test")
    [file] = folder.glob("projector_config.pbtxt")
    config = ProjectorConfig()
    text_format.Parse(file.read_text(), config)
    [embedding] = config.embeddings
    tensors = np.loadtxt(folder / embedding.tensor_path, delimiter="\t")
    assert np.allclose(tensors, rows, atol=1e-5)
    lines = (folder / embedding.metadata_path).read_text().splitlines()
    assert lines[:2] == ["name\tclass", "tab and break 0\tkind 0"]
    assert len(lines) == 6
    assert list(embedding.sprite.single_image_dim) == [16, 16]
    sprite = np.asarray(Image.open(folder / embedding.sprite.image_path))
    assert sprite.shape[0] == sprite.shape[1] == 3 * 16
    assert (sprite[0, 20] == things[1].thumbnail[0, 0]).all()


class Tags(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_needs_nothing_else() -> None:
    html = page("Map", places(groups()[:5], "pca"), mapped(5), {"Shown": "5"})
    tags = Tags(html).tags
    assert not [attributes for _, attributes in tags if "src" in attributes or "href" in attributes]
    assert not re.search(r"https?://", html)
    [policy] = [a["content"] for tag, a in tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")
    [canvas] = [attributes for tag, attributes in tags if tag == "canvas"]
    assert canvas["tabindex"] == "0"
    assert canvas["aria-label"]


def test_names_stay_data() -> None:
    evil = '</script><script>alert("x")</script><img src=x>'
    things = [Mapped(evil, evil, thing.thumbnail) for thing in mapped(4)]
    html = page(evil, places(groups()[:4], "pca"), things, {evil: evil})
    assert [tag for tag, _ in Tags(html).tags].count("script") == 2
    assert "img" not in [tag for tag, _ in Tags(html).tags]
    data = data_of(html)
    assert data["points"][0][3] == data["kinds"][0] == data["title"] == evil


def data_of(html: str) -> Any:
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)
    assert match is not None
    return json.loads(match[1])


def test_thumbnails_lie_in_rows_on_the_sprite() -> None:
    things = mapped(7)
    html = page("Map", places(groups()[:7], "pca"), things, {})
    data = data_of(html)
    match = re.search(r'"data:image/jpeg;base64,([^"]+)"', html)
    assert match is not None
    sprite = np.asarray(Image.open(io.BytesIO(base64.b64decode(match[1]))), int)
    for at, thing in enumerate(things):
        left, top = at % data["columns"] * data["side"], at // data["columns"] * data["side"]
        assert np.abs(sprite[top + 8, left + 8] - thing.thumbnail[8, 8]).max() < 12


class Colours:
    """Every photo is its whole, embedded as its mean colour, and has a top where it is bright."""

    detector, embedder, dim = "fake-1", "colours-1", 3

    def garments(self, photos: list[Any]) -> list[list[Garment]]:
        return [self._of(photo.pixels) for photo in photos]

    def _of(self, pixels: NDArray[np.uint8]) -> list[Garment]:
        mean = pixels.mean(axis=(0, 1)) + np.arange(1, 4)
        embedding = np.asarray(mean / np.linalg.norm(mean), np.float32)
        whole = Garment(
            "whole", None, (0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[0])), 1.0, embedding
        )
        top = Garment("upper", "top", (1.0, 1.0, 9.0, 9.0), 0.9, embedding)
        return [whole, top, top] if pixels.mean() > 127 else [whole]


@pytest.fixture
def _fake_vision(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "open_configured_vision", lambda settings, with_gate: Colours())


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["embeddings", "project", *arguments])
    return int(ended.value.code or 0)


@pytest.mark.usefixtures("_fake_vision")
def test_fashion_mnist_is_mapped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_fashion_mnist(tmp_path / "idx", [0, 1, 2, 3, 9, 9, 5, 200])
    assert run("--out", "map", "--fashion-mnist", "idx", "--limit", "5", "--json") == 1
    said = capsys.readouterr()
    assert json.loads(said.out) == {
        "mapped": 5,
        "skipped": 1,
        "dim": 3,
        "map": "map/map.html",
        "projector": "map/projector",
    }
    assert "label 7: is 200" in said.err
    data = data_of((tmp_path / "map" / "map.html").read_text())
    assert len(data["points"]) == 5
    assert set(data["kinds"]) <= {"T-shirt/top", "Trouser", "Pullover", "Dress", "Ankle boot", "Sandal"}
    assert (tmp_path / "map" / "projector" / "projector_config.pbtxt").is_file()


@pytest.mark.usefixtures("_fake_vision")
def test_photos_are_mapped_by_their_garments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, shade in enumerate((250, 10, 20)):
        path = tmp_path / "photos" / "shirts" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20), (shade, shade, number)).save(path)
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no photo")
    assert run("--out", "map", "--photos", "photos", "--method", "pca") == 1
    said = capsys.readouterr()
    assert "4 mapped, 1 left out" in said.out
    assert "broken.jpg" in said.err
    data = data_of((tmp_path / "map" / "map.html").read_text())
    assert data["kinds"] == ["shirts"]
    assert sorted(point[3] for point in data["points"]) == [f"shirts/{n}.png" for n in (0, 0, 1, 2)]


class Index:
    """Three products: one with a top, one with nothing found in it, one whose photo is gone."""

    closed = False

    async def newest(self, k: int, *, in_stock_only: bool) -> list[Hit]:
        assert not in_stock_only
        return [Hit("g", product, 0.0, {}) for product in ("a", "a", "b", "c")][:k]

    async def fetch_products(self, product_ids: list[str]) -> dict[str, list[GarmentPoint]]:
        return {product: self._points(product) for product in product_ids}

    def _points(self, product: str) -> list[GarmentPoint]:
        shared = {"image_link": f"{product}.png", "box_xyxy": [0, 0, 10, 10]}
        whole = GarmentPoint("w", product, groups()[0], shared | {"part": "whole"})
        top = GarmentPoint(
            "t", product, groups()[20], shared | {"part": "upper", "category": "top", "title": "A"}
        )
        return [whole, top, top] if product == "a" else [whole]

    async def close(self) -> None:
        self.closed = True


def test_the_indexed_catalogue_is_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    index, media = Index(), tmp_path / "shop" / "media"

    async def opened(settings: object) -> Index:
        return index

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "open_configured_store", opened)
    media.mkdir(parents=True)
    for product in "ab":
        Image.new("RGB", (20, 20)).save(media / f"{product}.png")
    assert run("--out", "map", "--data-dir", "shop", "--json") == 1
    said = capsys.readouterr()
    assert (json.loads(said.out)["mapped"], json.loads(said.out)["skipped"]) == (3, 1)
    assert "product c" in said.err
    data = data_of((tmp_path / "map" / "map.html").read_text())
    assert [(point[3], data["kinds"][point[2]]) for point in data["points"]] == [
        ("A", "top"),
        ("A", "top"),
        ("b", "whole"),
    ]
    assert index.closed


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--photos", "none"], "--photos: got 'none', expected a folder"),
        (["--photos", ".", "--fashion-mnist", "."], "expected one of the two"),
        (["--photos", ".", "--method", "umap"], "--method: got 'umap'"),
        (["--photos", "."], "got 0 to map"),
        (["--fashion-mnist", "."], "no train-images-idx3-ubyte"),
    ],
)
@pytest.mark.usefixtures("_fake_vision")
def test_wrong_usage_is_one_line(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--out", "map", *arguments) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert reason in line
