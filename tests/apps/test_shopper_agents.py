"""update-tastes, wait-for-garments and recommend together: interactions in, sets out, once and again."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_shop import DAY_S, NOW_S, PARTITIONS, MemoryShop, embedding_of

from models.taste.contributions import WEIGHTS
from models.taste.interests import interests
from schemas.events import PRODUCT_ACTIONS
from streams.agents.wait_for_garments import ERASE, KEY_HEADER, MAX_PARKED_BYTES, TICK
from streams.record import Record, murmur2_partition

RED, PINK, GREEN, BLUE = (250, 10, 10), (240, 60, 60), (10, 250, 10), (10, 10, 250)


def stocked(**products: Any) -> MemoryShop:
    """A shop with products by colour: a tuple, or (tuple, fields)."""
    shop = MemoryShop()
    for product_id, what in products.items():
        colour, fields = what if isinstance(what[1], dict) else (what, {})
        shop.upload(product_id, colour, **fields)
    shop.pump()
    return shop


def shelf(count: int = 30) -> MemoryShop:
    """A shop with so many products of colours all around."""
    rng = np.random.default_rng(7)
    return stocked(**{f"p{n}": tuple(int(c) for c in rng.integers(10, 250, 3)) for n in range(count)})


def ids(answer: Any) -> list[str]:
    return [item.product_id for item in answer.items]


def taste_of(shop: MemoryShop, user: str = "u") -> Any:
    """What a taste remembers, comparable."""
    found = shop.shopper(user)
    return (
        [(c.key, c.action, c.weight, c.event_time_s) for c in found.taste.contributions],
        dict(found.seen),
        dict(found.bought),
        dict(found.dismissed),
    )


def test_a_view_becomes_a_set_that_names_it() -> None:
    shop = stocked(red=RED, pink=PINK, blue=BLUE)
    record = shop.act("product.viewed", "u", "red", event_id="click-1")
    shop.pump()
    (answer,) = shop.sets("u")
    assert answer.includes == ["click-1"]
    assert (answer.trigger.type, answer.trigger.id) == ("product.viewed", "click-1")
    assert (answer.through.partition, answer.through.offset) == (record.partition, record.offset)
    assert ids(answer)[0] == "pink"
    assert "red" not in ids(answer)
    assert answer.items[0].because.product_id == "red"
    assert answer.items[0].because.action == "product.viewed"
    assert answer.revision == 1
    assert answer.latency_ms > 0
    assert answer.model.embedder == "colours-1"


@pytest.mark.parametrize("action", PRODUCT_ACTIONS)
def test_every_product_action_counts_with_its_weight(action: str) -> None:
    shop = stocked(red=RED, pink=PINK)
    shop.answer(action, "u", "red")
    contributions = shop.shopper("u").taste.contributions
    taken_back = {"product.refunded": 5.0, "product.removed_from_cart": 3.0}
    assert [c.weight for c in contributions] == [WEIGHTS.get(action, taken_back.get(action))]
    assert [c.part for c in contributions] == ["upper"]  # the detected garment, not the whole photo
    assert shop.dead() == []


def test_a_refund_leaves_the_sets_as_if_nothing_was_bought() -> None:
    one, other = shelf(), shelf()
    for shop in (one, other):
        shop.answer("product.viewed", "u", "p1", time_s=NOW_S - 50)
    one.answer("product.purchased", "u", "p2", time_s=NOW_S - 40)
    with_refund = one.answer("product.refunded", "u", "p2", time_s=NOW_S - 30)
    without = other.answer("shopper.arrived", "u")
    scores = [
        {i.product_id: i.score for i in answer.items if i.slot == "taste"}
        for answer in (with_refund, without)
    ]
    common = scores[0].keys() & scores[1].keys()
    assert len(common) > 10
    assert [scores[0][p] for p in sorted(common)] == [scores[1][p] for p in sorted(common)]


def test_an_unknown_shopper_gets_the_trending_first_and_then_the_newest() -> None:
    shop = shelf(30)
    for user in ("a", "b"):
        shop.answer("product.purchased", user, "p3")
    shop.answer("product.viewed", "c", "p4")
    answer = shop.answer("shopper.arrived", "new")
    assert answer.strategy == "trending"
    assert ids(answer)[:2] == ["p3", "p4"]
    assert [item.slot for item in answer.items[:2]] == ["trending", "trending"]
    assert ids(answer)[2:6] == ["p29", "p28", "p27", "p26"]
    assert {item.slot for item in answer.items[2:]} == {"fresh"}
    assert len(answer.items) == 24
    assert all(item.because is None for item in answer.items)


def test_seen_bought_and_dismissed_stay_out() -> None:
    shop = shelf(12)
    shop.answer("product.viewed", "u", "p0")
    shop.answer("product.purchased", "u", "p1")
    shop.answer("product.dismissed", "u", "p2")
    answer = shop.answer("product.added_to_cart", "u", "p3")
    assert set(ids(answer)) == {f"p{n}" for n in range(4, 12)}


def test_out_of_stock_and_removed_stay_out_until_they_are_back() -> None:
    shop = stocked(red=RED, pink=PINK, rose=(245, 30, 30), blue=BLUE)
    assert set(ids(shop.answer("product.viewed", "u", "red"))) == {"pink", "rose", "blue"}
    shop.publish("product-events", "product.updated", {"id": "pink", "availability": "out_of_stock"})
    shop.publish("product-events", "product.removed", {"id": "rose"})
    shop.pump()
    assert set(ids(shop.answer("shopper.arrived", "u"))) == {"blue"}
    shop.publish("product-events", "product.updated", {"id": "pink", "availability": "in_stock"})
    shop.pump()
    assert set(ids(shop.answer("shopper.arrived", "u"))) == {"pink", "blue"}


def test_one_of_an_item_group_is_enough() -> None:
    group = {"item_group_id": "g"}
    shop = stocked(
        red=RED, pink=(PINK, group), rose=((245, 30, 30), group), rust=((200, 40, 20), group), blue=BLUE
    )
    answer = shop.answer("product.viewed", "u", "red")
    assert len({"pink", "rose", "rust"} & set(ids(answer))) == 1
    assert "blue" in ids(answer)


def test_gender_narrows_only_when_it_was_given() -> None:
    shop = stocked(
        red=RED,
        hers=(PINK, {"gender": "female"}),
        his=((245, 30, 30), {"gender": "male"}),
        both=((230, 50, 20), {"gender": "unisex"}),
        unsaid=(BLUE, {}),
    )
    assert set(ids(shop.answer("product.viewed", "u", "red"))) == {"hers", "his", "both", "unsaid"}
    answer = shop.answer("shopper.arrived", "u", gender="male")
    assert set(ids(answer)) == {"his", "both", "unsaid"}
    assert set(ids(shop.answer("shopper.arrived", "new", gender="female"))) == {
        "red",
        "hers",
        "both",
        "unsaid",
    }


def test_the_share_in_because_is_that_of_the_contribution() -> None:
    reds = {f"r{n}": (250 - n, 10 + 2 * n, 10) for n in range(8)}  # so alike that they are one interest
    shop = stocked(**reds, blue=BLUE)
    acts = [("product.viewed", "r0", 3), ("product.added_to_cart", "r1", 2), ("product.viewed", "r2", 1)]
    for action, product_id, days in acts:
        answer = shop.answer(action, "u", product_id, time_s=NOW_S - days * DAY_S)
    (interest,) = interests(shop.shopper("u").taste, shop.settings)
    weights = {
        c.product_id: weight for c, weight in zip(interest.contributions, interest.weights, strict=True)
    }
    assert set(weights) == {"r0", "r1", "r2"}
    embeddings = {product_id: shop.store.of(product_id)[1].embedding for product_id in weights}
    points = {point.garment_id: point for point in shop.store.points.values()}
    of_taste = [item for item in answer.items if item.slot == "taste" and item.product_id in reds]
    assert len(of_taste) == 5
    for item in of_taste:
        garment = points[item.garment_id].embedding
        terms = {p: weight * float(embeddings[p] @ garment) for p, weight in weights.items()}
        assert item.because.product_id == "r1"
        assert item.because.share == pytest.approx(terms["r1"] / sum(terms.values()), abs=0.01)


def test_an_interaction_waits_for_its_product_and_then_counts() -> None:
    shop = stocked(pink=PINK, blue=BLUE)
    record = shop.act("product.added_to_cart", "u", "red", event_id="early")
    shop.pump()
    assert shop.sets("u") == []
    assert list(shop.waiting_table) == [b"red"]
    shop.upload("red", RED)
    shop.pump()
    answer = shop.sets("u")[-1]
    assert answer.includes == ["early"]
    assert answer.items[0].because.product_id == "red"
    assert shop.waiting_table == {}
    released = [r for r in shop.topics.of("interactions") if r.offset > record.offset]
    assert [(r.key, r.value, r.headers) for r in released] == [(record.key, record.value, record.headers)]


def test_a_product_indexed_between_the_look_and_the_parking_releases_at_once() -> None:
    shop = stocked(pink=PINK)
    shop.act("product.viewed", "u", "red", event_id="early")
    shop.pump(until=lambda: bool(shop.topics.of("waiting")))
    (parked,) = shop.topics.of("waiting")
    upload = shop.upload("red", RED)
    asyncio.run(shop.index.handle([upload]))
    for indexed in shop.topics.of("garments")[-1:]:
        asyncio.run(shop.deliver(indexed))  # nobody waits yet
    assert shop.waiting_table == {}
    asyncio.run(shop.deliver(parked))
    assert shop.waiting_table == {}
    shop.delivered = len(shop.topics.log) - 1
    shop.pump()
    assert shop.sets("u")[-1].includes == ["early"]


def test_an_interaction_with_a_removed_product_is_answered_without_it() -> None:
    shop = stocked(red=RED, pink=PINK)
    shop.publish("product-events", "product.removed", {"id": "red"})
    shop.pump()
    answer = shop.answer("product.viewed", "u", "red")
    assert answer.strategy == "trending"
    assert shop.shopper("u").taste.contributions == ()
    assert shop.waiting_table == {}


@pytest.mark.parametrize("days", [6.9, 7.1])
def test_what_waits_longer_than_the_retention_is_a_dead_letter(days: float) -> None:
    shop = MemoryShop()
    record = shop.act("product.viewed", "u", "red")
    shop.pump()
    shop.topics.clock_s += days * DAY_S
    for partition in range(PARTITIONS):
        shop.topics.append("waiting", None, b"", [TICK], partition)
    shop.pump()
    if days < 7:
        assert shop.dead() == []
        assert shop.waiting_table
        return
    ((letter, why),) = shop.dead()
    assert (letter.key, letter.value) == (b"u", record.value)
    assert letter.headers[: len(record.headers)] == record.headers
    assert KEY_HEADER not in dict(letter.headers)
    assert "'red' was not indexed within" in why["exception.message"]
    assert shop.waiting_table == {}


@pytest.mark.parametrize("notice", [TICK, ERASE, (KEY_HEADER, b"somebody else")])
def test_headers_of_ours_in_an_interaction_are_only_headers_while_it_waits(notice: tuple[str, bytes]) -> None:
    shop = stocked(pink=PINK)
    plain = shop.act("product.viewed", "u", "red", event_id="early")
    waiting = [*plain.headers, notice, (KEY_HEADER, b"u")]
    shop.delivered = len(shop.topics.log)
    asyncio.run(shop.deliver(shop.topics.append("waiting", b"red", plain.value, waiting)))
    shop.delivered = len(shop.topics.log)
    assert list(shop.waiting_table) == [b"red"]
    shop.upload("red", RED)
    shop.pump(until=lambda: len(shop.topics.of("interactions")) > 1)
    assert shop.topics.of("interactions")[-1].key == b"u"


@pytest.mark.parametrize("notice", [TICK, ERASE, (KEY_HEADER, b"somebody else")])
def test_headers_of_ours_in_an_interaction_are_only_headers(notice: tuple[str, bytes]) -> None:
    shop = stocked(red=RED, pink=PINK)
    plain = shop.act("product.viewed", "u", "red", event_id="sly")
    shop.delivered = len(shop.topics.log)
    shop.topics.append("interactions", b"u", plain.value, [*plain.headers, notice])
    shop.pump()
    assert shop.sets("u")[-1].includes == ["sly"]


def test_one_product_cannot_gather_more_than_the_changelog_takes() -> None:
    shop = MemoryShop()
    for number in range(6):
        shop.act("product.viewed", f"u{number}", "red", note="x" * 1_000_000)
    shop.pump()
    assert len(shop.waiting_table[b"red"]) <= MAX_PARKED_BYTES
    assert len(shop.dead()) == 3
    shop.upload("red", RED)
    shop.pump()
    assert len({answer.user_id for answer in shop.sets()}) == 3


def test_an_event_on_the_wrong_partition_is_sent_home() -> None:
    shop = stocked(red=RED, pink=PINK)
    home = murmur2_partition(b"u", PARTITIONS)
    record = shop.act("product.viewed", "u", "red", event_id="lost", partition=(home + 1) % PARTITIONS)
    shop.pump()
    again = shop.topics.of("interactions")[-1]
    assert (again.partition, again.value, again.headers) == (home, record.value, record.headers)
    assert shop.sets("u")[-1].includes == ["lost"]
    assert len(shop.shopper("u").taste.contributions) == 1


def test_a_duplicate_under_a_new_offset_counts_once() -> None:
    shop = stocked(red=RED, pink=PINK)
    shop.answer("product.viewed", "u", "red", event_id="same")
    before = taste_of(shop)
    answer = shop.answer("product.viewed", "u", "red", event_id="same")
    assert taste_of(shop) == before
    assert answer.revision == 2


def test_a_redelivered_event_is_sent_again_with_a_new_revision() -> None:
    shop = stocked(red=RED, pink=PINK, blue=BLUE)
    record = shop.act("product.viewed", "u", "red", event_id="first")
    shop.answer("product.viewed", "u", "blue", event_id="second")
    before, revision = taste_of(shop), shop.shopper("u").revision
    shop.again(record)
    assert taste_of(shop) == before
    assert shop.tastes()[-1].includes == ["first"]
    assert shop.sets("u")[-1].revision == revision + 1
    shop.again(record)
    assert shop.sets("u")[-1].revision == revision + 2


def test_a_failed_send_is_made_good_without_counting_twice() -> None:
    shop = stocked(red=RED, pink=PINK)
    shop.topics.failures = 3
    answer = shop.answer("product.viewed", "u", "red", event_id="once")
    assert answer.includes == ["once"]
    assert len(shop.shopper("u").taste.contributions) == 1
    assert shop.dead() == []


@pytest.mark.parametrize(
    ("key", "words"), [("v", "record's key"), (None, "record's key")], ids=["another", "none"]
)
def test_a_wrong_key_is_a_dead_letter(key: str | None, words: str) -> None:
    shop = stocked(red=RED)
    right = shop.act("product.viewed", "u", "red")
    shop.delivered = len(shop.topics.log)
    shop.topics.append("interactions", key and key.encode(), right.value, right.headers)
    shop.pump()
    ((letter, why),) = shop.dead()
    assert letter.key == (key and key.encode())
    assert words in why["exception.message"]
    assert b"u" not in shop.tastes_table


def test_an_unknown_garment_of_a_known_product_is_a_dead_letter() -> None:
    shop = stocked(red=RED)
    shop.act("product.viewed", "u", "red", garment_id="nobody")
    shop.pump()
    ((_, why),) = shop.dead()
    assert "garment_id" in why["exception.message"]
    assert why["stage"] == "taste"


def test_a_named_garment_alone_counts() -> None:
    shop = stocked(red=RED, pink=PINK)
    whole = shop.store.of("red")[0]
    shop.answer("product.viewed", "u", "red", garment_id=whole.garment_id)
    assert [c.garment_id for c in shop.shopper("u").taste.contributions] == [whole.garment_id]


def test_impressions_ask_for_no_set() -> None:
    shop = stocked(red=RED)
    shop.act("recommendations.viewed", "u", recommendation_id="r", product_ids=["red"])
    shop.pump()
    assert (shop.sets("u"), shop.dead(), shop.tastes_table) == ([], [], {})


def test_several_tastes_of_one_shopper_become_one_set_that_includes_all() -> None:
    shop = shelf()
    for number in range(5):
        shop.act("product.viewed", "u", f"p{number}", event_id=f"v{number}")
    shop.act("product.viewed", "other", "p1", event_id="w")
    shop.pump(until=lambda: len(shop.topics.of("tastes")) == 6)
    tastes = shop.topics.of("tastes")
    asyncio.run(shop.recommend.handle(tastes))
    (mine,), (theirs,) = shop.sets("u"), shop.sets("other")
    assert mine.includes == [f"v{number}" for number in range(5)]
    assert (mine.revision, mine.trigger.id) == (5, "v4")
    assert theirs.includes == ["w"]
    oldest_s = min(record.appended_at_s for record in shop.topics.of("interactions"))
    assert mine.latency_ms >= (tastes[-1].appended_at_s - oldest_s) * 1000
    asyncio.run(shop.recommend.handle(list(reversed(tastes))))
    assert shop.sets("u")[-1].revision == 5


@pytest.mark.parametrize("damage", [b"", b"\x00", b"\xff" * 40, b"\x05\x00\x00\x00{bad}LS1"])
def test_a_damaged_taste_is_a_dead_letter_and_the_others_are_answered(damage: bytes) -> None:
    shop = shelf()
    shop.act("product.viewed", "u", "p0")
    shop.pump(until=lambda: bool(shop.topics.of("tastes")))
    (good,) = shop.topics.of("tastes")
    bad = Record("tastes", 0, 99, b"v", damage, good.headers, good.appended_at_s)
    asyncio.run(shop.recommend.handle([bad, good]))
    assert len(shop.sets("u")) == 1
    assert [letter.key for letter, _ in shop.dead()] == [b"v"]


def test_a_store_that_is_away_is_waited_for() -> None:
    shop = shelf()
    shop.store.away = 9
    answer = shop.answer("product.viewed", "u", "p0")
    assert answer.items
    assert shop.dead() == []


def test_the_similar_comes_before_the_other() -> None:
    shop = stocked(red=RED, pink=PINK, blue=BLUE, green=GREEN)
    assert ids(shop.answer("product.viewed", "u", "red"))[0] == "pink"
    score = shop.sets("u")[-1].items[0].score
    expected = float(embedding_of(np.array(RED), "upper") @ embedding_of(np.array(PINK), "upper"))
    assert score == pytest.approx(expected, abs=0.02)  # remembered in few bits


ACTS = st.lists(
    st.tuples(st.sampled_from(PRODUCT_ACTIONS), st.sampled_from(["a", "b", "c", "late"]), st.integers(0, 20)),
    min_size=1,
    max_size=10,
)


@settings(max_examples=40, deadline=None)
@given(acts=ACTS, random=st.randoms(use_true_random=False))
def test_any_order_with_duplicates_and_redeliveries_gives_the_same_taste(acts: Any, random: Any) -> None:
    def open_shop() -> MemoryShop:
        return stocked(a=RED, b=GREEN, c=BLUE)

    def act(shop: MemoryShop, number: int) -> Record:
        action, product_id, days = acts[number]
        return shop.act(action, "u", product_id, event_id=f"e{number}", time_s=NOW_S - days * DAY_S)

    plain = open_shop()
    plain.upload("late", PINK)
    plain.pump()
    for number in range(len(acts)):
        act(plain, number)
    plain.pump()

    mixed = open_shop()
    numbers = list(range(len(acts)))
    random.shuffle(numbers)
    upload_at = random.randrange(len(acts) + 1)
    for place, number in enumerate([*numbers, *numbers[:3]]):
        if place == upload_at:
            mixed.upload("late", PINK)
        record = act(mixed, number)
        mixed.pump()
        if random.random() < 0.5:
            mixed.again(record)
    mixed.pump()
    assert taste_of(mixed) == taste_of(plain)
    revisions = [answer.revision for answer in mixed.sets("u")]
    assert revisions == sorted(set(revisions))
    assert {f"e{number}" for number in numbers} <= {e for answer in mixed.sets("u") for e in answer.includes}
    assert mixed.waiting_table == {}
