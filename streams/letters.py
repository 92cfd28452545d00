"""Dead letters read back: the records that they were, and what to show of them. Pure.

In: records of `dead-letters`. Out: origins, byte for byte, and summaries that are safe to print. Fails with
NotReplayable where a letter cannot go back to where it came from.
"""

from dataclasses import dataclass
from typing import Any, Final

from schemas.cloudevents import rfc3339
from streams.agents.wait_for_garments import KEY_HEADER
from streams.dead_letters import PREFIX, reason
from streams.record import Header, Record
from streams.topology import AGENTS

REPLAYABLE: Final = frozenset(
    topic for agent in AGENTS if "dead-letters" in agent.writes for topic in agent.reads
)
"""Topics that dead letters come from."""
PREVIEW_CHARS: Final = 200


class NotReplayable(ValueError):  # noqa: N818 (reads as the state it reports)
    """A dead letter cannot go back to where it came from; the message says why."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The record that a dead letter was; `offset` is the one it had on `partition` of `topic`."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]


def origin(letter: Record) -> Origin:
    """What a letter was, byte for byte; raises NotReplayable."""
    told = reason(letter.headers)
    topic = told.get("topic", "")
    if topic not in REPLAYABLE:
        expected = ", ".join(sorted(REPLAYABLE))
        raise NotReplayable(f"{place(letter)}: it came from topic {topic!r:.80}, expected one of {expected}")
    if "omitted.bytes" in told:
        raise NotReplayable(f"{place(letter)}: it was too large to be kept; its source has to send it again")
    try:
        partition, offset = int(told["partition"]), int(told["offset"])
    except (KeyError, ValueError):
        raise NotReplayable(f"{place(letter)}: it does not say at which place of {topic!r} it was") from None
    headers = tuple(header for header in letter.headers if not header[0].startswith(PREFIX))
    # An interaction that waited too long was told about as it was before it waited: keyed by its user.
    if topic == "waiting" and KEY_HEADER not in {name for name, _ in headers}:
        topic = "interactions"
    return Origin(topic, partition, offset, letter.key, letter.value, headers)


def summary(letter: Record) -> dict[str, Any]:
    """What to show of a letter; nothing in it can move a terminal's cursor or turn the text round."""
    told = reason(letter.headers)
    value = letter.value or b""
    try:
        origin(letter)
        replayable = True
    except NotReplayable:
        replayable = False
    return {
        "partition": letter.partition,
        "offset": letter.offset,
        "time": rfc3339(letter.appended_at),
        "key": None if letter.key is None else shown(letter.key),
        "topic": shown(told.get("topic", "")),
        "stage": shown(told.get("stage", "")),
        "exception": shown(told.get("exception.class.name", "")),
        "message": shown(told.get("exception.message", "")),
        "size": len(value),
        "preview": shown(value[: 4 * PREVIEW_CHARS])[:PREVIEW_CHARS],
        "replayable": replayable,
    }


def shown(said: bytes | str) -> str:
    """Text whose control and format characters, and bytes that are no UTF-8, are escaped."""
    text = said.decode("utf-8", "backslashreplace") if isinstance(said, bytes) else said
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def place(letter: Record) -> str:
    """Where a letter lies, in words."""
    return f"dead letter {letter.partition}/{letter.offset}"
