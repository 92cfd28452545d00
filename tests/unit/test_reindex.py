"""Which product events are sent again: sent after all that there was, they leave every product as it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from models.catalogue import Effect, ProductRecord, Version, apply
from schemas import events
from schemas.cloudevents import Event, write_event
from streams.commands.reindex import wanted
from streams.record import Record

START_S = 1_700_000_000


def record(offset: int, kind: str, product_id: str, second: int, **data: Any) -> Record:
    event = Event(
        f"e{offset}", "s", kind, datetime.fromtimestamp(START_S + second, UTC), {"id": product_id} | data
    )
    headers, value = write_event(event)
    return Record("product-events", 0, offset, product_id.encode(), value, tuple(headers), START_S + 100.0)


steps = st.lists(
    st.tuples(
        st.sampled_from(["product.uploaded", "product.updated", "product.removed"]),
        st.sampled_from(["a", "b"]),
        st.integers(0, 6),
        st.sampled_from(["t1", "t2"]),
    ),
    max_size=14,
)


def topic(said: list[tuple[str, str, int, str]]) -> list[Record]:
    """Records at offsets 0, 1, … of these steps, with another photo in every upload."""
    made = []
    for offset, (kind, product_id, second, title) in enumerate(said):
        data: dict[str, Any] = {} if kind == "product.removed" else {"title": title}
        if kind == "product.uploaded":
            data["image_link"] = f"{offset}.jpg"
        made.append(record(offset, kind, product_id, second, **data))
    return made


def applied(
    held: dict[str, ProductRecord], records: list[Record], first: int = 0
) -> tuple[dict[str, ProductRecord], list[tuple[str, Effect]]]:
    """The products after these records, at offsets from `first`, and what each did."""
    after, effects = dict(held), []
    for place, one in enumerate(records):
        event, data = events.read(events.PRODUCT_EVENTS, one.headers, one.value, one.key, one.appended_at)
        version = Version(event.time.timestamp(), first + place)
        after[data.id], effect = apply(after.get(data.id, ProductRecord()), data, version)
        effects.append((data.id, effect))
    return after, effects


def shown(products: dict[str, ProductRecord]) -> dict[str, Any]:
    return {name: one.values() for name, one in products.items() if one.visible}


@given(steps)
def test_products_stay_what_they_are_and_are_all_embedded(said: list[tuple[str, str, int, str]]) -> None:
    records = topic(said)
    before, _ = applied({}, records)
    places = wanted(records)
    again = [one for one in records if (one.partition, one.offset) in places]
    after, effects = applied(before, again, len(records))
    assert shown(after) == shown(before)
    assert {name for name, effect in effects if effect is Effect.INDEX} == set(shown(before))


@given(steps)
def test_a_new_index_becomes_the_same(said: list[tuple[str, str, int, str]]) -> None:
    records = topic(said)
    places = wanted(records)
    again = [one for one in records if (one.partition, one.offset) in places]
    assert shown(applied({}, again)[0]) == shown(applied({}, records)[0])


@given(steps, steps)
def test_what_happens_meanwhile_counts(
    said: list[tuple[str, str, int, str]], meanwhile: list[tuple[str, str, int, str]]
) -> None:
    later = [(kind, name, second + 10, title) for kind, name, second, title in meanwhile]
    records = topic(said + later)
    places = wanted(records[: len(said)])
    again = [one for one in records[: len(said)] if (one.partition, one.offset) in places]
    expected, _ = applied({}, records)
    after, _ = applied(expected, again, len(records))
    assert shown(after) == shown(expected)


def test_what_is_no_event_is_left_out() -> None:
    broken = Record("product-events", 0, 1, b"a", b"no event", (), START_S + 100.0)
    upload = record(0, "product.uploaded", "a", 1, image_link="1.jpg")
    assert wanted([upload, broken]) == {(0, 0): "a"}
