"""A product's state as a function of its events: versions, late events, tombstones. Pure.

In: typed product events with their version. Out: the next `ProductRecord` and what is to be done about it.
Each field carries the version that last set it, so a late event changes what nothing newer has set and
nothing else (a last-writer-wins map: the order of arrival does not matter). An upload sets every field, also
to nothing; a removal leaves a tombstone that only a newer upload takes away.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, NamedTuple

from schemas.products import PRODUCT_FIELDS, ProductRemoved, ProductUpdated, ProductUploaded

_FORMAT: Final = 1
IMAGE_FIELDS: Final = ("image_link", "additional_image_link")


class Version(NamedTuple):
    """When a product event happened (unix seconds) and its offset in its partition; the newer is greater."""

    event_time_s: float
    offset: int


NEVER: Final = Version(float("-inf"), -1)


class Effect(StrEnum):
    """What the index has to do after an event."""

    INDEX = "index"  # new photo: embed and replace all garments
    UPDATE = "update"  # same garments, other price, stock or texts
    REMOVE = "remove"  # take the garments away
    REPEAT = "repeat"  # applied before: say again what was said then
    NOTHING = "nothing"  # late, and all it says has been overtaken


@dataclass(frozen=True, slots=True)
class ProductRecord:
    """What is known of one product.

    Attributes:
        uploaded: version of the newest upload, NEVER before the first.
        removed: version of the newest removal.
        fields: name → (value, version that set it, no older than `uploaded`); None where it was cleared.
        newest: the greatest version of any event applied.
    """

    uploaded: Version = NEVER
    removed: Version = NEVER
    newest: Version = NEVER
    fields: Mapping[str, tuple[Any, Version]] = field(default_factory=dict)

    @property
    def visible(self) -> bool:
        """Whether the product is in the catalogue: uploaded, and not removed since."""
        return self.uploaded > self.removed

    def value(self, name: str) -> Any:
        """The current value of a field, None where it has none."""
        return self.fields.get(name, (None, NEVER))[0]

    def values(self) -> dict[str, Any]:
        """All current values that are not None."""
        return {name: value for name in PRODUCT_FIELDS if (value := self.value(name)) is not None}

    def with_value(self, name: str, value: Any) -> "ProductRecord":
        """The same record with another value of a field it has, under the same version."""
        return replace(self, fields={**self.fields, name: (value, self.fields[name][1])})


def apply(
    record: ProductRecord, event: ProductUploaded | ProductUpdated | ProductRemoved, version: Version
) -> tuple[ProductRecord, Effect]:
    """The record after `event`, and what the index has to do.

    Applying an event twice changes nothing; applying events in any order gives the same record.
    """
    after = _merged(record, event, version)
    if after == record:
        return record, Effect.REPEAT if version in _versions(record) else Effect.NOTHING
    if not after.visible:
        return after, Effect.REMOVE if record.visible else Effect.NOTHING
    if not record.visible or after.uploaded > record.uploaded:
        return after, Effect.INDEX
    before_images = [record.value(name) for name in IMAGE_FIELDS]
    if before_images != [after.value(name) for name in IMAGE_FIELDS]:
        return after, Effect.INDEX
    return after, Effect.UPDATE if after.values() != record.values() else Effect.NOTHING


def _versions(record: ProductRecord) -> set[Version]:
    """The versions of all events that still tell in the record."""
    set_by = (version for _, version in record.fields.values())
    return {record.uploaded, record.removed, record.newest, *set_by}


def _merged(
    record: ProductRecord, event: ProductUploaded | ProductUpdated | ProductRemoved, version: Version
) -> ProductRecord:
    newest = max(record.newest, version)
    if isinstance(event, ProductRemoved):
        return replace(record, removed=max(record.removed, version), newest=newest)
    data = event.model_dump(mode="json", exclude_unset=True, exclude={"id"})
    fields = dict(record.fields)
    for name, value in data.items():
        if version > fields.get(name, (None, NEVER))[1]:
            fields[name] = (value, version)
    uploaded = record.uploaded
    if isinstance(event, ProductUploaded):
        uploaded = max(uploaded, version)
    # Also after an update: one that comes later than the upload that overtook it leaves no trace either.
    fields = {name: held for name, held in fields.items() if held[1] >= uploaded}
    return replace(record, uploaded=uploaded, newest=newest, fields=fields)


def pack(record: ProductRecord) -> bytes:
    """The record as JSON bytes."""
    fields = {name: [value, *version] for name, (value, version) in record.fields.items()}
    times = {
        name: list(version)
        for name in ("uploaded", "removed", "newest")
        if (version := getattr(record, name)) != NEVER
    }
    return json.dumps({"format": _FORMAT, **times, "fields": fields}, separators=(",", ":")).encode()


def unpack(data: bytes | None) -> ProductRecord:
    """The record in `data`; None is an unknown product's. Raises ValueError on another format."""
    if data is None:
        return ProductRecord()
    parsed = json.loads(data)
    if parsed.get("format") != _FORMAT:
        raise ValueError(f"product record of format {parsed.get('format')!r}, expected {_FORMAT}")
    versions = {name: Version(*parsed[name]) for name in ("uploaded", "removed", "newest") if name in parsed}
    fields = {
        name: (value, Version(time_s, offset)) for name, (value, time_s, offset) in parsed["fields"].items()
    }
    return ProductRecord(fields=fields, **versions)
