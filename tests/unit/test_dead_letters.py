"""Dead letters keep what came and say why it died."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import SchemaError
from streams.dead_letters import MAX_BYTES, PREFIX, dead_letter, reason
from streams.record import Header, Record

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(
    lambda name: not name.startswith(PREFIX)
)
headers = st.lists(st.tuples(names, st.binary(max_size=12)), max_size=5)
ERROR = SchemaError("price.value", "number -1", "0 or more", where="product.uploaded")


def record(value: bytes | None = b"{}", of: tuple[Header, ...] = ()) -> Record:
    return Record("product-events", 3, 4711, b"sku-9", value, of, 1.7e9)


@given(st.none() | st.binary(max_size=50), headers)
def test_value_and_headers_are_kept_byte_for_byte_and_in_order(value: bytes | None, of: list[Header]) -> None:
    kept_value, kept = dead_letter(record(value, tuple(of)), "read", ERROR)
    assert kept_value == value
    assert kept[: len(of)] == of
    assert all(name.startswith(PREFIX) for name, _ in kept[len(of) :])


def test_the_reason_is_told_in_kafka_connects_headers() -> None:
    assert reason(dead_letter(record(), "decode", ERROR)[1]) == {
        "topic": "product-events",
        "partition": "3",
        "offset": "4711",
        "stage": "decode",
        "exception.class.name": "schemas.errors.SchemaError",
        "exception.message": "product.uploaded: field 'price.value': got number -1, expected 0 or more",
    }


def test_a_dead_letter_that_dies_again_has_one_reason() -> None:
    first = dead_letter(record(of=(("ce_id", b"1"),)), "read", ValueError("first"))[1]
    again = dead_letter(record(of=tuple(first)), "embed", KeyError("second"))[1]
    assert len(again) == len(first)
    assert reason(again)["stage"] == "embed"
    assert reason(again)["exception.class.name"] == "builtins.KeyError"
    assert again[0] == ("ce_id", b"1")


@given(st.text(max_size=50))
@settings(deadline=None)
def test_any_message_can_be_written(message: str) -> None:
    told = reason(dead_letter(record(), "read", ValueError(message))[1])
    assert told["exception.message"] == message.encode("utf-8", "replace").decode()


def test_a_long_message_is_cut() -> None:
    assert len(reason(dead_letter(record(), "read", ValueError("x" * 10**6))[1])["exception.message"]) == 2000


@pytest.mark.parametrize(
    ("value_bytes", "header_bytes", "keeps_value", "keeps_headers"),
    [
        (24_000_000, 10_000, True, True),
        (MAX_BYTES + 1, 10, False, True),
        (10, MAX_BYTES, False, False),
        (MAX_BYTES // 2, MAX_BYTES // 2 + 1000, False, True),
    ],
)
def test_what_the_topic_cannot_take_goes_without(
    value_bytes: int, header_bytes: int, keeps_value: bool, keeps_headers: bool
) -> None:
    large = record(b"v" * value_bytes, (("x", b"h" * header_bytes),))
    value, kept = dead_letter(large, "read", ERROR)
    assert (value == large.value) == keeps_value
    assert (kept[0] == large.headers[0]) == keeps_headers
    assert len(value or b"") + sum(len(raw) for _, raw in kept) < 25_000_000
    told = reason(kept)
    assert ("omitted.bytes" in told) == (not (keeps_value and keeps_headers))
    if not keeps_value:
        assert value is None
        missing = value_bytes + (0 if keeps_headers else header_bytes)
        assert missing <= int(told["omitted.bytes"]) <= missing + 100
