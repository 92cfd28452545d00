"""A product's record is a function of the set of its events, in any order; effects say what changed."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.catalogue import (
    IMAGE_FIELDS,
    NEVER,
    Effect,
    ProductRecord,
    Version,
    apply,
    pack,
    unpack,
)
from schemas.products import PRODUCT_FIELDS, ProductRemoved, ProductUpdated, ProductUploaded


class Happened(NamedTuple):
    """A product event with its version."""

    event: ProductUploaded | ProductUpdated | ProductRemoved
    version: Version


PRICES = [{"value": 1.0, "currency": "EUR"}, {"value": 2.5, "currency": "USD"}, None]
optional = {
    "title": st.sampled_from(["Shorts", "Skirt", None]),
    "price": st.sampled_from(PRICES),
    "availability": st.sampled_from(["in_stock", "out_of_stock", None]),
    "additional_image_link": st.sampled_from([["b.jpg"], ["b.jpg", "c.jpg"], None]),
}
images = st.sampled_from(["a.jpg", "z.jpg"])
uploads = st.fixed_dictionaries({"id": st.just("p"), "image_link": images}, optional=optional)
updates = st.fixed_dictionaries({"id": st.just("p")}, optional=optional | {"image_link": images})
product_events = st.one_of(
    uploads.map(ProductUploaded.model_validate),
    updates.map(ProductUpdated.model_validate),
    st.just(ProductRemoved(id="p")),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Happened]:
    """Events of one product, in the order of arrival; several at the same event time differ by offset."""
    happened = draw(st.lists(st.tuples(product_events, st.integers(0, 4)), max_size=7))
    return [Happened(event, Version(float(time), offset)) for offset, (event, time) in enumerate(happened)]


def applied(history: Iterable[Happened]) -> ProductRecord:
    record = ProductRecord()
    for event, version in history:
        record, _ = apply(record, event, version)
    return record


def one(kind: type[Any], time_s: float, **fields: Any) -> Happened:
    return Happened(kind.model_validate({"id": "p"} | fields), Version(time_s, int(time_s)))


def upload(time_s: float, **fields: Any) -> Happened:
    return one(ProductUploaded, time_s, **({"image_link": "a.jpg"} | fields))


def update(time_s: float, **fields: Any) -> Happened:
    return one(ProductUpdated, time_s, **fields)


def remove(time_s: float) -> Happened:
    return one(ProductRemoved, time_s)


def effects(*history: Happened) -> list[Effect]:
    record, found = ProductRecord(), []
    for event, version in history:
        record, effect = apply(record, event, version)
        found.append(effect)
    return found


class Truth(NamedTuple):
    """What a set of events means, written down without a record: the newest says what counts."""

    visible: bool
    uploaded: Version
    values: dict[str, Any]


def truth(history: Sequence[Happened]) -> Truth:
    uploaded = max((v for e, v in history if isinstance(e, ProductUploaded)), default=NEVER)
    removed = max((v for e, v in history if isinstance(e, ProductRemoved)), default=NEVER)
    values = {}
    for event, version in sorted(history, key=lambda happened: happened.version):
        if isinstance(event, ProductRemoved) or version < uploaded:
            continue
        values.update(event.model_dump(mode="json", exclude_unset=True, exclude={"id"}))
    return Truth(uploaded > removed, uploaded, {k: v for k, v in values.items() if v is not None})


@given(histories(), st.randoms(use_true_random=False))
@settings(max_examples=120, deadline=None)
def test_any_order_gives_the_same_record(history: list[Happened], random: Any) -> None:
    shuffled = list(history)
    random.shuffle(shuffled)
    assert applied(shuffled) == applied(history)


@given(histories(), st.data())
@settings(max_examples=60, deadline=None)
def test_twice_is_once(history: list[Happened], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(history), max_size=5)) if history else []
    record = applied(history)
    assert applied([*history, *again]) == record
    assert all(apply(record, *happened)[1] in {Effect.REPEAT, Effect.NOTHING} for happened in again)


@given(histories())
@settings(max_examples=120, deadline=None)
def test_a_record_says_what_its_events_mean(history: list[Happened]) -> None:
    record, meant = applied(history), truth(history)
    assert record.visible == meant.visible
    assert record.values() == meant.values
    assert all(record.value(name) == meant.values.get(name) for name in PRODUCT_FIELDS)
    assert record.newest == max((happened.version for happened in history), default=NEVER)


@given(histories())
@settings(max_examples=120, deadline=None)
def test_an_effect_is_what_has_changed_in_the_meaning(history: list[Happened]) -> None:
    record = ProductRecord()
    for count, happened in enumerate(history):
        before, after = truth(history[:count]), truth(history[: count + 1])
        record, effect = apply(record, *happened)
        assert effect is expected_effect(before, after)


def expected_effect(before: Truth, after: Truth) -> Effect:
    if not after.visible:
        return Effect.REMOVE if before.visible else Effect.NOTHING
    images_changed = any(before.values.get(name) != after.values.get(name) for name in IMAGE_FIELDS)
    if not before.visible or images_changed or before.uploaded != after.uploaded:
        return Effect.INDEX
    return Effect.UPDATE if before.values != after.values else Effect.NOTHING


@given(histories().filter(bool))
@settings(max_examples=60, deadline=None)
def test_what_still_tells_is_said_again_when_redelivered(history: list[Happened]) -> None:
    record = applied(history)
    newest = max(history, key=lambda happened: happened.version)
    assert apply(record, *newest) == (record, Effect.REPEAT)
    for happened in history:
        if any(version == happened.version for _, version in record.fields.values()):
            assert apply(record, *happened) == (record, Effect.REPEAT)


@given(histories())
@settings(max_examples=60, deadline=None)
def test_a_packed_record_is_unpacked(history: list[Happened]) -> None:
    record = applied(history)
    assert unpack(pack(record)) == record
    assert unpack(pack(record)).values() == record.values()


def test_an_unknown_product_has_an_empty_record() -> None:
    assert unpack(None) == ProductRecord()
    assert not unpack(None).visible


def test_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="format 2"):
        unpack(pack(ProductRecord()).replace(b'"format":1', b'"format":2'))


def test_the_effects_of_a_life() -> None:
    assert effects(
        upload(1),
        update(2, price=PRICES[0]),
        update(3, price=PRICES[0]),
        update(4, image_link="z.jpg"),
        update(5, additional_image_link=["b.jpg"]),
        upload(6),
        remove(7),
        remove(8),
        upload(9),
    ) == [
        Effect.INDEX,
        Effect.UPDATE,
        Effect.NOTHING,
        Effect.INDEX,
        Effect.INDEX,
        Effect.INDEX,
        Effect.REMOVE,
        Effect.NOTHING,
        Effect.INDEX,
    ]


def test_late_events_do_not_revive_a_removed_product_but_a_newer_upload_does() -> None:
    assert effects(
        upload(1), remove(5), upload(3), update(4, title="Shorts"), update(6, title="x"), upload(7)
    ) == [
        Effect.INDEX,
        Effect.REMOVE,
        Effect.NOTHING,
        Effect.NOTHING,
        Effect.NOTHING,
        Effect.INDEX,
    ]
    assert not applied([remove(5), upload(3)]).visible


def test_an_upload_sets_every_field_also_to_nothing() -> None:
    record = applied([upload(1, title="Shorts", price=PRICES[0]), upload(2, title="Skirt")])
    assert record.values() == {"image_link": "a.jpg", "title": "Skirt"}


def test_updates_out_of_order_keep_the_newest_of_each_field() -> None:
    record = applied([upload(1), update(5, title="new"), update(3, title="old", price=PRICES[0])])
    assert record.values() == {"image_link": "a.jpg", "title": "new", "price": PRICES[0]}


def test_an_update_overtaken_by_an_upload_leaves_no_trace() -> None:
    late_update = [upload(2), update(1, title="old")]
    assert applied(late_update) == applied(reversed(late_update)) == applied([upload(2)])


def test_a_cleared_field_stays_cleared_when_an_older_value_arrives() -> None:
    record = applied([upload(1, title="Shorts"), update(5, title=None), update(3, title="late")])
    assert record.value("title") is None
    assert "title" not in record.values()


def test_a_field_is_replaced_under_its_version() -> None:
    history = [upload(1, additional_image_link=["b.jpg", "broken.jpg"])]
    record = applied(history).with_value("additional_image_link", ["b.jpg"])
    assert record.value("additional_image_link") == ["b.jpg"]
    assert apply(record, *history[0]) == (record, Effect.REPEAT)
