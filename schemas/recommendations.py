"""Recommendation sets as frontends receive them on `recommendations`, and what travels before them."""

from typing import Annotated, Literal
from uuid import UUID, uuid5

from pydantic import AwareDatetime, Field, PlainSerializer, model_validator

from schemas.base import GarmentId, Label, Link, OpaqueId, ProductId, Record, Text, UserId
from schemas.cloudevents import rfc3339
from schemas.garments import BoxXYXY
from schemas.parts import Part
from schemas.products import Price

Time = Annotated[AwareDatetime, PlainSerializer(rfc3339, return_type=str, when_used="json")]
Strategy = Literal["taste", "taste+trending", "trending"]
Slot = Literal["taste", "trending", "fresh", "pinned"]

_SETS = UUID("4f0c3bb4-9d0e-5a57-9f6c-0d6c2f0a7a11")


def recommendation_id(user_id: str, revision: int) -> str:
    """UUIDv5 of user and revision: the same set always has the same id."""
    return str(uuid5(_SETS, f"{user_id}\x00{revision}"))


class Trigger(Record):
    """The newest event that a set answers."""

    type: str
    id: Annotated[str, Field(max_length=1024)]
    time: Time


class Through(Record):
    """How far into its input partition a set has read."""

    partition: int
    offset: int


class ModelNames(Record):
    """Which detector and embedder made the embeddings."""

    detector: str
    embedder: str


class Because(Record):
    """The contribution with the largest share in an item's score, and that share (0..1)."""

    product_id: ProductId
    garment_id: GarmentId
    action: str
    share: Annotated[float, Field(ge=0, le=1)]


class RecommendedItem(Record):
    """One recommended product and the garment it is there for."""

    rank: Annotated[int, Field(ge=1)]
    product_id: ProductId
    garment_id: GarmentId
    part: Part
    category: Text | None = None
    score: float
    slot: Slot
    box_xyxy: BoxXYXY
    title: Label | None = None
    link: Link | None = None
    image_link: Link | None = None
    price: Price | None = None
    because: Because | None = None


class RecommendationSet(Record):
    """A shopper's set. `revision` only grows per user; readers drop what is not newer."""

    user_id: UserId
    recommendation_id: str
    revision: Annotated[int, Field(ge=1)]
    generated_at: Time
    strategy: Strategy
    trigger: Trigger
    includes: list[str]
    through: Through
    latency_ms: float
    model: ModelNames
    items: list[RecommendedItem]


class ShopperErased(Record):
    """Confirms an erasure; a tombstone follows."""

    user_id: UserId


class RuleSet(Record):
    """A merchant's rule: pin, boost or block products, brands or categories."""

    id: OpaqueId
    action: Literal["pin", "boost", "block"]
    product_id: ProductId | None = None
    brand: Label | None = None
    category: Text | None = None
    factor: Annotated[float, Field(gt=0, le=100)] = 1.0
    position: Annotated[int, Field(ge=1, le=1000)] | None = None

    @model_validator(mode="after")
    def _names_something(self) -> "RuleSet":
        if self.product_id is None and self.brand is None and self.category is None:
            raise ValueError("a product_id, a brand or a category that the rule speaks of")
        return self
