"""`lookstream dead-letters`: what could not be processed, why, and back with it to where it came from.

In: settings and places on `dead-letters`. Out: lines for people or JSON; nothing in a letter can do anything
to the terminal. Exit codes: 0 done, 1 a letter was not there, could not go back or was not acknowledged.
Fails with KafkaUnreachable and TopicMissing.
"""

import base64
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from tqdm import tqdm

from streams.kafka.deliveries import Delivery, DeliveryError
from streams.letter_box import LetterBox, LetterMissing
from streams.letters import NotReplayable, place, shown, summary
from streams.record import Record
from streams.settings import Settings

_ACKNOWLEDGED_WITHIN_S = 60.0


def list_letters(settings: Settings, *, limit: int, as_json: bool) -> int:
    """Print the `limit` newest dead letters, the newest first; returns 0."""
    with LetterBox(settings) as box:
        found = box.newest(limit)
    if as_json:
        print(json.dumps({"dead_letters": found}))
    else:
        print("\n".join(map(_line, found)) or "no dead letters")
    return 0


def show_letter(settings: Settings, partition: int, offset: int, *, as_json: bool) -> int:
    """Print one dead letter whole; returns 0, or 1 where there is none."""
    try:
        with LetterBox(settings) as box:
            letter = box.get(partition, offset)
    except LetterMissing as error:
        print(f"lookstream: {error}", file=sys.stderr)
        return 1
    print(json.dumps(as_data(letter)) if as_json else as_text(letter))
    return 0


def replay_letters(settings: Settings, places: Sequence[tuple[int, int]] | None, *, as_json: bool) -> int:
    """Send the letters at `places` back (None: all), and wait for the acknowledgements; an exit code."""
    accepted: list[dict[str, Any]] = []
    failed: list[str] = []
    with LetterBox(settings) as box:
        sent = _sent(box, places, failed)
        for delivery in sent:
            try:
                position = delivery.result(_ACKNOWLEDGED_WITHIN_S)
                accepted.append({"id": delivery.event_id, **position._asdict()})
            except (DeliveryError, TimeoutError) as error:
                failed.append(str(error))
    for reason in failed:
        print(f"failed: {shown(reason)}", file=sys.stderr)
    if as_json:
        print(json.dumps({"accepted": accepted, "failed": [shown(reason) for reason in failed]}))
    else:
        print(f"{len(accepted)} dead letters replayed" + (f", {len(failed)} failed" if failed else ""))
    return 1 if failed else 0


def _sent(box: LetterBox, places: Sequence[tuple[int, int]] | None, failed: list[str]) -> list[Delivery]:
    """Letters on their way; why others are not is added to `failed`."""
    deliveries = []
    letters: Iterable[Record | LetterMissing]
    if places is None:
        letters = tqdm(
            box.everything(),
            total=sum(end - first for first, end in box.spans().values()),
            desc="dead-letters",
            unit=" letters",
            disable=None,
        )
    else:
        letters = (_got(box, *where) for where in places)
    for letter in letters:
        if isinstance(letter, LetterMissing):
            failed.append(str(letter))
            continue
        try:
            deliveries.append(box.send_back(letter))
        except NotReplayable as error:
            failed.append(str(error))
    return deliveries


def _got(box: LetterBox, partition: int, offset: int) -> Record | LetterMissing:
    try:
        return box.get(partition, offset)
    except LetterMissing as error:
        return error


def as_data(letter: Record) -> dict[str, Any]:
    """A letter whole: text where it is UTF-8, else {"base64": …}."""
    said = {name: value for name, value in summary(letter).items() if name not in ("preview", "key")}
    headers = [[name, _out(raw)] for name, raw in letter.headers]
    return {**said, "key": _out(letter.key), "headers": headers, "value": _out(letter.value)}


def as_text(letter: Record) -> str:
    """A letter whole, in lines."""
    said = summary(letter)
    head = [
        f"{name:10} {said[name]}"
        for name in ("time", "key", "topic", "stage", "exception", "message", "size")
    ]
    headers = [f"  {shown(name)}: {shown(raw)}" for name, raw in letter.headers]
    value = "nothing" if letter.value is None else shown(letter.value)
    return "\n".join([place(letter), *head, "headers", *headers, "value", f"  {value}"])


def _line(said: dict[str, Any]) -> str:
    where = f"{said['partition']}/{said['offset']}"
    key = "-" if said["key"] is None else said["key"]
    return f"{where:>8}  {said['time']}  {said['topic']}  {key}  {said['stage']}: {said['message']:.160}"


def _out(raw: bytes | None) -> Any:
    if raw is None:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}
