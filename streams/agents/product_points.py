"""What a product's record becomes: points and payload in the index, events on `garments`. Pure.

In: a `ProductRecord` and the garments seen in its photos. Out: `GarmentPoint`s, payload changes, CloudEvents.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from models.catalogue import Effect, ProductRecord
from models.taste.exclusions import product_key
from models.taste.shopper import key_of
from models.vision import Garment, garment_id
from schemas.base import Record as Schema
from schemas.cloudevents import Event
from schemas.garments import GarmentsIndexed, GarmentsRemoved, GarmentsUpdated, IndexedGarment, ProductVersion
from vectorstore.base import GarmentPoint

SOURCE: Final = "lookstream/index-garments"
_MAX_ID_CHARS: Final = 1024
_COPIED: Final = ("title", "link", "price", "brand", "color", "gender", "age_group", "item_group_id")


def product_payload(record: ProductRecord) -> dict[str, Any]:
    """The part of the payload that all garments of a product share; None where nothing is known."""
    group = record.value("item_group_id")
    availability = record.value("availability") or "in_stock"
    return {
        **{name: record.value(name) for name in _COPIED},
        "product_category": record.value("category"),
        "product_image": record.value("image_link"),
        "availability": availability,
        "in_stock": int(availability == "in_stock"),
        "group_key": key_of("group", group) if group else None,
    }


def points(
    product_id: str, record: ProductRecord, found: Sequence[tuple[int, list[Garment]]], indexed_at_s: float
) -> list[GarmentPoint]:
    """One point per garment of each (image ordinal, garments)."""
    links = [record.value("image_link"), *(record.value("additional_image_link") or ())]
    shared = {name: value for name, value in product_payload(record).items() if value is not None}
    return [
        GarmentPoint(
            garment_id(product_id, image, box),
            product_id,
            garment.embedding,
            shared
            | {
                "product_key": product_key(product_id),
                "indexed_at": indexed_at_s,
                "image": image,
                "image_link": links[min(image, len(links) - 1)],
                "part": garment.part,
                "category": garment.category,
                "box_xyxy": [round(float(side), 1) for side in garment.box_xyxy],
                "score": round(float(garment.score), 4),
            }
            | ({} if garment.pose is None else {"pose": asdict(garment.pose)}),
        )
        for image, garments in found
        for box, garment in enumerate(garments)
    ]


def as_event(
    product_id: str,
    record: ProductRecord,
    effect: Effect,
    found: Sequence[GarmentPoint] | None,
    detector: str,
    embedder: str,
    cause: Event,
) -> Event | None:
    """What to say on `garments` after an effect, None for nothing.

    Its id follows from the cause's, so that saying it twice is one event to its readers.
    """
    if effect is Effect.NOTHING:
        return None
    version = ProductVersion(event_time_s=record.newest.event_time_s, offset=record.newest.offset)
    kind, data = _data(product_id, record, effect, found, detector, embedder, version)
    return Event(
        id=_event_id(kind, cause),
        source=SOURCE,
        type=kind,
        time=cause.time,
        subject=product_id,
        data=data.model_dump(mode="json", exclude_none=True),
        extensions={"traceparent": cause.traceparent} if cause.traceparent else {},
    )


def _event_id(kind: str, cause: Event) -> str:
    text = f"{kind}:{cause.source}:{cause.id}"
    return text if len(text) <= _MAX_ID_CHARS else f"{kind}:{key_of(cause.source, cause.id):016x}"


def _data(
    product_id: str,
    record: ProductRecord,
    effect: Effect,
    found: Sequence[GarmentPoint] | None,
    detector: str,
    embedder: str,
    version: ProductVersion,
) -> tuple[str, Schema]:
    if not record.visible:
        return "garments.removed", GarmentsRemoved(product_id=product_id, version=version)
    texts = {name: record.value(name) for name in ("title", "link", "image_link", "price")}
    texts["availability"] = record.value("availability") or "in_stock"
    if effect is Effect.UPDATE:
        return "garments.updated", GarmentsUpdated(product_id=product_id, version=version, **texts)
    seen = ("part", "category", "box_xyxy", "score", "image", "pose")
    garments = [
        IndexedGarment.model_validate(
            {"garment_id": point.garment_id} | {name: point.payload.get(name) for name in seen}
        )
        for point in found or ()
    ]
    return "garments.indexed", GarmentsIndexed(
        product_id=product_id,
        version=version,
        garments=garments,
        detector=detector,
        embedder=embedder,
        **texts,
    )
