"""The taste's evaluation: shoppers that are what they say, systems that know nothing, figures that add up."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.evaluation.taste import photos as photos_module
from models.evaluation.taste import scores
from models.evaluation.taste.catalogue import FEWEST, Catalogue, Product, tastes
from models.evaluation.taste.figure import figure
from models.evaluation.taste.photos import Embeddings, drawn_catalogue, photo_catalogue
from models.evaluation.taste.replay import BASELINE, OURS, SCENARIOS, Report, replay
from models.evaluation.taste.shoppers import DEMO_ACTS, LOOKS, STRAYS, Shoppers
from models.evaluation.taste.systems import LENGTH, systems
from models.photo import Photo
from models.taste.shopper import GarmentSeen
from models.vision import Garment
from streams.commands import evaluate_taste as command
from streams.settings import Settings

REAL_PHOTOS = Path(__file__).parents[3] / "shared/data/clothing/validation"
KINDS = ("boots", "dress", "hat", "shorts")


def quiet(what: str, done: int, count: int) -> None:
    """Progress that nobody watches."""


def shop(
    per_kind: int = 60, seed: int = 0, dim: int = 24, name: str = "photos", kinds: Sequence[str] = KINDS
) -> Catalogue:
    """A catalogue of four kinds, each round a direction of its own, and a colour that nothing shows."""
    chance = np.random.default_rng(seed)
    centres = np.linalg.qr(chance.normal(size=(dim, len(kinds))))[0].T
    products = []
    for number in range(per_kind * len(kinds)):
        kind = number % len(kinds)
        embedding = centres[kind] + 1.2 * chance.normal(size=dim) / dim**0.5
        embedding = (embedding / np.linalg.norm(embedding)).astype(np.float32)
        attributes = frozenset({kinds[kind], f"colour {chance.integers(6)}"})
        garment = GarmentSeen(f"{number}/0", "whole", embedding)
        products.append(Product(f"p-{number:03}", attributes, (garment,), embedding))
    return Catalogue(name, products)


SHOP = shop()


def by_name(report: Report) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["scenario"], row["system"]): row for row in report.rows}


def timeless(report: Report) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if not key.endswith("_ms")} for row in report.rows]


def test_a_taste_is_what_is_frequent_and_can_be_told() -> None:
    found = tastes(SHOP)
    assert found.told == KINDS
    assert found.untold == tuple(f"colour {n}" for n in range(6))
    with pytest.raises(ValueError, match=r"photos: got 0 tastes that can be told apart, expected at least 2"):
        tastes(shop(per_kind=FEWEST - 1))


def test_two_names_for_the_same_products_are_one_taste() -> None:
    renamed = [
        Product(
            p.product_id,
            p.attributes | ({"headwear"} if "hat" in p.attributes else set()),
            p.garments,
            p.whole,
        )
        for p in SHOP.products
    ]
    assert tastes(Catalogue("photos", renamed)).told == KINDS


def test_shoppers_look_at_what_they_like() -> None:
    crowd = Shoppers(SHOP, KINDS, seed=3)
    assert crowd.popularity.sum() == pytest.approx(1.0)
    for number in range(20):
        single, noisy, two, drift = (
            getattr(crowd, name)(number) for name in ("single", "noisy", "two", "drift")
        )
        assert len(set(single.looks)) == LOOKS
        assert SHOP.having(*single.likes)[list(single.looks)].all()
        assert [look for look in noisy.looks if look in set(single.looks)] == list(single.looks)
        assert len(noisy.looks) == LOOKS + STRAYS
        assert crowd.cold(number).looks == single.looks[:1]
        assert sorted(SHOP.having(two.likes[0])[list(two.looks)]) == [False] * 6 + [True] * 6
        assert SHOP.having(drift.likes[0])[list(drift.looks)].tolist() == [True] * 12 + [False] * 12
    again, other = Shoppers(SHOP, KINDS, seed=3), Shoppers(SHOP, KINDS, seed=4)
    assert [again.two(n) for n in range(5)] == [crowd.two(n) for n in range(5)]
    assert [other.two(n) for n in range(5)] != [crowd.two(n) for n in range(5)]


def test_the_demos_shopper_acts_on_nothing_twice() -> None:
    crowd = Shoppers(SHOP, KINDS, seed=1)
    acts: list[tuple[int, str]] = []

    def act(product: int, action: str) -> Sequence[int]:
        acts.append((product, action))
        return [5, 9, 13]

    crowd.demo("dress", 0, act)
    assert len(acts) == DEMO_ACTS
    assert sum(SHOP.having("dress")[product] for product, _ in acts) >= DEMO_ACTS - 5
    assert all(action.startswith("product.") for _, action in acts)


@pytest.mark.parametrize("name", systems(SHOP, Shoppers(SHOP, KINDS, 0).popularity, [1], 0))
def test_a_system_recommends_a_set_without_what_was_looked_at(name: str) -> None:
    crowd = Shoppers(SHOP, KINDS, seed=0)
    session = systems(SHOP, crowd.popularity, [0, 4, 8, 12], 0)[name].open(0)
    looks = crowd.single(0).looks
    for product in looks:
        session.act(product)
        found = session.answer()
        assert len(found) == len(set(found)) == LENGTH
    assert not set(found) & set(looks)


def test_the_centroid_is_the_plain_mean_of_the_newest_twelve() -> None:
    crowd = Shoppers(SHOP, KINDS, seed=0)
    session = systems(SHOP, crowd.popularity, [], 0)[BASELINE].open(0)
    looks = [*crowd.drift(1).looks, *crowd.drift(2).looks]
    for product in looks:
        session.act(product)
    likeness = SHOP.whole @ SHOP.whole[looks[-12:]].mean(axis=0)
    nearest = [n for n in np.argsort(-likeness).tolist() if n not in looks]
    assert session.answer() == nearest[:LENGTH]


def test_the_replay_is_the_same_for_the_same_seed_and_lookstream_serves_both_tastes() -> None:
    report = replay(SHOP, 12, 5, quiet)
    again = replay(SHOP, 12, 5, quiet)
    assert timeless(report) == timeless(again)
    assert report.ratios == again.ratios
    assert timeless(replay(SHOP, 12, 6, quiet)) != timeless(report)
    rows = by_name(report)
    assert {scenario for scenario, _ in rows} == set(SCENARIOS)
    for row in rows.values():
        assert row["shoppers"] == 12
        assert 0.0 <= row["p50_ms"] <= row["p99_ms"]
        for key, (low, high) in row["intervals"].items():
            assert low <= row[key] + 1e-3
            assert row[key] <= high + 1e-3
    assert rows["single", "random"]["precision24"] < 0.5 < rows["single", OURS]["precision24"]
    assert rows["two", OURS]["balanced24"] > rows["two", BASELINE]["balanced24"]
    assert rows["drift", OURS]["half_events"] < rows["drift", BASELINE]["half_events"]
    assert rows["single", "lookstream + fresh"]["fresh_reached"] > rows["single", "popular"]["fresh_reached"]
    assert ("noisy", "lookstream + fresh") not in rows


def test_the_demos_shoppers_are_replayed_where_their_tastes_are_known() -> None:
    drawn = shop(name="drawn", kinds=("shorts", "floral", "urban", "striped"))
    rows = by_name(replay(drawn, 10, 0, quiet))
    for who in ("Alice (shorts)", "Bella (floral)", "Cathy (urban)"):
        assert rows[who, "popular"]["precision24"] < 0.6 < rows[who, OURS]["precision24"]
        assert rows[who, OURS]["shoppers"] == 2
        assert 0.0 <= rows[who, OURS]["good_sets"] <= 1.0


def test_scores_by_hand() -> None:
    relevant = np.array([True, True, False, False, True])
    assert scores.precision([0, 2, 1], relevant, 3) == pytest.approx(2 / 3)
    assert scores.precision([0, 1, 4, 2], relevant, 24) == 1.0  # there are no more
    assert scores.precision([], np.zeros(5, bool), 24) == 0.0
    assert scores.balanced([0, 1, 2, 4], relevant, ~relevant, 4) == 0.5
    axes = np.eye(3, dtype=np.float32)
    assert scores.diversity([0, 1, 2], axes) == 1.0
    assert scores.diversity([0, 0], axes) == 0.0
    assert scores.novelty_bits([0, 1], np.array([0.5, 0.125, 0.375])) == 2.0
    assert scores.reached([[1, 2], [2, 3]], [2, 3, 9, 8]) == 0.5
    low, high = scores.interval([0.0, 1.0] * 50, 0)
    assert 0.35 < low < 0.5 < high < 0.65
    assert scores.ratio_interval([2.0] * 9, [1.0] * 9, 0) == (2.0, 2.0)
    assert scores.ratio_interval([2.0] * 9, [0.0] * 9, 0) == (0.0, 0.0)


class FakeVision:
    """Sees a photo's mean colour, and counts the photos."""

    detector, embedder, dim = "none-1", "mean-colour-1", 3

    def __init__(self) -> None:
        self.seen = 0

    def garments(self, photos: Sequence[Photo]) -> list[list[Garment]]:
        self.seen += len(photos)
        found = []
        for photo in photos:
            mean = photo.pixels.mean(axis=(0, 1), dtype=np.float64) - 127.5
            embedding = (mean / np.linalg.norm(mean)).astype(np.float32)
            box = (0.0, 0.0, float(photo.width), float(photo.height))
            found.append(
                [Garment("whole", None, box, 1.0, embedding), Garment("upper", None, box, 0.9, embedding)]
            )
        return found


def paint(folder: Path, per_kind: int = 30) -> Path:
    """Class folders of photos in four colours, each a little different."""
    colours = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 40, 230), "grey": (200, 190, 20)}
    chance = np.random.default_rng(0)
    for kind, colour in colours.items():
        (folder / kind).mkdir(parents=True)
        for number in range(per_kind):
            shade = np.clip(np.array(colour) + chance.integers(-25, 26, 3), 0, 255)
            Image.new("RGB", (8, 8), tuple(map(int, shade))).save(folder / kind / f"{number}.png")
    return folder


def test_photos_are_embedded_once_and_known_again_by_their_bytes(tmp_path: Path) -> None:
    vision = FakeVision()
    folder = paint(tmp_path / "photos", 3)
    kept = tmp_path / "kept" / "embeddings.npz"
    first = photo_catalogue(folder, Embeddings(kept, lambda: vision, quiet))
    assert (len(first), vision.seen) == (12, 12)
    assert {next(iter(p.attributes)) for p in first.products} == {"red", "green", "blue", "grey"}
    assert [g.part for g in first.products[0].garments] == [
        "upper"
    ]  # what was detected counts, not the whole
    (folder / "red" / "0.png").rename(folder / "red" / "moved.png")
    Image.new("RGB", (8, 8), (9, 9, 9)).save(folder / "red" / "new.png")
    second = photo_catalogue(folder, Embeddings(kept, lambda: vision, quiet))
    assert (len(second), vision.seen) == (13, 13)
    np.testing.assert_array_equal(
        first.products[0].whole, next(p for p in second.products if p.product_id == "blue/0.png").whole
    )
    kept.write_bytes(kept.read_bytes()[:100])
    photo_catalogue(folder, Embeddings(kept, lambda: vision, quiet))
    assert vision.seen == 26


def test_a_folder_without_photos_and_a_damaged_photo_are_named(tmp_path: Path) -> None:
    embeddings = Embeddings(tmp_path / "e.npz", FakeVision, quiet)
    with pytest.raises(ValueError, match="got no photos"):
        photo_catalogue(tmp_path, embeddings)
    (tmp_path / "dress").mkdir()
    (tmp_path / "dress" / "half.jpg").write_bytes(b"\xff\xd8\xff half a photo")
    with pytest.raises(ValueError, match=r"half\.jpg"):
        photo_catalogue(tmp_path, embeddings)


def test_what_was_drawn_is_true_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos_module, "DRAWN_COUNT", 3)
    found = drawn_catalogue(tmp_path / "drawn", Embeddings(tmp_path / "e.npz", FakeVision, quiet))
    assert [p.product_id for p in found.products] == ["drawn-0001", "drawn-0002", "drawn-0003"]
    for product in found.products:
        assert len(product.attributes) >= 3
        assert product.part in {"upper", "lower", "full_body", "footwear", "bag", "headwear"}


def test_the_command_prints_rows_and_draws_a_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "open_vision", lambda name, threads: FakeVision())
    of = Settings(data_dir=tmp_path / "data")
    folder, out = paint(tmp_path / "photos"), tmp_path / "figure.png"
    assert command.evaluate_taste(of, photos=folder, drawn=False, as_json=True, out=out, shoppers=4) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["machine"]
    assert {row["system"] for row in printed["rows"]} >= {"random", "popular", BASELINE, OURS}
    assert {"catalogue", "scenario", "precision12", "precision24", "p50_ms", "p99_ms"} <= set(
        printed["rows"][0]
    )
    with Image.open(out) as picture:
        assert picture.width > 2000
    assert command.evaluate_taste(of, photos=folder, drawn=False, shoppers=4) == 0
    text = capsys.readouterr().out
    assert "against the published centroid" in text
    assert "120 products; tastes: blue 25%, green 25%, grey 25%, red 25%" in text


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"photos": None, "drawn": False}, "--photos: got nothing"),
        ({"photos": Path("nowhere"), "drawn": False}, "--photos: got 'nowhere', expected a folder"),
        ({"photos": None, "drawn": True, "shoppers": 1}, "--shoppers: got 1"),
    ],
)
def test_wrong_options_are_named(tmp_path: Path, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        command.evaluate_taste(Settings(data_dir=tmp_path), **given)


def test_the_figure_has_a_line_for_each_catalogue() -> None:
    one = replay(SHOP, 3, 0, quiet).rows
    both = [*one, *({**row, "catalogue": "drawn"} for row in one)]
    assert figure(both).height > 1.8 * figure(one).height - 200
    assert len(set(figure(one).resize((300, 90)).get_flattened_data())) > 50


@pytest.mark.photos
def test_on_real_photographs_two_tastes_are_served_and_one_no_worse(tmp_path: Path) -> None:
    if not REAL_PHOTOS.is_dir():
        pytest.skip(f"no photographs at {REAL_PHOTOS}")
    from models.vision import open_vision

    embeddings = Embeddings(tmp_path / "e.npz", open_vision, quiet)
    report = replay(photo_catalogue(REAL_PHOTOS, embeddings), 60, 1, quiet)
    ratio = {row["measure"]: row["ratio"] for row in report.ratios}
    rows = by_name(report)
    assert ratio["single-taste precision@24"] >= 0.96
    assert ratio["two-taste balanced precision@24"] >= 1.5
    assert rows["two", OURS]["both12"] >= 0.9
    assert ratio["precision@24 with 20 % strays, against without"] >= 0.93
    assert ratio["events until half of the set is the new taste"] <= 0.65
