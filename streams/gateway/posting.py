"""Writing: interactions and products, in lookstream's shape and in others'.

In: requests. Out: 202 with where each event lies, once Kafka has acknowledged all of them. Fails with
Problems; a body with one wrong entry sends nothing.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from streams.gateway import answers, entries
from streams.gateway.core import Gateway
from streams.gateway.handlers import TheGateway, TheIdentity, address_of, answer
from streams.gateway.identity import Identity
from streams.gateway.limits import MEGABYTE, read_body, require_type
from streams.gateway.problems import Problem
from streams.gateway.sending import Outgoing

router = APIRouter(tags=["writing"])
_INTERACTION_BYTES: Final = 2 * MEGABYTE
_PRODUCT_BYTES: Final = 32 * MEGABYTE
_SHOPIFY_BYTES: Final = 5 * MEGABYTE
_JSON: Final = ("application/json", "application/cloudevents+json", "application/cloudevents-batch+json")
_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"oneOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]}
        }
    },
}
_DOCUMENTED: Final[dict[str, Any]] = {
    "status_code": 202,
    "response_model": answers.AcceptedEvents,
    "responses": answers.REFUSALS,
    "openapi_extra": {"requestBody": _BODY},
}


@router.post("/v1/interactions", **_DOCUMENTED)
async def post_interactions(request: Request, gateway: TheGateway, identity: TheIdentity) -> Response:
    """One interaction or up to 500, in lookstream's shape or as structured CloudEvents."""
    body = await _body(request, gateway, identity, _INTERACTION_BYTES)
    return await _send(gateway, identity, entries.interactions(body, identity))


@router.post("/v1/interactions/segment", **_DOCUMENTED)
async def post_segment_calls(request: Request, gateway: TheGateway, identity: TheIdentity) -> Response:
    """One Segment call or up to 500; those that say nothing about a product are ignored."""
    body = await _body(request, gateway, identity, _INTERACTION_BYTES)
    return await _send(gateway, identity, entries.adapted(body, identity, entries.segment_calls))


@router.post("/v1/interactions/ga4", **_DOCUMENTED)
async def post_ga4_messages(request: Request, gateway: TheGateway, identity: TheIdentity) -> Response:
    """One Google Analytics 4 message or up to 500; events of other kinds are ignored."""
    body = await _body(request, gateway, identity, _INTERACTION_BYTES)
    return await _send(gateway, identity, entries.adapted(body, identity, entries.ga4_messages))


@router.post("/v1/products", **_DOCUMENTED)
async def post_products(request: Request, gateway: TheGateway, identity: TheIdentity) -> Response:
    """One product event or up to 100; photos as data: URIs, https links or paths below the media root."""
    entries.require_shop(identity)
    body = await _body(request, gateway, identity, _PRODUCT_BYTES)
    return await _send(gateway, identity, entries.products(body, identity))


@router.post("/v1/products/shopify", **_DOCUMENTED)
async def post_shopify_webhook(request: Request, gateway: TheGateway) -> Response:
    """A Shopify products webhook, known by its signature instead of a token."""
    secret = gateway.settings.shopify_secret
    if secret is None:
        raise Problem(404, "no Shopify webhooks are taken: LOOKSTREAM_SHOPIFY_SECRET is not set")
    gateway.buckets.take("write-shop", f"shopify {address_of(request)}")
    body = await read_body(request, _SHOPIFY_BYTES)
    digest = hmac.new(secret.get_secret_value().encode(), body, hashlib.sha256).digest()
    said = request.headers.get("x-shopify-hmac-sha256", "")
    if not hmac.compare_digest(base64.b64encode(digest), said.encode("utf-8", "replace")):
        raise Problem(401, "X-Shopify-Hmac-Sha256 is not this body's signature", "signature")
    require_type(request, "application/json")
    found = entries.shopify_webhook(body, request.headers, gateway.settings.shopify_currency)
    return await _accepted(gateway, found)


async def _body(request: Request, gateway: Gateway, identity: Identity, limit_bytes: int) -> bytes:
    identity.require("produce")
    gateway.buckets.take(*_bucket(identity))
    require_type(request, *_JSON)
    return await read_body(request, limit_bytes)


async def _send(gateway: Gateway, identity: Identity, events: Sequence[Outgoing]) -> Response:
    if len(events) > 1:  # the request itself was one
        gateway.buckets.take(*_bucket(identity), count=len(events) - 1)
    return await _accepted(gateway, events)


async def _accepted(gateway: Gateway, events: Sequence[Outgoing]) -> Response:
    placed = await gateway.sender.send(events) if events else []
    for one in placed:
        gateway.metrics.accepted.labels(one.topic).inc()
    return answer({"accepted": placed}, 202)


def _bucket(identity: Identity) -> tuple[str, str]:
    if identity.user_id is None:
        return "write-shop", "the shop"
    return "write-shopper", identity.user_id
