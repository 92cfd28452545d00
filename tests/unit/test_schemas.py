"""The event types: examples are read, foreign fields tolerated, the rest refused by the field's name."""

import base64
import copy
import doctest
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import schemas.errors
from schemas import events
from schemas.base import Record
from schemas.cloudevents import Event, rfc3339, write_event
from schemas.errors import SchemaError, shape
from schemas.examples import EXAMPLES
from schemas.recommendations import RecommendationSet, Through, Trigger, recommendation_id
from schemas.tastes import TasteUpdated, pack, unpack

APPENDED = datetime(2026, 1, 31, 12, tzinfo=UTC)
REGISTRIES: tuple[dict[str, type[Record]], ...] = (
    events.PRODUCT_EVENTS,
    events.INTERACTIONS,
    events.GARMENT_EVENTS,
    events.TASTE_REQUESTS,
    events.RECOMMENDATIONS,
    events.RULES,
)
TYPES = {name: registry for registry in REGISTRIES for name in registry}
every_type = pytest.mark.parametrize("name", TYPES)


def key_of(data: dict[str, Any]) -> bytes:
    return str(data.get("id") or data.get("user_id") or data.get("product_id")).encode()


def read(name: str, data: Any, key: bytes | None = None, time: datetime = APPENDED) -> Any:
    headers, value = write_event(Event("e-1", "test", name, time, data))
    return events.read(TYPES[name], headers, value, key or key_of(EXAMPLES[name]), APPENDED)[1]


def refused(name: str, data: Any, **how: Any) -> SchemaError:
    with pytest.raises(SchemaError) as caught:
        read(name, data, **how)
    return caught.value


@every_type
def test_the_example_of_every_type_is_read(name: str) -> None:
    data = read(name, EXAMPLES[name])
    assert isinstance(data, TYPES[name][name])
    assert json.loads(data.model_dump_json(exclude_unset=True)) == EXAMPLES[name]


def test_every_type_has_an_example_and_no_type_is_on_two_topics() -> None:
    assert set(EXAMPLES) == set(TYPES)
    assert sum(map(len, REGISTRIES)) == len(TYPES)


@every_type
def test_foreign_fields_are_tolerated(name: str) -> None:
    newer = EXAMPLES[name] | {"field_of_2030": {"deep": [1, None]}, "Ключ": 10**30}
    assert read(name, newer) == read(name, EXAMPLES[name])


def required_fields() -> Iterator[tuple[str, str]]:
    for name, registry in TYPES.items():
        for field, info in registry[name].model_fields.items():
            if info.is_required():
                yield name, field


@pytest.mark.parametrize(("name", "field"), list(required_fields()))
def test_a_missing_field_is_named(name: str, field: str) -> None:
    data = {key: value for key, value in EXAMPLES[name].items() if key != field}
    error = refused(name, data)
    assert error.field == field
    assert str(error).startswith(f"{name}: field '{field}': got nothing, expected ")


def paths(data: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    steps = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for step, value in steps:
        yield (*at, step)
        yield from paths(value, (*at, step))


def replaced(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(data)
    holder = changed
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return changed


PLACES = [(name, path) for name in TYPES for path in paths(EXAMPLES[name])]
hostile = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**4000, -(10**400), 2**63, "", " ", "\x00", "\u200b", "a" * 70, "x" * 30_000])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.recursive(st.just([]) | st.just({}), lambda inner: st.lists(inner, max_size=2), max_leaves=4)
)


@given(st.sampled_from(PLACES), hostile)
@settings(max_examples=250, deadline=None)
def test_a_hostile_value_anywhere_is_read_or_refused_by_name(place: tuple[str, Any], value: Any) -> None:
    name, path = place
    data = replaced(EXAMPLES[name], path, value)
    try:
        record = events.validate(TYPES[name][name], data, name)
    except SchemaError as error:
        within = ".".join(map(str, path))
        refusal = error
    else:
        again = type(record).model_validate_json(record.model_dump_json(exclude_unset=True))
        assert again == record
        return
    fields = [problem.split("'")[1] for problem in refusal.problems]
    assert any(
        field in (within, "data") or field.startswith(f"{within}.") or within.startswith(f"{field}.")
        for field in fields
    )
    assert len(str(refusal)) < 2000


@given(st.sampled_from(sorted(TYPES)), st.binary(max_size=60) | hostile.map(lambda v: json.dumps(v).encode()))
@settings(max_examples=200, deadline=None)
def test_hostile_bytes_are_read_or_refused(name: str, value: bytes) -> None:
    headers = write_event(Event("e-1", "test", name, APPENDED, {}))[0]
    with pytest.raises(SchemaError) as caught:
        events.read(TYPES[name], headers, value, b"k", APPENDED)
    assert caught.value.field


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b'{"id": "sku-9", "image_link": "a", "price": {"value": 1e999, "currency": "EUR"}}', "price.value"),
        (b'{"id": "sku-9", "image_link": "a", "price": {"value": NaN, "currency": "EUR"}}', "value"),
        (b'{"id": "sku-9", "image_link": "a", "price": {"value": -1, "currency": "EUR"}}', "price.value"),
        (
            b'{"id": "sku-9", "image_link": "a", "price": {"value": 1, "currency": "EUR\\n"}}',
            "price.currency",
        ),
        (b'{"id": "sku-9", "image_link": "a", "price": {"value": true, "currency": "EUR"}}', "price.value"),
        (b'{"id": "sku-9", "image_link": "a", "price": {"value": "9", "currency": "EUR"}}', "price.value"),
        (b'{"id": "sku-9", "image_link": "a", "price": 1}', "price"),
        (b'{"id": "sku-9", "image_link": ""}', "image_link"),
        (b'{"id": "sku-9", "image_link": "a", "additional_image_link": "b"}', "additional_image_link"),
        (b'{"id": "sku-9", "image_link": "a", "additional_image_link": [1]}', "additional_image_link.0"),
        (b'{"id": "sku-9", "image_link": "a", "availability": "soon"}', "availability"),
        (b'{"id": 9, "image_link": "a"}', "id"),
        (b'{"id": "a\\u0000b", "image_link": "a"}', "id"),
        (b'{"id": "\\ud800", "image_link": "a"}', "value"),
        (b'["sku-9"]', "data"),
        (b"null", "data"),
    ],
)
def test_an_upload_that_is_wrong_says_where(raw: bytes, field: str) -> None:
    headers = write_event(Event("e-1", "test", "product.uploaded", APPENDED, {}))[0]
    with pytest.raises(SchemaError) as caught:
        events.read(events.PRODUCT_EVENTS, headers, raw, b"sku-9", APPENDED)
    assert caught.value.field == field


def test_a_product_cannot_lose_its_image() -> None:
    assert refused("product.updated", {"id": "sku-9", "image_link": None}).field == "image_link"
    assert read("product.updated", {"id": "sku-9", "title": None}).title is None


def test_a_visitor_cannot_be_identified_as_himself() -> None:
    error = refused("user.identified", {"user_id": "alice", "anonymous_id": "alice"})
    assert error.field == "anonymous_id"


def test_true_is_no_quantity() -> None:
    error = refused("product.viewed", EXAMPLES["product.viewed"] | {"quantity": True})
    assert "field 'quantity': got true, expected a number" in str(error)


@pytest.mark.parametrize("time", ["2026-01-31", "2026-01-31T12:00:00", "now"])
def test_a_time_inside_the_data_needs_an_offset(time: str) -> None:
    data = {"user_id": "alice", "trigger": {"type": "a", "id": "b", "time": time}}
    assert refused("taste.requested", data).field == "trigger.time"


@every_type
@pytest.mark.parametrize("key", [b"somebody-else", b"\xff"])
def test_the_key_must_be_the_id_in_the_data(name: str, key: bytes) -> None:
    assert refused(name, EXAMPLES[name], key=key).field == "key"


def test_a_record_without_key_is_refused() -> None:
    headers, value = write_event(Event("1", "s", "product.removed", APPENDED, {"id": "sku-9"}))
    with pytest.raises(
        SchemaError, match="field 'key': got nothing, expected the record's key to be string 'sku-9'"
    ):
        events.read(events.PRODUCT_EVENTS, headers, value, None, APPENDED)


def test_a_key_may_be_any_utf8() -> None:
    product_id = "джинсы-👖"
    assert read("product.removed", {"id": product_id}, key=product_id.encode()).id == product_id


@given(st.integers(-(10**9), 300_000))
def test_an_event_may_be_late_and_up_to_five_minutes_early(ahead_ms: int) -> None:
    time = APPENDED + timedelta(milliseconds=ahead_ms)
    assert read("product.removed", {"id": "sku-9"}, time=time)


@given(st.integers(300_001, 10**12))
def test_an_event_further_ahead_is_refused(ahead_ms: int) -> None:
    error = refused("product.removed", {"id": "sku-9"}, time=APPENDED + timedelta(milliseconds=ahead_ms))
    assert error.field == "ce_time"
    assert "300 s" in str(error)


def test_a_type_of_another_topic_is_refused() -> None:
    headers, value = write_event(Event("1", "s", "product.viewed", APPENDED, EXAMPLES["product.viewed"]))
    with pytest.raises(SchemaError, match=r"product\.uploaded, product\.updated, product\.removed") as caught:
        events.read(events.PRODUCT_EVENTS, headers, value, b"alice", APPENDED)
    assert caught.value.field == "ce_type"


def test_times_leave_as_utc_with_milliseconds() -> None:
    answer = read("recommendations.updated", EXAMPLES["recommendations.updated"])
    assert isinstance(answer, RecommendationSet)
    assert answer.model_dump(mode="json")["generated_at"] == rfc3339(answer.generated_at)


def test_a_set_has_the_same_id_whenever_it_is_made_and_another_for_another() -> None:
    assert recommendation_id("alice", 17) == recommendation_id("alice", 17)
    ids = {recommendation_id(user, n) for user in ("alice", "alice1", "bob") for n in (1, 7, 17)}
    assert len(ids) == 9


def test_shapes_in_words() -> None:
    assert doctest.testmod(schemas.errors).failed == 0
    assert shape("x" * 41) == "string of 41 characters"
    assert shape(10**4299) == "number of 4300 digits"
    assert shape(b"secret") == "6 bytes"
    assert shape({}) == "empty object"
    assert shape(object()) == "object"


TASTE = TasteUpdated(
    user_id="alice",
    revision=3,
    trigger=Trigger(type="product.viewed", id="e-1", time=APPENDED),
    includes=["e-1", "e-0"],
    oldest_appended_at_s=1.25,
    through=Through(partition=2, offset=9),
)


@given(st.binary(max_size=50))
def test_a_packed_taste_is_unpacked(state: bytes) -> None:
    assert unpack(pack(TASTE, state)) == (TASTE, state)


@given(st.integers(0, 1000))
def test_half_a_packed_taste_is_refused(kept: int) -> None:
    whole = pack(TASTE, b"")
    with pytest.raises(SchemaError) as caught:
        unpack(whole[: kept % len(whole)])
    assert caught.value.field == "value"


@given(st.binary(max_size=60))
def test_other_bytes_are_no_taste(value: bytes) -> None:
    with pytest.raises(SchemaError):
        unpack(value)


def test_a_rule_speaks_of_something() -> None:
    error = refused("rule.set", {"id": "no-fur", "action": "block"})
    assert error.field == "data"
    assert "a product_id, a brand or a category" in str(error)


@given(st.binary(max_size=2000))
@settings(deadline=None)
def test_a_taste_is_handed_over_byte_for_byte(state: bytes) -> None:
    example = EXAMPLES["taste.handed_over"] | {"state": base64.b64encode(state).decode()}
    handed = read("taste.handed_over", example)
    assert handed.state == state
    assert read("taste.handed_over", handed.model_dump(mode="json")).state == state
