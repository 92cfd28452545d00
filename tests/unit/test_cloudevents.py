"""CloudEvents on Kafka: what is written is read, both modes say the same, the rest is a SchemaError."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.cloudevents import Event, parse_json, parse_time, read_event, rfc3339, write_event
from schemas.errors import SchemaError

APPENDED = datetime(2026, 1, 31, 12, tzinfo=UTC)
BINARY = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"e-1"),
    ("ce_source", b"shop"),
    ("ce_type", b"product.viewed"),
    ("content-type", b"application/json"),
]
STRUCTURED = {"specversion": "1.0", "id": "e-1", "source": "shop", "type": "product.viewed", "data": {"a": 1}}

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=40)
attributes = texts.filter(lambda text: bool(text.strip()))
times = st.datetimes(
    datetime(1, 1, 2),
    datetime(9999, 12, 30),
    timezones=st.just(UTC),
).map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
_RESERVED = {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"}
extension_names = st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True).filter(lambda name: name not in _RESERVED)
extensions = st.dictionaries(extension_names | st.just("traceparent"), texts, max_size=3)
cloud_events = st.builds(
    Event, attributes, attributes, attributes, times, json_values, st.none() | attributes, extensions
)


def without(name: str) -> list[tuple[str, bytes]]:
    return [header for header in BINARY if header[0] != name]


def with_header(name: str, raw: bytes | None) -> list[tuple[str, bytes | None]]:
    return [*without(name), (name, raw)]


def read_or_refused(headers: Any, value: bytes | None) -> Event | SchemaError:
    try:
        return read_event(headers, value, APPENDED)
    except SchemaError as error:
        return error


@given(cloud_events)
@settings(deadline=None)
def test_what_is_written_is_read(event: Event) -> None:
    headers, value = write_event(event)
    assert read_event(headers, value, APPENDED) == event


@given(cloud_events, st.booleans())
@settings(deadline=None)
def test_structured_mode_reads_as_binary_mode(event: Event, with_content_type: bool) -> None:
    envelope = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "time": rfc3339(event.time),
        "datacontenttype": "application/json",
        "data": event.data,
        **event.extensions,
    }
    if event.subject is not None:
        envelope["subject"] = event.subject
    content_type = ("content-type", b"application/cloudevents+json; charset=UTF-8")
    structured = read_event(
        [content_type] if with_content_type else None, json.dumps(envelope).encode(), APPENDED
    )
    assert structured == read_event(*write_event(event), APPENDED)


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (False, "false"), (7, "7"), (-(2**31), "-2147483648")]
)
def test_an_extension_that_is_no_string_reads_as_binary_mode_would_have_it(value: Any, text: str) -> None:
    raw = json.dumps({**STRUCTURED, "sampledrate": value}).encode()
    assert read_event(None, raw, APPENDED).extensions == {"sampledrate": text}


@pytest.mark.parametrize("value", [2**31, 10**4000, 1.5, ["x"], {"a": 1}, None])
def test_an_extension_of_a_type_that_cloudevents_does_not_know_is_dropped(value: Any) -> None:
    value_text = "1" + "0" * 4000 if value == 10**4000 else json.dumps(value)
    raw = json.dumps(STRUCTURED)[:-1].encode() + b', "odd": ' + value_text.encode() + b"}"
    assert read_event(None, raw, APPENDED).extensions == {}


def test_an_event_without_time_took_place_when_it_was_appended() -> None:
    assert read_event(BINARY, b"{}", APPENDED).time == APPENDED
    assert read_event(None, json.dumps(STRUCTURED).encode(), APPENDED).time == APPENDED


def test_of_a_repeated_header_the_last_counts_and_case_does_not() -> None:
    headers = [*BINARY, ("CE_ID", b"second"), ("ce_id", b"third"), ("Content-Type", b"application/json")]
    assert read_event(headers, b"{}", APPENDED).id == "third"


def test_a_foreign_header_need_not_be_text() -> None:
    assert read_event([*BINARY, ("x-blob", b"\xff\xfe"), ("x-none", None)], b"{}", APPENDED).extensions == {}


def test_trace_context_travels_in_both_modes() -> None:
    trace = ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    assert read_event([*BINARY, trace], b"{}", APPENDED).traceparent == trace[1].decode()
    structured = read_event([trace], json.dumps(STRUCTURED).encode(), APPENDED)
    assert structured.traceparent == trace[1].decode()
    assert trace in write_event(structured)[0]


def test_packed_data_is_written_as_it_is_and_not_read_as_an_event() -> None:
    headers, value = write_event(Event("1", "s", "taste.updated", APPENDED, b"\x00packed"))
    assert value == b"\x00packed"
    with pytest.raises(SchemaError) as caught:
        read_event(headers, value, APPENDED)
    assert caught.value.field == "content-type"


@pytest.mark.parametrize(
    ("headers", "value", "field"),
    [
        (None, None, "value"),
        (BINARY, None, "value"),
        (None, b"", "value"),
        (BINARY, b"", "value"),
        (BINARY, b"\xff", "value"),
        (BINARY, b'"\\ud800"', "value"),
        (BINARY, b'{"a": NaN}', "value"),
        (BINARY, b"-Infinity", "value"),
        (BINARY, b"[" * 5000 + b"]" * 5000, "value"),
        (BINARY, b"1" * 5000, "value"),
        (BINARY, b"\xef\xbb\xbf{}", "value"),
        ([], b"{}", "ce_specversion"),
        ([], b"[]", "ce_specversion"),
        ([("content-type", b"application/json")], b'{"user_id": "a"}', "ce_specversion"),
        (without("ce_id"), b"{}", "ce_id"),
        (without("ce_source"), b"{}", "ce_source"),
        (without("ce_type"), b"{}", "ce_type"),
        (with_header("ce_id", None), b"{}", "ce_id"),
        (with_header("ce_id", b"  "), b"{}", "ce_id"),
        (with_header("ce_id", b"a\x00"), b"{}", "ce_id"),
        (with_header("ce_id", b"x" * 1025), b"{}", "ce_id"),
        (with_header("ce_id", b"\xff\xfe"), b"{}", "ce_id"),
        (with_header("ce_subject", b""), b"{}", "ce_subject"),
        (with_header("ce_specversion", b"0.3"), b"{}", "ce_specversion"),
        (with_header("ce_time", b"yesterday"), b"{}", "ce_time"),
        (with_header("content-type", b"text/xml"), b"{}", "content-type"),
        (with_header("content-type", b"application/cloudevents-batch+json"), b"[]", "content-type"),
        ([("content-type", b"application/cloudevents+json")], b"[]", "value"),
        ([("content-type", b"application/cloudevents+json")], b"{}", "specversion"),
        (None, json.dumps({**STRUCTURED, "specversion": 1.0}).encode(), "specversion"),
        (None, json.dumps({**STRUCTURED, "id": 7}).encode(), "id"),
        (None, json.dumps({**STRUCTURED, "id": ["x"]}).encode(), "id"),
        (None, json.dumps({**STRUCTURED, "time": 1}).encode(), "time"),
        (None, json.dumps({**STRUCTURED, "subject": {}}).encode(), "subject"),
        (None, json.dumps({**STRUCTURED, "data_base64": "AA=="}).encode(), "data_base64"),
    ],
)
def test_what_is_no_cloudevent_is_refused_by_name(headers: Any, value: bytes | None, field: str) -> None:
    with pytest.raises(SchemaError) as caught:
        read_event(headers, value, APPENDED)
    assert caught.value.field == field
    assert f"field '{field}'" in str(caught.value)


hostile_names = st.sampled_from(
    [name for name, _ in BINARY] + ["ce_", "ce_time", "ce_subject", "CE_ID", "traceparent"]
)
hostile_texts = st.sampled_from([b"1.0", b"application/json", b"application/cloudevents+json", b"\xff", b""])
hostile_headers = st.lists(
    st.tuples(hostile_names | texts, st.none() | hostile_texts | st.binary(max_size=20)), max_size=8
)
hostile_values = st.none() | st.binary(max_size=40) | json_values.map(lambda data: json.dumps(data).encode())
hostile_envelopes = st.dictionaries(
    st.sampled_from([*STRUCTURED, "time", "subject", "traceparent", "odd"]), json_values, max_size=9
).map(lambda data: json.dumps(STRUCTURED | data).encode())


@given(hostile_headers | st.none(), hostile_values | hostile_envelopes)
@settings(max_examples=200, deadline=None)
def test_hostile_records_are_events_or_schema_errors(headers: Any, value: bytes | None) -> None:
    read = read_or_refused(headers, value)
    if isinstance(read, SchemaError):
        assert read.field
        assert read.problems[0].startswith(f"field '{read.field}': got ")
        assert len(str(read)) < 1000
    else:
        assert read.id
        assert read.time.utcoffset() == timedelta(0)
        assert all(isinstance(text, str) for text in read.extensions.values())


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T12:00:00Z", APPENDED),
        ("2026-01-31t12:00:00z", APPENDED),
        ("2026-01-31T12:00:00.000000000Z", APPENDED),
        ("2026-01-31T14:00:00+02:00", APPENDED),
        ("2026-01-31T12:00:00.25-00:00", APPENDED + timedelta(milliseconds=250)),
    ],
)
def test_rfc_3339_is_read(text: str, moment: datetime) -> None:
    assert parse_time(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1769860800",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31T12:00Z",
        "2026-01-31T12Z",
        "20260131T120000Z",
        "2026-W05-6T12:00:00Z",
        "2026-01-31T12:00:00,5Z",
        "2026-02-30T12:00:00Z",
        "2026-01-31T25:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "٢٠٢٦-01-31T12:00:00Z",
        "2026-01-31T12:00:00Z\n",
    ],
)
def test_other_times_are_not(text: str) -> None:
    with pytest.raises(SchemaError) as caught:
        parse_time(text, "trigger.time")
    assert caught.value.field == "trigger.time"


@given(times, st.integers(-14 * 60, 14 * 60))
def test_a_written_time_is_the_same_moment_in_any_zone(moment: datetime, minutes: int) -> None:
    local = moment
    if datetime(2, 1, 1, tzinfo=UTC) < moment < datetime(9998, 1, 1, tzinfo=UTC):
        local = moment.astimezone(timezone(timedelta(minutes=minutes)))
    assert parse_time(rfc3339(local)) == moment


def test_json_errors_say_where_without_repeating_the_value() -> None:
    with pytest.raises(SchemaError, match="field 'value': got 9 bytes, expected JSON in UTF-8") as caught:
        parse_json(b'{"secret"')
    assert "secret" not in str(caught.value)
