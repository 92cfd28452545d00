"""JSON Lines: one JSON object a line, read one at a time.

In: a file. Out: its objects, each with its place and its bytes. A line that is not an object, or too long, is
a FeedError, and the next line is read all the same.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from schemas.cloudevents import parse_json
from schemas.errors import SchemaError, shape
from streams.feeds.items import FeedError

SUFFIXES: Final = (".jsonl", ".ndjson")
MAX_LINE_BYTES: Final = 32_000_000  # the largest event, with room for escapes
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def read_objects(path: Path) -> Iterator[tuple[str, bytes, dict[str, Any] | FeedError]]:
    """(place, the line, the object in it or what is wrong) of each line that is not blank."""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            place = f"{path}:{number}"
            if len(line) > MAX_LINE_BYTES:
                while not line.endswith(b"\n") and (line := file.readline(MAX_LINE_BYTES)):
                    pass
                yield place, b"", FeedError(place, f"a line of more than {MAX_LINE_BYTES:,} bytes")
                continue
            line = line.removeprefix(_BYTE_ORDER_MARK).strip()
            if line:
                yield place, line, _object(place, line)


def _object(place: str, line: bytes) -> dict[str, Any] | FeedError:
    try:
        parsed = parse_json(line, "line")
    except SchemaError as error:
        return FeedError(place, str(error))
    if not isinstance(parsed, dict):
        return FeedError(place, f"got {shape(parsed)}, expected a JSON object")
    return parsed
