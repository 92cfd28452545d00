"""What only a demo does: access tokens for whoever asks, and the names of its shoppers.

In: requests. Out: JSON. Fails with a Problem: 404 unless LOOKSTREAM_GATEWAY_DEMO is set and the gateway
listens on a loopback address.
"""

import json
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter, Request
from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from schemas.base import UserId
from schemas.cloudevents import rfc3339
from schemas.errors import from_validation_error
from streams.gateway import answers
from streams.gateway.core import Gateway
from streams.gateway.guards import is_loopback
from streams.gateway.handlers import TheGateway, address_of, answer
from streams.gateway.limits import read_body, require_type
from streams.gateway.problems import Problem, invalid, wrong

router = APIRouter(tags=["demo"])
TOKEN_S: Final = 3600.0
_BODY_BYTES: Final = 10_000


class _Asked(BaseModel):
    user_id: UserId | None = None
    operator: bool = False


@router.get("/v1/demo", response_model=answers.Demo, responses=answers.REFUSALS)
async def demo(gateway: TheGateway) -> Response:
    """That this is a demo, and who shops in it."""
    _check_demo(gateway)
    try:
        shoppers: Any = json.loads(gateway.settings.demo_shoppers.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        shoppers = []
    return answer({"demo": True, "shoppers": shoppers})


@router.post("/v1/demo/token", response_model=answers.DemoToken, responses=answers.REFUSALS)
async def demo_token(request: Request, gateway: TheGateway) -> Response:
    """A token for a shopper ({"user_id": "alice"}), or for the operator ({"operator": true})."""
    _check_demo(gateway)
    gateway.buckets.take("token", address_of(request))
    require_type(request, "application/json")
    try:
        asked = _Asked.model_validate_json(await read_body(request, _BODY_BYTES))
    except ValidationError as error:
        raise invalid(from_validation_error(error, "")) from None
    if asked.operator == (asked.user_id is not None):
        raise wrong("user_id", asked.user_id, 'a shopper\'s id, or {"operator": true}')
    scopes = ("produce", "operate") if asked.operator else ("subscribe", "produce")
    token, expires_at_s = gateway.tokens.signed(asked.user_id, scopes, TOKEN_S)
    expires_at = rfc3339(datetime.fromtimestamp(expires_at_s, UTC))
    return answer({"token": token, "user_id": asked.user_id, "expires_at": expires_at})


def _check_demo(gateway: Gateway) -> None:
    if not (gateway.settings.gateway_demo and is_loopback(gateway.settings.bind)):
        raise Problem(404, "this is no demo")
