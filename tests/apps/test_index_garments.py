"""index-garments on records: uploads, changes and removals, in order and out of it, once and again."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_shop import BLIND_TO, NOW_S, MemoryShop, inline, picture

from models.catalogue import unpack
from streams.record import Record
from vectorstore.base import EngineFailure

RED, GREEN, BLUE = (250, 10, 10), (10, 250, 10), (10, 10, 250)
PRICE = {"value": 9.5, "currency": "EUR"}


def together(shop: MemoryShop, *records: Record) -> None:
    """Deliver product events in one batch."""
    asyncio.run(shop.index.handle(records))


def snapshot(shop: MemoryShop) -> Any:
    """Index and records, without the time of indexing."""
    points = {
        point.garment_id: (
            point.product_id,
            point.embedding.tobytes(),
            {k: v for k, v in point.payload.items() if k != "indexed_at"},
        )
        for point in shop.store.points.values()
    }
    records = {
        pid: (r.values() if (r := unpack(raw)).visible else None) for pid, raw in shop.store.records.items()
    }
    return points, records


def test_an_upload_is_searchable_and_said_so() -> None:
    shop = MemoryShop()
    upload = shop.upload("p", RED, title="Red shirt", price=PRICE, gender="female", item_group_id="g")
    shop.pump()
    whole, upper = shop.store.of("p")
    assert (whole.payload["part"], upper.payload["part"]) == ("whole", "upper")
    assert upper.payload["title"] == "Red shirt"
    assert upper.payload["price"] == PRICE
    assert upper.payload["gender"] == "female"
    assert upper.payload["item_group_id"] == "g"
    assert upper.payload["in_stock"] == 1
    assert upper.payload["image_link"] == "p.png"
    assert upper.payload["box_xyxy"] == [0.0, 0.0, 8.0, 8.0]
    assert np.linalg.norm(upper.embedding) == pytest.approx(1.0)
    ((kind, said),) = shop.said()
    assert kind == "garments.indexed"
    assert [garment.garment_id for garment in said.garments] == [whole.garment_id, upper.garment_id]
    assert (said.title, said.price.value, said.availability) == ("Red shirt", 9.5, "in_stock")
    assert (said.detector, said.embedder) == ("fake-1", "colours-1")
    assert said.version.offset == upload.offset
    assert shop.dead() == []
    assert shop.measured("lookstream_events_in_total", type="product.uploaded") == 1
    assert shop.measured("lookstream_events_out_total", type="garments.indexed") == 1
    assert shop.measured("lookstream_upload_to_searchable_seconds_count") == 1


def test_an_update_changes_texts_and_stock_without_looking_again() -> None:
    shop = MemoryShop()
    shop.upload("p", RED, title="old", price=PRICE)
    shop.pump()
    embeddings = [point.embedding.tobytes() for point in shop.store.of("p")]
    looked = shop.eyes.batches
    shop.publish(
        "product-events", "product.updated", {"id": "p", "availability": "out_of_stock", "price": None}
    )
    shop.pump()
    for point in shop.store.of("p"):
        assert point.payload["in_stock"] == 0
        assert "price" not in point.payload
        assert point.payload["title"] == "old"
    assert [point.embedding.tobytes() for point in shop.store.of("p")] == embeddings
    assert shop.eyes.batches == looked
    kind, said = shop.said()[-1]
    assert (kind, said.availability, said.price) == ("garments.updated", "out_of_stock", None)


def test_an_update_with_a_new_photo_looks_again() -> None:
    shop = MemoryShop()
    shop.upload("p", RED)
    shop.pump()
    before = shop.store.of("p")[0].embedding
    shop.media.photos["other.png"] = picture(*GREEN)
    shop.publish("product-events", "product.updated", {"id": "p", "image_link": "other.png"})
    shop.pump()
    (after, _) = shop.store.of("p")
    assert float(before @ after.embedding) < 0.5
    assert after.payload["image_link"] == "other.png"
    assert [kind for kind, _ in shop.said()] == ["garments.indexed", "garments.indexed"]


def test_a_removal_leaves_a_tombstone_that_only_a_newer_upload_lifts() -> None:
    shop = MemoryShop()
    old = shop.upload("p", RED)
    shop.pump()
    shop.publish("product-events", "product.removed", {"id": "p"})
    shop.pump()
    assert shop.store.of("p") == []
    assert shop.said()[-1][0] == "garments.removed"
    said = len(shop.said())
    shop.publish("product-events", "product.updated", {"id": "p", "title": "late"}, time_s=NOW_S - 100)
    late = {"id": "p", "image_link": "p.png"}
    shop.publish("product-events", "product.uploaded", late, time_s=NOW_S - 50)
    shop.again(old)
    assert shop.store.of("p") == []
    assert {kind for kind, _ in shop.said()[said:]} <= {"garments.removed"}
    shop.upload("p", GREEN)
    shop.pump()
    assert len(shop.store.of("p")) == 2


@pytest.mark.parametrize("kind", ["product.uploaded", "product.updated", "product.removed"])
def test_an_event_delivered_again_changes_nothing_and_is_said_again(kind: str) -> None:
    shop = MemoryShop()
    shop.upload("p", RED, title="t")
    fields = {"image_link": "p.png"} if kind == "product.uploaded" else {"title": "u"}
    record = shop.publish("product-events", kind, {"id": "p"} | ({} if kind == "product.removed" else fields))
    shop.pump()
    before, said, seen = snapshot(shop), shop.said(), shop.eyes.batches
    event_ids = [dict(r.headers)["ce_id"] for r in shop.topics.of("garments")]
    shop.again(record)
    assert snapshot(shop) == before
    assert shop.eyes.batches == seen
    assert len(shop.said()) == len(said) + 1
    again = dict(shop.topics.of("garments")[-1].headers)["ce_id"]
    if kind != "product.updated":  # the state is said again, not the change
        assert again == event_ids[-1]


@pytest.mark.parametrize("step", ["replace_product", "put_records", "garments"])
def test_a_crash_between_two_writes_is_made_good_by_the_redelivery(step: str) -> None:
    whole, broken = MemoryShop(), MemoryShop()
    for shop in (whole, broken):
        shop.upload("p", RED, title="t")
    whole.pump()
    record = broken.topics.log[0]
    broken.delivered = 1

    class CrashError(BaseException):
        pass

    async def crash(*_: Any, **__: Any) -> None:
        raise CrashError

    target: Any = broken.topics if step == "garments" else broken.store
    name = "send" if step == "garments" else f"_{step}"
    original = getattr(target, name)
    setattr(target, name, crash)
    with pytest.raises(CrashError):
        together(broken, record)
    setattr(target, name, original)
    broken.again(record)
    assert snapshot(broken) == snapshot(whole)
    assert [kind for kind, _ in broken.said()] == ["garments.indexed"]


def test_two_events_of_one_product_in_one_batch_apply_in_order() -> None:
    shop = MemoryShop()
    upload = shop.upload("p", RED, title="a")
    other = shop.upload("q", GREEN)
    update = shop.publish("product-events", "product.updated", {"id": "p", "title": "b"})
    removal = shop.publish("product-events", "product.removed", {"id": "q"})
    together(shop, upload, other, update, removal)
    assert {point.payload["title"] for point in shop.store.of("p")} == {"b"}
    assert shop.store.of("q") == []
    kinds = [(kind, said.product_id) for kind, said in shop.said()]
    assert kinds.index(("garments.indexed", "p")) < kinds.index(("garments.updated", "p"))
    assert kinds.index(("garments.indexed", "q")) < kinds.index(("garments.removed", "q"))


def test_one_photo_that_the_vision_fails_on_takes_no_other_along() -> None:
    shop = MemoryShop()
    records = [shop.upload("a", RED), shop.upload("bad", BLIND_TO), shop.upload("c", BLUE)]
    together(shop, *records)
    assert {point.product_id for point in shop.store.points.values()} == {"a", "c"}
    ((letter, why),) = shop.dead()
    assert (letter.key, letter.value) == (b"bad", records[1].value)
    assert why["stage"] == "embed"
    assert "bad" not in shop.store.records


@pytest.mark.parametrize(
    ("photo", "words"),
    [(None, "no file"), (b"GIF89a nothing", "JPEG"), (picture(*RED)[:50], "image_link"), (b"", "image_link")],
    ids=["missing", "no photo", "cut off", "empty"],
)
def test_a_photo_that_cannot_be_used_is_a_dead_letter(photo: bytes | None, words: str) -> None:
    shop = MemoryShop()
    if photo is not None:
        shop.media.photos["p.png"] = photo
    good = shop.upload("good", GREEN)
    bad = shop.upload("p", title="t")
    together(shop, bad, good)
    ((letter, why),) = shop.dead()
    assert (letter.key, letter.value, tuple(letter.headers[: len(bad.headers)])) == (
        b"p",
        bad.value,
        bad.headers,
    )
    assert why["stage"] == "decode"
    assert "image_link" in why["exception.message"]
    assert words in why["exception.message"]
    assert {point.product_id for point in shop.store.points.values()} == {"good"}


def test_a_bad_photo_leaves_the_product_as_it_was() -> None:
    shop = MemoryShop()
    shop.upload("p", RED, title="good")
    shop.pump()
    before = snapshot(shop)
    shop.publish("product-events", "product.updated", {"id": "p", "image_link": "nowhere.png", "title": "x"})
    shop.pump()
    assert len(shop.dead()) == 1
    assert snapshot(shop) == before


def test_a_link_too_long_for_the_sets_that_would_name_it_is_refused() -> None:
    shop = MemoryShop()
    link = "./" * 1500 + "p.png"
    shop.media.photos[link] = picture(*RED)
    shop.upload("p", image_link=link)
    shop.pump()
    ((_, why),) = shop.dead()
    assert "3005 characters" in why["exception.message"]
    assert shop.store.points == {}


def test_further_photos_add_garments_and_one_missing_is_told() -> None:
    shop = MemoryShop()
    shop.media.photos |= {"2.png": picture(*GREEN), "4.png": picture(*BLUE)}
    record = shop.upload("p", RED, additional_image_link=["2.png", "3.png", "4.png"])
    shop.pump()
    links = [
        (p.payload["image"], p.payload["image_link"])
        for p in shop.store.of("p")
        if p.payload["part"] == "whole"
    ]
    assert links == [(0, "p.png"), (1, "2.png"), (2, "4.png")]
    ((_, why),) = shop.dead()
    assert "additional_image_link.1" in why["exception.message"]
    assert "indexed without it" in why["exception.message"]
    before = snapshot(shop)
    shop.again(record)
    assert snapshot(shop) == before
    assert len(shop.dead()) == 1


def test_an_inline_photo_is_kept_as_a_reference_and_nothing_holds_its_bytes() -> None:
    shop = MemoryShop()
    photo = picture(*RED)
    shop.upload("p", image_link=inline(photo), additional_image_link=[inline(picture(*BLUE))])
    shop.pump()
    (reference, _, other, _) = [p.payload["image_link"] for p in shop.store.of("p")]
    assert reference.startswith("inline/")
    assert other != reference
    assert shop.media.photos[reference] == photo
    _, said = shop.said()[-1]
    assert said.image_link == reference
    spread = b"".join([*shop.store.records.values(), *(r.value or b"" for r in shop.topics.of("garments"))])
    assert photo.hex().encode() not in spread
    assert b"data:" not in spread


def test_a_service_that_is_away_is_waited_for() -> None:
    shop = MemoryShop()
    shop.store.away = 7
    shop.upload("p", RED)
    shop.pump()
    assert len(shop.store.of("p")) == 2
    assert shop.dead() == []
    assert shop.measured("lookstream_events_failed_total", error="VectorStoreUnavailable") == 7


def test_a_photo_host_that_stays_away_makes_a_dead_letter() -> None:
    shop = MemoryShop()
    shop.media.unavailable.add("p.png")
    shop.upload("p", RED)
    shop.pump()
    assert [why["exception.class.name"].rpartition(".")[2] for _, why in shop.dead()] == ["MediaUnavailable"]


@pytest.mark.parametrize("broken", ["engine", "record"])
def test_a_record_that_cannot_be_had_takes_no_other_event_along(broken: str) -> None:
    shop = MemoryShop()
    records = [shop.upload("a", RED), shop.upload("bad", GREEN), shop.upload("c", BLUE)]
    if broken == "record":
        shop.store.records["bad"] = b'{"format": 99, "fields": {}}'
    else:
        get = shop.store._get_records

        async def fails(product_ids: Any) -> Any:
            if "bad" in product_ids:
                raise EngineFailure("a damaged file")
            return await get(product_ids)

        shop.store._get_records = fails  # type: ignore[method-assign]
    together(shop, *records)
    assert {point.product_id for point in shop.store.points.values()} == {"a", "c"}
    assert [letter.key for letter, _ in shop.dead()] == [b"bad"]


def test_an_event_under_a_wrong_key_is_a_dead_letter() -> None:
    shop = MemoryShop()
    shop.media.photos["p.png"] = picture(*RED)
    shop.publish("product-events", "product.uploaded", {"id": "p", "image_link": "p.png"}, key="q")
    shop.pump()
    ((letter, why),) = shop.dead()
    assert letter.key == b"q"
    assert "key" in why["exception.message"]
    assert shop.store.points == {}


def test_ids_on_garments_differ_however_long_the_source_is() -> None:
    shop = MemoryShop()
    first = shop.upload("p", RED)
    long_source = [(n, b"s" * 1024 if n == "ce_source" else v) for n, v in first.headers]
    for number in (1, 2):
        headers = [(n, f"id-{number}".encode() if n == "ce_id" else v) for n, v in long_source]
        shop.topics.append("product-events", b"p", first.value, headers)
    shop.pump()
    ids = [dict(r.headers)["ce_id"] for r in shop.topics.of("garments")]
    assert len(set(ids)) == len(ids) == 3
    assert all(len(event_id) <= 1024 for event_id in ids)


COLOURS = [RED, GREEN, BLUE]
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["product.uploaded", "product.updated", "product.removed"]),
        st.sampled_from(["p", "q"]),
        st.integers(0, 5),
        st.sampled_from(["title a", "title b", None]),
        st.sampled_from(range(3)),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(events=EVENTS, random=st.randoms(use_true_random=False))
def test_any_batches_and_redeliveries_give_the_state_of_one_by_one(events: Any, random: Any) -> None:
    def filled() -> MemoryShop:
        shop = MemoryShop()
        for number, colour in enumerate(COLOURS):
            shop.media.photos[f"{number}.png"] = picture(*colour)
        for kind, product_id, time_s, title, photo in events:
            data: dict[str, Any] = {"id": product_id}
            if kind != "product.removed":
                data |= {"title": title, "image_link": f"{photo}.png"}
            shop.publish("product-events", kind, data, time_s=NOW_S + time_s)
        return shop

    one_by_one, batched = filled(), filled()
    one_by_one.pump()
    records = list(batched.topics.log)
    position = 0
    while position < len(records):
        end = random.randint(position + 1, len(records))
        together(batched, *records[position:end])
        position = random.randint(position + 1, end)  # a crash: what follows comes again
    assert snapshot(batched) == snapshot(one_by_one)
    assert batched.dead() == []
