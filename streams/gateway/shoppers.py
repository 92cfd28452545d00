"""What a shopper's own token reads: the newest set, once or as it comes, and interests.

In: requests. Out: JSON and event streams as docs/gateway.md says. Fails with Problems.
"""

import asyncio
import zlib
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request
from starlette.responses import Response

from schemas.base import UserId
from streams.gateway import answers
from streams.gateway.core import Gateway
from streams.gateway.event_stream import EventStream
from streams.gateway.handlers import TheGateway, TheIdentity, answer, unchanged
from streams.gateway.hub import Subscriber, TooManySubscribers
from streams.gateway.identity import Identity, bearer
from streams.gateway.liking import liked
from streams.gateway.problems import Problem, unavailable, wrong

router = APIRouter(tags=["shoppers"])
_MOST_DIGITS = 18


@router.get(
    "/v1/shoppers/{user_id:path}/recommendations/stream",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {}}}, **answers.REFUSALS},
)
async def stream(
    request: Request,
    gateway: TheGateway,
    user_id: Annotated[UserId, Path()],
    access_token: Annotated[str | None, Query(description="For EventSource, which sends no headers.")] = None,
    last_event_id: Annotated[str | None, Query(max_length=64)] = None,
    resumed: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
) -> Response:
    """The shopper's sets as they come (server-sent events), the newest at once unless it is known."""
    token = access_token or bearer(request.headers.get("authorization"))
    identity = _reader(gateway, gateway.tokens.verified(token), user_id)
    after = _revision(last_event_id if resumed is None else resumed)
    packed = gateway.sets.get(user_id)
    current = None if packed is None else gateway.showing.current(packed)
    try:
        subscriber = gateway.hub.subscribe(user_id, current, after)
    except TooManySubscribers as error:
        headers = {"retry-after": "30"}
        raise Problem(429 if error.shopper else 503, str(error), "subscribers", headers) from None
    gateway.metrics.subscribers.set(gateway.hub.count)
    return EventStream(subscriber, lambda: _left(gateway, subscriber), identity.expires_at_s)


@router.get(
    "/v1/shoppers/{user_id:path}/recommendations",
    response_model=answers.ShownSet,
    responses=answers.REFUSALS,
)
async def newest_set(
    request: Request, gateway: TheGateway, identity: TheIdentity, user_id: Annotated[UserId, Path()]
) -> Response:
    """The shopper's newest set; its revision is the ETag."""
    _reader(gateway, identity, user_id)
    packed = gateway.sets.get(user_id)
    if packed is None:
        raise Problem(404, f"no recommendations for {user_id!r} yet", "no-set")
    shown, hidden = gateway.showing.shown(packed)
    etag = str(shown["revision"])
    if hidden:
        etag += f"-{zlib.crc32(repr(sorted(hidden)).encode()):08x}"
    return unchanged(request, etag) or answer(shown, etag=etag)


@router.get(
    "/v1/shoppers/{user_id:path}/interests", response_model=answers.Interests, responses=answers.REFUSALS
)
async def interests(
    gateway: TheGateway, identity: TheIdentity, user_id: Annotated[UserId, Path()]
) -> Response:
    """What the shopper seems to like, strongest first, with examples."""
    _reader(gateway, identity, user_id)
    held = gateway.tastes.get(user_id)
    if held is None:
        raise Problem(404, f"nothing is known of {user_id!r} yet", "no-taste")
    found = await asyncio.to_thread(liked, user_id, *held, gateway.taste_settings)
    return answer(found.shown(gateway.showing))


def _reader(gateway: Gateway, identity: Identity, user_id: str) -> Identity:
    """The identity, if it may read this shopper, has not asked too often, and the sets are the newest."""
    identity.require_shopper(user_id)
    gateway.buckets.take("read", f"shopper {user_id}")
    if not gateway.sets_are_current():
        raise unavailable("the gateway is still reading the newest sets")
    return identity


def _left(gateway: Gateway, subscriber: Subscriber) -> None:
    gateway.hub.unsubscribe(subscriber)
    gateway.metrics.subscribers.set(gateway.hub.count)


def _revision(last_event_id: str | None) -> int | None:
    """The revision in a Last-Event-ID; None where there is none."""
    if not last_event_id:
        return None
    if not last_event_id.isascii() or not last_event_id.isdigit() or len(last_event_id) > _MOST_DIGITS:
        raise wrong("Last-Event-ID", last_event_id, "the id of an event, a revision")
    return int(last_event_id)
