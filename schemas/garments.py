"""What the catalogue app says on `garments`: what was found in a product's photos, without embeddings."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import GarmentId, Label, Link, ProductId, Record, Text
from schemas.parts import Part
from schemas.products import Availability, Price

BoxXYXY = Annotated[list[float], Field(min_length=4, max_length=4)]


class ProductVersion(Record):
    """What a product's state is as new as: its newest event's time (unix seconds), then partition offset."""

    event_time_s: float
    offset: int


class Pose(Record):
    """How the person in a photo stands, as the gate named `gate` judged it."""

    full_shot: bool
    front_facing: bool
    gate: Text


class IndexedGarment(Record):
    """One garment of a photo; the box is in pixels of the upright source photo, x1 y1 x2 y2."""

    garment_id: GarmentId
    part: Part
    category: Text | None = None
    box_xyxy: BoxXYXY
    score: float
    image: int = 0
    pose: Pose | None = None


class GarmentsIndexed(Record):
    """A product's garments are searchable from now on."""

    product_id: ProductId
    version: ProductVersion
    title: Label | None = None
    link: Link | None = None
    image_link: Link | None = None
    price: Price | None = None
    availability: Availability = "in_stock"
    garments: list[IndexedGarment]
    detector: str
    embedder: str


class GarmentsUpdated(Record):
    """Price, stock or texts of a searchable product changed; its garments did not."""

    product_id: ProductId
    version: ProductVersion
    title: Label | None = None
    link: Link | None = None
    image_link: Link | None = None
    price: Price | None = None
    availability: Availability = "in_stock"


class GarmentsRemoved(Record):
    """A product is no longer searchable."""

    product_id: ProductId
    version: ProductVersion
    reason: Literal["removed"] = "removed"
