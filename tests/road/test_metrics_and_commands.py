"""What a running shop says of itself, and the commands beside it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from drawn_photos import Photos
from running_shop import RunningShop, somebody, until

from models.datasets.drawn import photo_name
from streams.metrics import STAGES, Metrics

pytestmark = pytest.mark.broker


def counted(shop: RunningShop) -> float:
    """What the worker that counted longest ago says of the index."""
    return min(sample.value for sample in shop.metrics()["lookstream_garments_indexed"])


def test_metrics_of_every_family_have_sensible_values(shop: RunningShop, photos: Photos) -> None:
    user = somebody()
    shop.answered("product.viewed", user, photos.of("shorts")[0])
    shop.send("interactions", user, b"no event")
    shop.observer.wait("its dead letter", lambda: shop.observer.dead_of(user))
    until("the lag gone", lambda: shop.measured("lookstream_consumer_lag", topic="interactions") == 0)
    samples = shop.metrics()
    said = {name.removesuffix("_total").removesuffix("_count") for name in samples}
    said |= {name.removesuffix("_bucket") for name in samples}
    failures = {"lookstream_events_failed"}  # nothing need have failed
    families = {family.name for family in Metrics().registry.collect()}
    assert families - failures <= said
    assert {s.labels["worker"] for s in samples["lookstream_worker_up"]} == {
        "worker-catalogue",
        "worker-shopper",
        "gateway",
    }
    assert all(s.value == 1 for s in samples["lookstream_worker_up"])
    assert all(s.value == 1 for s in samples["lookstream_ready"])
    drawn = len(photos.drawn)
    assert shop.measured("lookstream_events_in_total", type="product.uploaded") >= drawn
    assert shop.measured("lookstream_events_out_total", type="garments.indexed") >= drawn
    assert shop.measured("lookstream_events_in_total", topic="interactions", type="product.viewed") >= 1
    assert shop.measured("lookstream_events_out_total", type="recommendations.updated") >= 1
    assert shop.measured("lookstream_dead_letters_total", topic="interactions", type="structured") >= 1
    for stage in STAGES:
        assert shop.measured("lookstream_stage_seconds_count", stage=stage) >= 1, stage
        assert shop.measured("lookstream_stage_seconds_sum", stage=stage) > 0, stage
    assert shop.measured("lookstream_event_to_recommendation_seconds_count") >= 1
    assert shop.measured("lookstream_upload_to_searchable_seconds_count") >= drawn
    until("all garments counted", lambda: counted(shop) >= drawn)  # now and then
    agents = {s.labels["agent"]: s.value for s in samples["lookstream_last_progress_timestamp_seconds"]}
    assert {"index-garments", "update-tastes", "recommend", "wait-for-garments"} <= set(agents)
    now_s = time.time()
    assert all(now_s - 600 < value <= now_s + 1 for value in agents.values())
    (info,) = {
        tuple(sorted(s.labels.items())) for s in samples["lookstream_info"] if "shopper" in s.labels["worker"]
    }
    assert dict(info)["embedder"] == shop.observer.sets[user][-1].model.embedder


def test_hostile_names_do_not_become_labels(shop: RunningShop) -> None:
    user = somebody()
    for number in range(20):
        shop.send("interactions", user, b"{}", [("ce_type", f"product.evil-{number}".encode())])
    shop.observer.wait("their dead letters", lambda: len(shop.observer.dead_of(user)) == 20)
    types = {s.labels["type"] for s in shop.metrics()["lookstream_events_in_total"]}
    assert "unknown" in types
    assert not any("evil" in kind for kind in types)


def test_publish_follow_and_look(shop: RunningShop, photos: Photos, tmp_path: Path) -> None:
    user, product_id = somebody("follower"), somebody("fed")
    feed = tmp_path / "feed.jsonl"
    feed.write_text(
        json.dumps({"id": product_id, "image_link": photo_name(photos.drawn[0]), "title": "fed"}) + "\n"
    )
    published = shop.run("publish", "products", str(feed))
    assert published.returncode == 0, published.stderr
    shop.observer.wait("the fed product", lambda: product_id in shop.observer.indexed())
    clicks = tmp_path / "clicks.jsonl"
    click = {"type": "product.viewed", "id": "c1", "data": {"user_id": user, "product_id": product_id}}
    clicks.write_text(json.dumps(click) + "\n")
    clicked = shop.run("publish", "interactions", str(clicks))
    assert clicked.returncode == 0, clicked.stderr
    shop.observer.wait("the set", lambda: shop.observer.sets[user])
    followed = shop.run("follow", user, "--from-beginning", "--count", "1", "--json")
    assert followed.returncode == 0, followed.stderr
    assert json.loads(followed.stdout)["user_id"] == user
    looked = shop.run("look", str(photos.folder / photo_name(photos.drawn[0])), "--k", "100", "--json")
    assert looked.returncode == 0, looked.stderr
    assert product_id in looked.stdout


def test_a_second_up_on_the_same_directory_is_refused(shop: RunningShop) -> None:
    refused = shop.run("up", kafka="")
    assert refused.returncode != 0
    assert len(refused.stderr.strip().splitlines()[-1]) > 20
    assert "Traceback" not in refused.stderr
    assert set(shop.services()) == {"vectors", "broker", "catalogue", "shopper"}
    assert shop.answered("shopper.arrived", somebody()).items
