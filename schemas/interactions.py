"""Interactions: what shoppers do, on `interactions` keyed by user id.

In: the data of the twelve interaction types. Out: frozen records; invalid data raises ValidationError,
which `schemas.events.read` turns into a SchemaError.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from schemas.base import GarmentId, OpaqueId, ProductId, Record, UserId, no_truth
from schemas.products import AgeGroup, Gender

ProductAction = Literal[
    "product.viewed",
    "product.clicked",
    "product.added_to_cart",
    "product.added_to_wishlist",
    "product.purchased",
    "product.removed_from_cart",
    "product.refunded",
    "product.dismissed",
]


class ProductInteraction(Record):
    """A shopper did something with a product, or with one garment of it when `garment_id` is given."""

    user_id: UserId
    product_id: ProductId
    garment_id: GarmentId | None = None
    session_id: OpaqueId | None = None
    quantity: Annotated[int, Field(ge=1, le=100_000), BeforeValidator(no_truth)] | None = None
    recommendation_id: OpaqueId | None = None


class ShopperArrived(Record):
    """A shopper opened the shop and wants a set at once."""

    user_id: UserId
    gender: Gender | None = None
    age_group: AgeGroup | None = None


class RecommendationsViewed(Record):
    """A shopper was shown these products of a set (impressions)."""

    user_id: UserId
    recommendation_id: OpaqueId
    product_ids: Annotated[list[ProductId], Field(max_length=1000)]


class UserIdentified(Record):
    """An anonymous visitor turned out to be this user."""

    user_id: UserId
    anonymous_id: UserId

    @field_validator("anonymous_id")
    @classmethod
    def _differs(cls, anonymous_id: str, known: ValidationInfo) -> str:
        if anonymous_id == known.data.get("user_id"):
            raise ValueError("an id that is not the user_id itself")
        return anonymous_id


class UserErased(Record):
    """Everything known about this user is to go."""

    user_id: UserId
