"""What the routers share: who asks, how often, and how answers are written.

In: requests. Out: identities, JSON answers. Fails with Problems.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import pydantic_core
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.responses import Response

from streams.gateway.core import Gateway
from streams.gateway.identity import Identity, bearer

_DOCUMENTED = HTTPBearer(
    auto_error=False, bearerFormat="JWT", description="aud `lookstream`; see docs/gateway.md"
)


async def gateway_of(request: Request) -> Gateway:
    """The gateway that the request is for."""
    found: Gateway = request.app.state.gateway
    return found


async def identity_of(
    request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Depends(_DOCUMENTED)] = None
) -> Identity:
    """Whose token the request carries; a Problem (401) without a valid one."""
    return (await gateway_of(request)).tokens.verified(bearer(request.headers.get("authorization")))


TheGateway = Annotated[Gateway, Depends(gateway_of)]
TheIdentity = Annotated[Identity, Depends(identity_of)]


def address_of(request: Request) -> str:
    """The caller's address."""
    return request.client.host if request.client else "unknown"


def answer(
    content: Any, status: int = 200, headers: Mapping[str, str] | None = None, etag: str | None = None
) -> Response:
    """JSON; what holds somebody's data is not to be stored on the way."""
    written = {"cache-control": "no-store"} | dict(headers or {})
    if etag is not None:
        written |= {"etag": f'"{etag}"', "cache-control": "private, no-cache"}
    return Response(pydantic_core.to_json(content), status, written, "application/json")


def unchanged(request: Request, etag: str) -> Response | None:
    """The answer to a caller that has this version already."""
    held = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if f'"{etag}"' in held or "*" in held:
        return Response(status_code=304, headers={"etag": f'"{etag}"', "cache-control": "private, no-cache"})
    return None
