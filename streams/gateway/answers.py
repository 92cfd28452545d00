"""The shapes of the gateway's answers, for its OpenAPI document and for tests.

In: nothing. Out: pydantic models; answers are written without them, and tests read answers with them.
"""

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from schemas.parts import Part
from schemas.products import Availability, Price
from schemas.recommendations import ModelNames, Slot, Strategy, Through, Trigger
from streams.gateway.problems import MEDIA_TYPE

Box = tuple[float, float, float, float]


class Answer(BaseModel):
    """What all answers share: no field that is not declared."""

    model_config = ConfigDict(extra="forbid")


class ProblemDetails(BaseModel):
    """RFC 9457: why a request was refused."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None
    got: str | None = None
    expected: str | None = None
    entry: int | None = None


class PhotoSize(Answer):
    """Of an upright photo, in pixels."""

    width: int
    height: int


class ProductGarment(Answer):
    """A garment in a product's first photo; the box is in pixels of it, x1 y1 x2 y2."""

    garment_id: str
    part: Part
    category: str | None
    box_xyxy: Box
    score: float


class Product(Answer):
    """A product of the catalogue; `image` is where its first photo is."""

    product_id: str
    title: str | None
    link: str | None
    image: str | None
    price: Price | None
    availability: Availability
    brand: str | None
    item_group_id: str | None
    garments: list[ProductGarment]
    photo: PhotoSize | None


class Products(Answer):
    """A page of the catalogue; `cursor` asks for the next, null on the last."""

    products: list[Product]
    cursor: str | None


class SimilarTo(Answer):
    """The garment that an item is similar to; `product_id` is null for one of a photo."""

    product_id: str | None
    garment_id: str
    share: float
    action: Literal["look"] | None = None
    box_xyxy: Box | None = None


class SimilarItem(Answer):
    """A product and the garment of it that is similar; the score is the cosine."""

    rank: int
    product_id: str
    garment_id: str
    part: Part
    category: str | None
    score: float
    box_xyxy: Box
    title: str | None
    link: str | None
    image_link: str | None
    image: str | None
    photo: PhotoSize | None
    price: Price | None
    because: SimilarTo


class SimilarGarments(Answer):
    """A garment of a product, and what is similar to it."""

    garment_id: str
    part: Part
    category: str | None
    box_xyxy: Box
    similar: list[SimilarItem]


class SimilarProducts(Answer):
    """Similar products for each garment of a product."""

    product_id: str
    garments: list[SimilarGarments]


class LookedGarment(SimilarGarments):
    """A garment found in a photo, how surely, and what is similar to it."""

    score: float


class LookMs(Answer):
    """Milliseconds that a look took."""

    decode: float
    vision: float
    query: float


class Looked(Answer):
    """What a photo shows."""

    photo: PhotoSize
    model: ModelNames
    ms: LookMs
    garments: list[LookedGarment]


class Pictured(Answer):
    """Where a garment of a product can be seen; null where that is not known any more."""

    product_id: str
    garment_id: str
    image: str | None
    photo: PhotoSize | None
    title: str | None
    box_xyxy: Box | None


class Reason(Pictured):
    """Why an item is there: what the shopper did, and its share of the item's score."""

    action: str
    share: float


class ShownItem(Answer):
    """A recommended product."""

    rank: int
    product_id: str
    garment_id: str
    part: Part
    category: str | None
    score: float
    slot: Slot
    box_xyxy: Box
    title: str | None
    link: str | None
    image_link: str | None
    image: str | None
    photo: PhotoSize | None
    price: Price | None
    because: Reason | None


class ShownSet(Answer):
    """A shopper's set without what cannot be had any more."""

    user_id: str
    recommendation_id: str
    revision: int
    generated_at: str
    strategy: Strategy
    trigger: Trigger
    includes: list[str]
    through: Through
    latency_ms: float
    model: ModelNames
    items: list[ShownItem]


class Exemplar(Pictured):
    """Something that an interest is known by, and its weight in it."""

    action: str
    weight: float


class Interest(Answer):
    """A cluster of what a shopper likes; `share` is of the weight of all."""

    part: Part
    weight: float
    share: float
    exemplars: list[Exemplar]


class Interests(Answer):
    """What a shopper seems to like, strongest first."""

    user_id: str
    revision: int
    embedder: str
    contributions: int
    interests: list[Interest]


class AcceptedEvent(Answer):
    """Where an event lies in Kafka."""

    id: str
    topic: str
    partition: int
    offset: int


class AcceptedEvents(Answer):
    """Every event that was posted, acknowledged by all in-sync replicas."""

    accepted: list[AcceptedEvent]


class DemoToken(Answer):
    """An access token, given to whoever asks; `expires_at` is RFC 3339."""

    token: str
    user_id: str | None
    expires_at: str


class DemoShopper(BaseModel):
    """A shopper of the demo."""

    user_id: str
    name: str
    likes: str | None = None


class Demo(Answer):
    """That this is a demo, and who shops in it."""

    demo: Literal[True]
    shoppers: list[DemoShopper]


_CONTENT: Final = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {"model": ProblemDetails, "description": "Refused; the problem says why.", "content": _CONTENT},
    "5XX": {"model": ProblemDetails, "description": "Not possible now; try again.", "content": _CONTENT},
}
PHOTO_BODY: Final = {
    "required": True,
    "content": {
        kind: {"schema": {"type": "string", "format": "binary"}}
        for kind in ("image/jpeg", "image/png", "image/webp")
    },
}
