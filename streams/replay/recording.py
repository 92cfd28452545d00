"""A recorded shop: what update-tastes and recommend were told, and the garments they could find.

In: records and garments, or a folder that holds them. Out: the other of the two. The folder has `shop.json`
(settings and models), `log.jsonl` (a record a line, in the order of the brokers' times), `garments.jsonl` and
`embeddings.npz`, row by row the same garments. Fails with RecordingError naming the file. A recording holds
personal data as the topics do: who erases a user has to delete it.
"""

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from pydantic import TypeAdapter

from models.taste.contributions import TasteSettings
from models.taste.ranking import RankingSettings
from streams.record import Record
from vectorstore.base import GarmentPoint

_FORMAT: Final = 1
TOPICS: Final = ("garments", "rules", "interactions", "taste-requests")
"""The topics of a recording; of records with one time, those of the first topic come first."""


class RecordingError(ValueError):
    """A folder that holds no recording, or a damaged one."""


@dataclass(frozen=True, slots=True)
class Shop:
    """What a shop was run with: models, partitions, and how it made tastes and sets."""

    detector: str
    embedder: str
    partitions: int
    taste: TasteSettings
    ranking: RankingSettings


@dataclass(frozen=True)
class Recording:
    """Records in the order in which they are replayed, and every garment there was in the end."""

    shop: Shop
    records: Sequence[Record]
    garments: Sequence[GarmentPoint]


def in_order(records: Iterable[Record]) -> list[Record]:
    """Records by the brokers' time, then topic, partition and offset."""
    return sorted(records, key=lambda r: (r.appended_at_s, TOPICS.index(r.topic), r.partition, r.offset))


def save(recording: Recording, folder: Path) -> None:
    """Write a recording; what the folder holds of an older one is overwritten."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.jsonl").open("w", encoding="utf-8") as lines:
        for record in recording.records:
            lines.write(json.dumps(_record_out(record), ensure_ascii=False) + "\n")
    with (folder / "garments.jsonl").open("w", encoding="utf-8") as lines:
        for point in recording.garments:
            row = {"garment_id": point.garment_id, "product_id": point.product_id, "payload": point.payload}
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
    rows = [point.embedding for point in recording.garments]
    np.savez(folder / "embeddings.npz", embeddings=np.stack(rows) if rows else np.zeros((0, 0), np.float32))
    shop = {"format": _FORMAT} | asdict(recording.shop)
    packed = TypeAdapter(dict[str, Any], config={"ser_json_inf_nan": "constants"}).dump_json(shop, indent=2)
    (folder / "shop.json").write_bytes(packed + b"\n")


def load(folder: Path) -> Recording:
    """The recording in a folder; raises RecordingError."""
    file = folder / "shop.json"
    try:
        shop = json.loads(file.read_text(encoding="utf-8"))
        if shop.pop("format", None) != _FORMAT:
            raise ValueError(f"expected format {_FORMAT}")
        known = TypeAdapter(Shop).validate_python(shop)
        file = folder / "log.jsonl"
        records = [_record_in(row) for row in _rows(file)]
        file = folder / "embeddings.npz"
        with np.load(file, allow_pickle=False) as held:
            embeddings = held["embeddings"]
        file = folder / "garments.jsonl"
        garments = [
            GarmentPoint(row["garment_id"], row["product_id"], embedding, row["payload"])
            for row, embedding in zip(_rows(file), embeddings, strict=True)
        ]
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise RecordingError(f"{file}: {error}") from error
    return Recording(known, in_order(records), garments)


def _rows(file: Path) -> list[Any]:
    with file.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _record_out(record: Record) -> dict[str, Any]:
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "appended_at_s": record.appended_at_s,
        "key": _out(record.key),
        "value": _out(record.value),
        "headers": [[name, _out(raw)] for name, raw in record.headers],
    }


def _record_in(row: dict[str, Any]) -> Record:
    headers = tuple((str(name), _in(raw) or b"") for name, raw in row["headers"])
    place = str(row["topic"]), int(row["partition"]), int(row["offset"])
    if place[0] not in TOPICS:
        raise ValueError(f"topic {place[0]!r}, expected one of {', '.join(TOPICS)}")
    return Record(*place, _in(row["key"]), _in(row["value"]), headers, float(row["appended_at_s"]))


def _out(raw: bytes | None) -> Any:
    """Text where it is UTF-8, else {"base64": …}."""
    if raw is None:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}


def _in(said: Any) -> bytes | None:
    if said is None or isinstance(said, str):
        return None if said is None else said.encode()
    return base64.b64decode(said["base64"], validate=True)
