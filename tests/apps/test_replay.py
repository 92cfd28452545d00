"""A recording played again: the agents' own sets, the same each time; other settings, and reasons."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_shop import DAY_S, DIM, MODEL, NOW_S, PARTITIONS, BruteStore, MemoryShop

from models.taste.contributions import TAKES_BACK, WEIGHTS, TasteSettings
from models.taste.ranking import RankingSettings
from schemas.cloudevents import parse_json
from streams.commands.replay import read_settings, replay
from streams.replay.compare import compare
from streams.replay.explain import as_text, explain
from streams.replay.player import ReplaySettings, play, recorded_settings
from streams.replay.recording import TOPICS, Recording, RecordingError, Shop, in_order, load, save
from streams.replay.snapshot import Snapshot
from streams.settings import SettingsError
from vectorstore.base import GarmentPoint, GarmentQuery

ACTIONS = [*WEIGHTS, *TAKES_BACK]


def busy_shop() -> MemoryShop:
    """Uploads, stock, an early click, an identification and an erasure among what three shoppers do."""
    rng = np.random.default_rng(5)
    shop = MemoryShop(length=12)
    for n in range(30):
        shop.upload(f"p{n}", tuple(int(c) for c in rng.integers(10, 250, 3)), title=f"product {n}")
    shop.pump()
    shop.act("product.added_to_cart", "early", "p40")
    shop.pump()
    for n in range(40):
        action = ACTIONS[int(rng.integers(len(ACTIONS)))]
        user = ("alice", "bella", "visitor")[n % 3]
        shop.act(action, user, f"p{int(rng.integers(30))}", time_s=NOW_S - float(rng.integers(10 * DAY_S)))
        shop.pump()
        if n == 15:
            data = {"id": "p3", "availability": "out_of_stock", "title": "gone"}
            shop.publish("product-events", "product.updated", data)
        if n == 20:
            shop.upload("p40", (200, 30, 30))
        if n == 30:
            shop.act("user.identified", "alice", anonymous_id="visitor")
        shop.pump()
    shop.act("shopper.arrived", "bella", gender="female")
    shop.act("user.erased", "bella")
    shop.act("shopper.arrived", "bella")
    shop.pump()
    return shop


def recording_of(shop: MemoryShop, length: int = 12) -> Recording:
    known = Shop(MODEL.detector, MODEL.embedder, PARTITIONS, shop.settings, RankingSettings(length=length))
    records = [record for record in shop.topics.log if record.topic in TOPICS]
    return Recording(known, in_order(records), list(shop.store.points.values()))


def live_sets(shop: MemoryShop) -> list[dict[str, Any]]:
    return [
        parse_json(record.value)
        for record in shop.topics.of("recommendations")
        if record.value is not None and ("ce_type", b"recommendations.updated") in record.headers
    ]


def but_times(made: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in made.items() if name not in ("generated_at", "latency_ms")}


def assert_same_sets(replayed: list[dict[str, Any]], live: list[dict[str, Any]]) -> None:
    """Everything but times; scores to the last digit but one, as two vector stores sum them differently."""
    assert len(replayed) == len(live)
    for one, other in zip(replayed, live, strict=True):
        scores = [[item.pop("score") for item in made["items"]] for made in (one, other)]
        assert but_times(one) == but_times(other)
        assert scores[0] == pytest.approx(scores[1], abs=2e-6)


@pytest.fixture(scope="module")
def recorded() -> tuple[MemoryShop, Recording]:
    shop = busy_shop()
    return shop, recording_of(shop)


def test_the_replayed_sets_are_those_that_the_agents_made(recorded: tuple[MemoryShop, Recording]) -> None:
    shop, recording = recorded
    replayed = [parse_json(one.packed) for one in play(recording, recorded_settings(recording.shop))]
    live = live_sets(shop)
    assert len(live) > 40
    assert {made["strategy"] for made in live} == {"taste", "taste+trending", "trending"}
    assert_same_sets(replayed, live)


def test_the_same_recording_gives_the_same_bytes(
    recorded: tuple[MemoryShop, Recording], tmp_path: Path
) -> None:
    _, recording = recorded
    once = play(recording, recorded_settings(recording.shop))
    assert play(recording, recorded_settings(recording.shop)) == once
    save(recording, tmp_path / "shop")
    again = load(tmp_path / "shop")
    assert again.shop == recording.shop
    assert list(again.records) == list(recording.records)
    assert play(again, recorded_settings(again.shop)) == once
    digest = hashlib.sha256(b"".join(one.packed for one in once)).hexdigest()
    assert {in_a_process(tmp_path / "shop", seed) for seed in ("1", "2")} == {digest}


def in_a_process(folder: Path, hash_seed: str) -> str:
    """The digest of all sets, played by a process of another hash seed."""
    code = (
        "import sys, hashlib; from pathlib import Path; from streams.replay.recording import load;"
        "from streams.replay.player import play, recorded_settings; r = load(Path(sys.argv[1]));"
        "sets = play(r, recorded_settings(r.shop));"
        "print(hashlib.sha256(b''.join(one.packed for one in sets)).hexdigest())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


acts = st.tuples(st.sampled_from(ACTIONS), st.sampled_from(["a", "b"]), st.integers(0, 7), st.integers(0, 9))


@given(st.lists(acts, max_size=12))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_log_is_replayed_as_it_was(log: list[tuple[str, str, int, int]]) -> None:
    shop = MemoryShop(length=6)
    colours = np.random.default_rng(3).integers(10, 250, (6, 3))  # no two as far from a third
    for n, colour in enumerate(colours):
        shop.upload(f"p{n}", tuple(map(int, colour)))
    shop.pump()
    for action, user, product, days in log:
        shop.act(action, user, f"p{product}", time_s=NOW_S - days * DAY_S)
        shop.pump()
    shop.upload("p7", (9, 9, 200))
    shop.pump()
    recording = recording_of(shop, 6)
    replayed = [parse_json(one.packed) for one in play(recording, recorded_settings(recording.shop))]
    assert_same_sets(replayed, live_sets(shop))


def test_a_product_is_there_from_its_indexing_to_its_removal() -> None:
    shop = MemoryShop(length=12)
    shop.upload("p0", (250, 10, 10))
    shop.upload("p1", (240, 20, 20))
    shop.pump()
    shop.act("shopper.arrived", "u")
    shop.pump()
    shop.upload("p2", (230, 30, 30))
    shop.pump()
    shop.act("shopper.arrived", "u")
    shop.pump()
    points = list(shop.store.points.values())  # p1 too: it was there when the recording was made
    shop.publish("product-events", "product.removed", {"id": "p1"})
    shop.pump()
    shop.act("shopper.arrived", "u")
    shop.pump()
    held = recording_of(shop)
    recording = Recording(held.shop, held.records, points)
    shown = [
        {item["product_id"] for item in parse_json(one.packed)["items"]}
        for one in play(recording, recorded_settings(recording.shop))
    ]
    assert shown == [{"p0", "p1"}, {"p0", "p1", "p2"}, {"p0", "p2"}]


def test_what_was_uploaded_before_the_recording_is_there_from_the_beginning() -> None:
    shop = busy_shop()
    held = recording_of(shop)
    records = [record for record in held.records if record.topic != "garments"]
    replayed = play(Recording(held.shop, records, held.garments), recorded_settings(held.shop))
    first = parse_json(replayed[0].packed)
    assert first["items"]


def test_rules_are_in_force_from_when_they_were_said() -> None:
    shop = MemoryShop(length=12)
    for n in range(4):
        shop.upload(f"p{n}", (250 - n, 10, 10))
    shop.pump()
    shop.act("shopper.arrived", "u")
    shop.publish("rules", "rule.set", {"id": "r", "action": "block", "product_id": "p2"}, key="r")
    shop.act("shopper.arrived", "u")
    shop.topics.append("rules", b"r", None)
    shop.act("shopper.arrived", "u")
    recording = recording_of(shop)
    shown = [
        "p2" in {item["product_id"] for item in parse_json(one.packed)["items"]}
        for one in play(recording, recorded_settings(recording.shop))
    ]
    assert shown == [True, False, True]


def test_settings_are_compared_with_the_first(recorded: tuple[MemoryShop, Recording]) -> None:
    _, recording = recorded
    known = recorded_settings(recording.shop)
    centroid = ReplaySettings("centroid", TasteSettings.baseline(), known.ranking)
    same, again, other = compare(recording, [known, known, centroid])
    assert same == again
    assert (same["same"], same["shared12"], same["shared24"]) == (1.0, 1.0, 1.0)
    assert same["taste"] + same["taste+trending"] + same["trending"] == pytest.approx(1.0, abs=1e-3)
    assert other["sets"] == same["sets"] > 40
    assert other["same"] < 1.0
    assert 0.0 < other["shared12"] < 1.0
    assert 0.0 <= other["foretold"] <= 1.0


def test_a_set_is_explained_by_what_it_was_made_of(recorded: tuple[MemoryShop, Recording]) -> None:
    shop, recording = recorded
    made = [s for s in live_sets(shop) if s["user_id"] == "alice" and s["strategy"] != "trending"][-2]
    explained = explain(recording, recorded_settings(recording.shop), "alice", made["revision"])
    products = [item["product_id"] for item in made["items"]]
    assert [item["product_id"] for item in explained["items"]] == products
    assert explained["trigger"] == made["trigger"]
    remembered = {(c["product_id"], c["garment_id"]) for c in explained["contributions"]}
    taken = [c for of_one in explained["candidates"]["taste"] for c in of_one if c["rank"]]
    scores = {c["garment_id"]: c["score"] for c in taken}
    assert len(scores) == len(taken)
    for item in made["items"]:
        if item["slot"] == "taste":
            assert (item["because"]["product_id"], item["because"]["garment_id"]) in remembered
            assert scores[item["garment_id"]] == pytest.approx(item["score"], abs=1e-5)
    assert sum(interest["share"] for interest in explained["interests"]) == pytest.approx(1.0, abs=1e-2)
    text = as_text(explained)
    assert made["trigger"]["id"] in text
    assert all(item["product_id"] in text for item in made["items"])
    json.dumps(explained)


def test_without_a_revision_the_last_set_is_explained(recorded: tuple[MemoryShop, Recording]) -> None:
    shop, recording = recorded
    last = [s for s in live_sets(shop) if s["user_id"] == "alice"][-1]
    explained = explain(recording, recorded_settings(recording.shop), "alice", None)
    assert explained["revision"] == last["revision"]
    for user, revision in (("nobody", None), ("alice", 10**6)):
        with pytest.raises(LookupError, match="no set of"):
            explain(recording, recorded_settings(recording.shop), user, revision)


def test_the_command_prints_rows_and_reasons(
    recorded: tuple[MemoryShop, Recording], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, recording = recorded
    save(recording, tmp_path)
    plain = tmp_path / "plain.toml"
    plain.write_text("[taste]\nhalf_life_s = 3600\ncapacity = 4\n[ranking]\nexploration = 0\n")
    assert replay(tmp_path, [plain], as_json=True) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["system"] for row in rows] == ["as recorded", "plain"]
    assert rows[1]["same"] < rows[0]["same"] == 1.0
    assert replay(tmp_path, [plain]) == 0
    assert "foretold" in capsys.readouterr().out
    assert replay(tmp_path, [plain], user="alice", as_json=True) == 0
    explained = json.loads(capsys.readouterr().out)["rows"]
    assert [one["settings"] for one in explained] == ["as recorded", "plain"]
    assert len(explained[1]["contributions"]) <= 4 < len(explained[0]["contributions"])
    assert replay(tmp_path, user="alice") == 0
    assert "What the taste remembers" in capsys.readouterr().out
    assert replay(tmp_path, user="nobody") == 1
    assert "no set of 'nobody'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tast]\n", "got 'tast', expected the tables"),
        ("[taste]\nhalflife = 3\n", "expected some of weights, half_life_s"),
        ('[taste]\ncapacity = "many"\n', "taste.capacity: got 'many'"),
        ("[taste]\nweights = 3\n", "taste.weights"),
        ("taste = 3\n", "expected some of"),
        ("[taste\n", "plain.toml"),
    ],
)
def test_wrong_settings_are_named(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "plain.toml"
    file.write_text(text)
    known = ReplaySettings("known", TasteSettings(), RankingSettings())
    with pytest.raises(SettingsError, match=words.replace("[", r"\[")):
        read_settings(file, known)
    with pytest.raises(SettingsError, match=r"nowhere\.toml"):
        read_settings(tmp_path / "nowhere.toml", known)


@pytest.mark.parametrize("file", ["shop.json", "log.jsonl", "garments.jsonl", "embeddings.npz"])
@pytest.mark.parametrize("damage", ["missing", "cut", "other"])
def test_a_damaged_recording_is_named(
    file: str, damage: str, recorded: tuple[MemoryShop, Recording], tmp_path: Path
) -> None:
    save(recorded[1], tmp_path)
    whole = (tmp_path / file).read_bytes()
    if damage == "missing":
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(whole[: len(whole) // 2 - 3] if damage == "cut" else b'{"a": 1}\n')
    with pytest.raises(RecordingError, match=r"shop\.json|log\.jsonl|garments\.jsonl|embeddings\.npz"):
        load(tmp_path)


def test_bytes_that_are_no_text_are_recorded_as_they_are(tmp_path: Path) -> None:
    shop = MemoryShop()
    shop.topics.append("interactions", b"\xff\x00", b"\x80not json", [("x", b"\xfe"), ("y", b"text")], 2)
    shop.topics.append("taste-requests", None, None, [], 1)
    recording = recording_of(shop)
    save(recording, tmp_path)
    assert list(load(tmp_path).records) == list(recording.records)
    assert play(load(tmp_path), recorded_settings(recording.shop)) == []


embeddings = st.integers(0, 50).map(lambda seed: np.random.default_rng(seed).normal(size=DIM))
payloads = st.fixed_dictionaries(
    {
        "part": st.sampled_from(["upper", "lower"]),
        "in_stock": st.integers(0, 1),
        "indexed_at": st.integers(0, 5).map(float),
    },
    optional={
        "gender": st.sampled_from(["male", "female", "unisex"]),
        "age_group": st.sampled_from(["adult", "kids"]),
    },
)


@given(
    st.lists(st.tuples(st.integers(0, 6), embeddings, payloads), max_size=14),
    st.sets(st.integers(0, 6)),
    st.sampled_from([None, frozenset({"male"}), frozenset({"female"})]),
    st.sampled_from([None, frozenset({"upper"})]),
    st.booleans(),
    st.integers(1, 9),
)
@settings(max_examples=60, deadline=None)
def test_the_shelf_answers_as_a_vector_store_does(
    garments: Any, excluded: set[int], genders: Any, parts: Any, in_stock_only: bool, k: int
) -> None:
    shelf, store = Snapshot(), BruteStore()
    by_product: dict[int, list[GarmentPoint]] = {}
    for n, (product, drawn, payload) in enumerate(garments):
        embedding = (drawn / np.linalg.norm(drawn)).astype(np.float32)
        point = GarmentPoint(
            f"00000000-0000-5000-8000-{n:012d}", f"p{product}", embedding, {**payload, "product_key": product}
        )
        by_product.setdefault(product, []).append(point)
    for product, points in by_product.items():
        shelf.show(f"p{product}", points)
        store.points |= {point.garment_id: point for point in points}
    wanted: dict[str, Any] = {"excluded_product_keys": sorted(excluded), "genders": genders, "parts": parts}
    query = GarmentQuery(np.eye(DIM, dtype=np.float32)[0], k, in_stock_only=in_stock_only, **wanted)

    async def asked(of: Any) -> Any:
        (hits,) = await of.query([query], with_embeddings=True)
        newest = await of.newest(k, in_stock_only=in_stock_only, **wanted)
        fetched = await of.fetch_products([f"p{n}" for n in range(7)])
        return (
            [(h.garment_id, h.product_id, round(h.similarity, 5), h.payload) for h in hits],
            [(h.garment_id, h.similarity) for h in newest],
            {name: sorted(p.garment_id for p in points) for name, points in fetched.items()},
        )

    assert asyncio.run(asked(shelf)) == asyncio.run(asked(store))
