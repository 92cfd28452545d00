"""Dead letters read back: what they were, byte for byte, and nothing in them that a terminal would obey."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import SchemaError
from streams.commands.dead_letters import as_data, as_text
from streams.dead_letters import MAX_BYTES, PREFIX, dead_letter
from streams.letters import REPLAYABLE, NotReplayable, origin, shown, summary
from streams.record import Header, Record

ERROR = SchemaError("price.value", "number -1", "0 or more", where="product.uploaded")
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(
    lambda name: not name.startswith(PREFIX)
)
headers = st.lists(st.tuples(names, st.binary(max_size=12)), max_size=5)


def record(
    value: bytes | None = b"{}",
    of: tuple[Header, ...] = (),
    topic: str = "product-events",
    key: bytes | None = b"sku-9",
) -> Record:
    return Record(topic, 3, 4711, key, value, of, 1.7e9)


def buried(was: Record, offset: int = 17) -> Record:
    """The record as it lies on `dead-letters`."""
    value, of = dead_letter(was, "read", ERROR)
    return Record("dead-letters", 1, offset, was.key, value, tuple(of), 1.7e9 + 1)


@given(
    st.none() | st.binary(max_size=50),
    headers,
    st.none() | st.binary(max_size=20),
    st.sampled_from(sorted(REPLAYABLE - {"waiting"})),
)
def test_a_letter_goes_back_as_it_was(
    value: bytes | None, of: list[Header], key: bytes | None, topic: str
) -> None:
    was = record(value, tuple(of), topic, key)
    back = origin(buried(was))
    assert (back.topic, back.partition, back.offset) == (topic, 3, 4711)
    assert (back.key, back.value, back.headers) == (key, value, tuple(of))


def test_a_letter_that_died_twice_goes_where_it_died_last() -> None:
    again = origin(buried(record(of=(("ce_id", b"1"), *dead_letter(record(), "read", ERROR)[1]))))
    assert again.headers == (("ce_id", b"1"),)


def test_what_waited_too_long_is_an_interaction_again() -> None:
    of = (("ce_type", b"product.viewed"),)
    assert origin(buried(record(of=of, topic="waiting", key=b"alice"))).topic == "interactions"
    still = record(of=(*of, ("lookstream-key", b"alice")), topic="waiting")
    assert origin(buried(still)).topic == "waiting"
    assert origin(buried(still)).headers == still.headers


@pytest.mark.parametrize("topic", ["recommendations", "dead-letters", "somebody-elses", ""])
def test_letters_of_other_topics_stay(topic: str) -> None:
    letter = buried(record(topic=topic))
    with pytest.raises(NotReplayable, match=r"dead letter 1/17: it came from topic .*, expected one of"):
        origin(letter)
    assert summary(letter)["replayable"] is False


def test_a_letter_without_its_value_stays() -> None:
    letter = buried(record(b"v" * (MAX_BYTES + 1)))
    with pytest.raises(NotReplayable, match="too large to be kept; its source has to send it again"):
        origin(letter)


@pytest.mark.parametrize("missing", ["partition", "offset"])
def test_a_letter_that_does_not_say_where_it_was_stays(missing: str) -> None:
    letter = buried(record())
    kept = tuple(header for header in letter.headers if header[0] != PREFIX + missing)
    with pytest.raises(NotReplayable, match="does not say at which place of 'product-events'"):
        origin(Record("dead-letters", 1, 17, letter.key, letter.value, kept, letter.appended_at_s))


def test_a_summary_says_what_an_operator_needs() -> None:
    assert summary(buried(record(b'{"id": "sku-9"}'))) == {
        "partition": 1,
        "offset": 17,
        "time": "2023-11-14T22:13:21.000Z",
        "key": "sku-9",
        "topic": "product-events",
        "stage": "read",
        "exception": "schemas.errors.SchemaError",
        "message": "product.uploaded: field 'price.value': got number -1, expected 0 or more",
        "size": 15,
        "preview": '{"id": "sku-9"}',
        "replayable": True,
    }
    assert summary(buried(record(None, key=None)))["key"] is None


HOSTILE = b"\x1b]0;owned\x07\x1b[2J\r\n\xe2\x80\xaegnp.\xff\x00\xc2\x9b31m"


def test_nothing_in_a_letter_reaches_the_terminal() -> None:
    assert shown(HOSTILE) == r"\x1b]0;owned\x07\x1b[2J\r\n\u202egnp.\\xff\x00\x9b31m".replace(r"\\", "\\")
    letter = buried(record(HOSTILE, ((HOSTILE.decode(errors="ignore"), HOSTILE),), key=HOSTILE))
    for text in [*map(str, summary(letter).values()), *as_text(letter).split("\n")]:
        assert text.isprintable(), text


@given(st.binary(max_size=300))
def test_any_bytes_can_be_shown(raw: bytes) -> None:
    assert shown(raw).isprintable()
    assert len(summary(buried(record(raw)))["preview"]) <= 200


@given(st.text(st.characters(exclude_categories=["C", "Z"])))
def test_ordinary_text_is_shown_as_it_is(text: str) -> None:
    assert shown(text.encode()) == text


def test_a_letter_as_data_keeps_every_byte() -> None:
    data = json.loads(json.dumps(as_data(buried(record(b"\xff\x00", (("x", "ü".encode()),))))))
    assert data["value"] == {"base64": "/wA="}
    assert data["headers"][0] == ["x", "ü"]
    assert (data["key"], data["stage"]) == ("sku-9", "read")
