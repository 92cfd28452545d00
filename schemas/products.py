"""Product events: what a catalogue publishes on `product-events`, in Google Merchant's names.

In: the data of `product.uploaded`, `product.updated`, `product.removed`. Out: frozen records; invalid data
raises pydantic's ValidationError, which `schemas.events.read` turns into a SchemaError naming the field.
"""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from schemas.base import Label, Link, ProductId, Record, Text

Availability = Literal["in_stock", "out_of_stock", "preorder"]
Gender = Literal["female", "male", "unisex"]
AgeGroup = Literal["newborn", "infant", "toddler", "kids", "adult"]

# 24 MB of record, of which a data: URI may be nearly all.
ImageLink = Annotated[str, Field(min_length=1, max_length=24_000_000)]


class Price(Record):
    """An amount in an ISO 4217 currency."""

    value: Annotated[float, Field(ge=0, le=1e12, strict=True)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class ProductFields(Record):
    """Everything about a product but its id; `None` means not said."""

    title: Label | None = None
    link: Link | None = None
    image_link: ImageLink | None = None
    additional_image_link: Annotated[list[ImageLink], Field(max_length=20)] | None = None
    price: Price | None = None
    availability: Availability | None = None
    brand: Label | None = None
    item_group_id: Label | None = None
    color: Label | None = None
    gender: Gender | None = None
    age_group: AgeGroup | None = None
    category: Text | None = None


class ProductUploaded(ProductFields):
    """A product enters the catalogue or is replaced as a whole; only `id` and one image are required."""

    id: ProductId
    image_link: ImageLink


class ProductUpdated(ProductFields):
    """Some fields of a product changed. A field sent as null is cleared (an image cannot be)."""

    id: ProductId

    @field_validator("image_link")
    @classmethod
    def _image_stays(cls, link: str | None) -> str | None:
        if link is None:  # runs only for a field that was sent
            raise ValueError("an image_link, or none at all: a product cannot lose its image")
        return link


class ProductRemoved(Record):
    """A product leaves the catalogue."""

    id: ProductId


PRODUCT_FIELDS: tuple[str, ...] = tuple(ProductFields.model_fields)
