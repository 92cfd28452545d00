"""Reading the shop: products, similar products, photos, and look. No token is needed.

In: requests. Out: JSON and photos as docs/gateway.md says. Fails with Problems.
"""

import base64
import binascii
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from schemas.base import ProductId
from schemas.parts import Part
from streams.gateway import answers
from streams.gateway.core import Gateway
from streams.gateway.handlers import TheGateway, address_of, answer, unchanged
from streams.gateway.limits import MEGABYTE, read_body, require_type
from streams.gateway.problems import Problem, wrong
from streams.gateway.product_rows import Row, as_row, photo_size
from streams.gateway.showing import image_address
from streams.gateway.similar import MAX_K, Wanted, similar
from vectorstore.base import GarmentPoint

router = APIRouter(tags=["shop"])
_PHOTO_BYTES = 15 * MEGABYTE
_PHOTO_TYPES = ("image/jpeg", "image/png", "image/webp")
_SHOWN = ("product_id", "title", "link", "price", "availability", "brand", "item_group_id")
_BOXED = ("part", "category", "box_xyxy", "score")


@router.get("/v1/products", response_model=answers.Products, responses=answers.REFUSALS)
async def list_products(
    request: Request,
    gateway: TheGateway,
    limit: Annotated[int, Query(ge=1, le=200)] = 60,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    part: Part | None = None,
    category: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """The catalogue, newest first, a page at a time; a page may be short before the last one is reached."""
    gateway.buckets.take("read", address_of(request))
    page = gateway.rows.page(limit, _after(cursor), part, category)
    following = None if page.cursor is None else base64.urlsafe_b64encode(page.cursor).decode().rstrip("=")
    return answer({"products": [_product(row) for row in page.rows], "cursor": following})


@router.get(
    "/v1/products/{product_id:path}/similar",
    response_model=answers.SimilarProducts,
    responses=answers.REFUSALS,
)
async def similar_products(
    request: Request,
    gateway: TheGateway,
    product_id: Annotated[ProductId, Path()],
    k: Annotated[int, Query(ge=1, le=MAX_K)] = 12,
    part: Part | None = None,
) -> Response:
    """Products like this one, for each of its garments; not itself nor its variants, in stock only."""
    gateway.buckets.take("read", address_of(request))
    if bytes(request.scope["raw_path"]).lower().endswith(b"%2fsimilar"):  # a product whose id ends so
        return await get_product(request, gateway, f"{product_id}/similar")
    points = [p for p in await _points(gateway, product_id) if part in (None, p.payload["part"])]
    wanted = [_wanted(point) for point in points]
    groups = {group for point in points if (group := point.payload.get("item_group_id"))}
    found = await similar(gateway.store, gateway.showing, wanted, k, [product_id], groups) if wanted else []
    garments = [
        {"garment_id": point.garment_id}
        | {name: point.payload.get(name) for name in _BOXED if name != "score"}
        | {"similar": items}
        for point, items in zip(points, found, strict=True)
    ]
    return answer({"product_id": product_id, "garments": garments})


@router.get("/v1/products/{product_id:path}", response_model=answers.Product, responses=answers.REFUSALS)
async def get_product(
    request: Request, gateway: TheGateway, product_id: Annotated[ProductId, Path()]
) -> Response:
    """One product."""
    gateway.buckets.take("read", address_of(request))
    row = gateway.rows.row(product_id)
    if row is None:
        row = as_row(product_id, await _points(gateway, product_id))
    if row["removed"]:
        raise Problem(404, f"no product {product_id!r}")
    return answer(_product(row))


@router.get(
    "/media/{path:path}",
    response_class=Response,
    responses={200: {"content": {kind: {} for kind in _PHOTO_TYPES}}, **answers.REFUSALS},
)
async def get_photo(
    request: Request,
    gateway: TheGateway,
    path: Annotated[str, Path(max_length=2000)],
    w: Annotated[Literal["160", "320", "640"] | None, Query(description="Width in pixels.")] = None,
) -> Response:
    """A product's photo, as it is or scaled."""
    gateway.buckets.take("media", address_of(request))
    served = await gateway.thumbnails.serve(path, None if w is None else int(w))
    headers = {"etag": f'"{served.tag}"', "cache-control": "public, max-age=300"}
    if unchanged(request, served.tag):
        return Response(status_code=304, headers=headers)
    return Response(served.data, headers=headers, media_type=served.content_type)


@router.post(
    "/v1/look",
    response_model=answers.Looked,
    responses=answers.REFUSALS,
    openapi_extra={"requestBody": answers.PHOTO_BODY},
)
async def look(
    request: Request, gateway: TheGateway, k: Annotated[int, Query(ge=1, le=MAX_K)] = 6
) -> Response:
    """The garments of a photo (the body, at most 15 MB) and similar products of each."""
    gateway.buckets.take("look", address_of(request))
    require_type(request, *_PHOTO_TYPES)
    return answer(await gateway.looking.look(await read_body(request, _PHOTO_BYTES), k))


def _product(row: Row) -> dict[str, Any]:
    garments = [
        {"garment_id": garment_id} | {name: garment[name] for name in _BOXED}
        for garment_id, garment in row["garments"].items()
        if garment["image"] == 0
    ]
    return {name: row[name] for name in _SHOWN} | {
        "image": image_address(row["image_link"]),
        "photo": photo_size(row),
        "garments": garments,
    }


async def _points(gateway: Gateway, product_id: str) -> list[GarmentPoint]:
    points = (await gateway.store.fetch_products([product_id])).get(product_id)
    if not points:
        raise Problem(404, f"no product {product_id!r}")
    return points


def _wanted(point: GarmentPoint) -> Wanted:
    because = {"product_id": point.product_id, "garment_id": point.garment_id, "share": 1.0}
    return Wanted(point.garment_id, point.payload["part"], point.embedding, because)


def _after(cursor: str | None) -> bytes:
    if cursor is None:
        return b""
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise wrong("cursor", cursor, "the cursor of the page before") from None
