"""A running shop recorded and played again: what shoppers were shown, and why."""

from __future__ import annotations

from pathlib import Path

import pytest
from drawn_photos import Photos
from running_shop import RunningShop, somebody

from streams.replay.dump import record_shop
from streams.replay.explain import explain
from streams.replay.player import play, recorded_settings
from streams.replay.recording import load, save
from streams.settings import Settings

pytestmark = pytest.mark.broker


def test_a_recorded_shop_shows_again_what_it_showed(
    shop: RunningShop, photos: Photos, tmp_path: Path
) -> None:
    user = somebody()
    early, late = somebody("product"), photos.drawn[1]
    waited = shop.act("product.added_to_cart", user, early)
    for product_id in (photos.of("shorts") + photos.of("skirt"))[:6]:
        shop.answered("product.viewed", user, product_id)
    shop.upload(photos.upload(late, id=early))
    shop.observer.answer(waited)
    shop.answered("product.clicked", user, photos.drawn[2].product_id)
    live = {made.revision: made for made in shop.observer.sets[user]}

    save(record_shop(Settings(data_dir=shop.data_dir, kafka=shop.kafka)), tmp_path)
    recording = load(tmp_path)
    uploaded = {
        record.key.decode() for record in recording.records if record.topic == "garments" and record.key
    }
    assert {early, late.product_id} <= uploaded
    played = play(recording, recorded_settings(recording.shop))
    assert played == play(recording, recorded_settings(recording.shop))

    last = live[max(live)]
    explained = explain(recording, recorded_settings(recording.shop), user, last.revision)
    assert explained["trigger"]["id"] == last.trigger.id
    # By look: other tests upload the same photo under other names, and between twins nothing decides.
    look = {point.product_id: point.embedding for point in recording.garments}
    of_taste = [item.product_id for item in last.items if item.slot == "taste"]
    again = [item["product_id"] for item in explained["items"] if item["slot"] == "taste"]
    assert len(again) == len(of_taste) > 0
    assert all(float(look[a] @ look[b]) > 0.9999 for a, b in zip(again, of_taste, strict=True))
    assert {c["product_id"] for c in explained["contributions"]} >= {early}
