"""Operating a running shop: dead letters back to where they came from, users erased, the shop recorded."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from drawn_photos import Photos
from running_shop import RunningShop, somebody

pytestmark = pytest.mark.broker


def listed(shop: RunningShop, key: str) -> list[dict[str, Any]]:
    """The dead letters of a key, as `dead-letters list` has them."""
    ran = shop.run("dead-letters", "list", "--json", "--limit", "1000")
    assert (ran.returncode, ran.stderr) == (0, "")
    return [letter for letter in json.loads(ran.stdout)["dead_letters"] if letter["key"] == key]


def test_an_upload_whose_photo_came_late_is_replayed(
    empty_shop: RunningShop, photos: Photos, tmp_path: Path
) -> None:
    shop, product_id, name = empty_shop, somebody("late"), f"late-{uuid4().hex}.jpg"
    shop.products.uploaded({"id": product_id, "image_link": name, "title": "Late"}).result(30)
    shop.observer.wait("its dead letter", lambda: shop.observer.dead_of(product_id))
    [letter] = listed(shop, product_id)
    assert (letter["topic"], letter["stage"], letter["replayable"]) == ("product-events", "decode", True)
    assert name in letter["message"]
    where = str(letter["partition"]), str(letter["offset"])
    whole = json.loads(shop.run("dead-letters", "show", *where, "--json").stdout)
    assert json.loads(whole["value"])["image_link"] == name
    shown = shop.run("dead-letters", "show", *where)
    assert shown.returncode == 0
    assert "ce_type: product.uploaded" in shown.stdout

    (photos.folder / name).write_bytes(photos.bytes_of(0))
    for _ in range(2):  # the second time is harmless
        ran = shop.run("dead-letters", "replay", *where, "--json")
        assert (ran.returncode, ran.stderr) == (0, "")
        said = json.loads(ran.stdout)
        assert said["failed"] == []
        assert said["accepted"][0]["topic"] == "product-events"
    shop.observer.wait("searchable", lambda: product_id in shop.observer.indexed())
    shop.products.removed(product_id).result(30)
    shop.observer.wait("removed", lambda: shop.observer.said("garments.removed", product_id))
    assert shop.run("dead-letters", "replay", *where).returncode == 0
    before_s = time.time() - 0.002  # event times have milliseconds
    shop.products.uploaded({"id": product_id, "image_link": name, "title": "Again"}).result(30)

    def indexed_s() -> list[float]:
        return [data.version.event_time_s for data in shop.observer.said("garments.indexed", product_id)]

    shop.observer.wait("searchable again", lambda: any(when_s >= before_s for when_s in indexed_s()))
    assert len(indexed_s()) == 3, "the third replay came before this upload and must not revive the product"
    assert len(listed(shop, product_id)) == 1


def test_a_letter_of_a_compacted_topic_goes_back_once(empty_shop: RunningShop) -> None:
    shop, rule_id = empty_shop, somebody("rule")
    shop.send("rules", rule_id, b"no rule")
    shop.observer.wait("its dead letter", lambda: shop.observer.dead_of(rule_id))
    [letter] = listed(shop, rule_id)
    where = str(letter["partition"]), str(letter["offset"])
    assert shop.run("dead-letters", "replay", *where).returncode == 0
    shop.observer.wait("it died again", lambda: len(shop.observer.dead_of(rule_id)) == 2)
    refused = shop.run("dead-letters", "replay", *where)
    assert refused.returncode == 1
    assert "rules has something newer of that key" in refused.stderr
    shop.send("rules", rule_id, None)


def test_letters_that_are_not_there_are_named(empty_shop: RunningShop) -> None:
    for command in ("show", "replay"):
        ran = empty_shop.run("dead-letters", command, "0", "99999999")
        assert ran.returncode == 1
        assert "dead letter 0/99999999: not there" in ran.stderr
        assert "Traceback" not in ran.stderr
    assert empty_shop.run("dead-letters", "replay").returncode == 2
    assert empty_shop.run("dead-letters", "replay", "--all", "1", "2").returncode == 2


def test_all_are_replayed_and_those_that_cannot_be_are_named(empty_shop: RunningShop) -> None:
    shop, user = empty_shop, somebody("dead")
    shop.send("interactions", user, b"\x1b[2J no event", [("ce_type", b"\x1b]0;owned\x07")])
    shop.observer.wait("its dead letter", lambda: shop.observer.dead_of(user))
    stray = somebody("stray")
    shop.send("dead-letters", stray, b"from nowhere")
    ran = shop.run("dead-letters", "replay", "--all", "--json")
    assert ran.returncode == 1
    said = json.loads(ran.stdout)
    assert said["accepted"]
    assert any("it came from topic ''" in reason for reason in said["failed"])
    shop.observer.wait("it died again", lambda: len(shop.observer.dead_of(user)) == 2)
    text = shop.run("dead-letters", "list").stdout
    assert user in text
    assert "\x1b" not in text
    assert "\x07" not in shop.run("dead-letters", "show", *place_of(shop, user)).stdout


def place_of(shop: RunningShop, key: str) -> tuple[str, str]:
    letter = listed(shop, key)[0]
    return str(letter["partition"]), str(letter["offset"])


def test_every_product_is_embedded_anew(shop: RunningShop, photos: Photos) -> None:
    removed = somebody("removed")
    shop.upload(photos.upload(photos.drawn[0], id=removed))
    shop.products.removed(removed).result(30)
    shop.observer.wait("removed", lambda: shop.observer.said("garments.removed", removed))
    product_id = photos.drawn[3].product_id
    before = len(shop.observer.said("garments.indexed", product_id))
    ran = shop.run("reindex", "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    said = json.loads(ran.stdout)
    assert said["failed"] == []
    assert said["products"] >= len(photos.drawn)
    shop.observer.wait(
        "embedded anew", lambda: len(shop.observer.said("garments.indexed", product_id)) > before, 60.0
    )
    assert len(shop.observer.said("garments.indexed", removed)) == 1


def test_a_user_is_erased_and_that_is_confirmed(shop: RunningShop, photos: Photos) -> None:
    user = somebody("leaving")
    shop.answered("product.viewed", user, photos.of("shorts")[0])
    ran = shop.run("erase", user, "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    said = json.loads(ran.stdout)
    assert (said["user_id"], said["confirmed"]) == (user, True)
    shop.observer.wait("erased", lambda: user in shop.observer.erased)
    hasty = shop.run("erase", somebody("unknown"), "--timeout", "0")
    assert hasty.returncode in (0, 1)
    assert (hasty.returncode == 0) == ("is erased" in hasty.stdout)
    assert (hasty.returncode == 1) == ("not confirmed within 0 s" in hasty.stderr)
    nobody = shop.run("erase", "")
    assert nobody.returncode == 2
    assert "user_id" in nobody.stderr


def test_a_shop_is_recorded_and_played_from_the_command_line(
    shop: RunningShop, photos: Photos, tmp_path: Path
) -> None:
    user = somebody("recorded")
    for product_id in photos.of("shorts")[:3]:
        shop.answered("product.viewed", user, product_id)
    folder, settings = tmp_path / "monday", tmp_path / "longer.toml"
    recorded = shop.run("replay", "record", "--out", str(folder))
    assert recorded.returncode == 0, recorded.stderr
    settings.write_text("[ranking]\nlength = 12\n")
    played = shop.run("replay", "--from", str(folder), "--settings", str(settings), "--json", timeout_s=200.0)
    assert played.returncode == 0, played.stderr
    rows = json.loads(played.stdout)["rows"]
    assert [row["system"] for row in rows] == ["as recorded", "longer"]
    assert all(row["sets"] >= 3 for row in rows)
    assert rows[0]["same"] == 1.0
    why = shop.run("replay", "--from", str(folder), "--user", user, timeout_s=200.0)
    assert why.returncode == 0, why.stderr
    assert photos.of("shorts")[0] in why.stdout
    nobody = shop.run("replay", "--from", str(folder), "--user", "nobody", timeout_s=200.0)
    assert nobody.returncode == 1
    assert "Traceback" not in nobody.stderr
