"""How much and how often: token buckets per caller, and bodies read up to a limit.

In: a caller and a kind of request; the chunks of a body. Out: nothing, or a Problem: 429 with Retry-After,
413 as soon as a body is too large, 408 when it does not come, 415 for what it is not.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.requests import ClientDisconnect, Request

from streams.gateway.problems import Problem

MEGABYTE: Final = 1_000_000
BODY_WITHIN_S: Final = 30.0
_MOST_CALLERS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second on average, and so many at once after a pause."""

    per_s: float
    burst: float


RATES: Final[dict[str, Rate]] = {
    "read": Rate(100, 1000),
    "media": Rate(200, 2000),
    "look": Rate(5, 20),
    "write-shopper": Rate(20, 200),
    "write-shop": Rate(2000, 20_000),
    "token": Rate(5, 50),
}


class Buckets:
    """Token buckets by (kind, caller), the longest unused ones forgotten first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = _MOST_CALLERS) -> None:
        self._clock, self._most = clock, most
        self._held: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def take(self, kind: str, caller: str, count: float = 1.0) -> None:
        """Count a request; raises a Problem (429) that says when to come again."""
        rate, now_s = RATES[kind], self._clock()
        left, since_s = self._held.get((kind, caller), (rate.burst, now_s))
        left = min(rate.burst, left + (now_s - since_s) * rate.per_s)
        count = min(count, rate.burst)
        if left < count:
            seconds = math.ceil((count - left) / rate.per_s)
            detail = f"more than {rate.per_s:g} a second; try again in {seconds} s"
            raise Problem(429, detail, "rate", {"retry-after": str(seconds)})
        self._held[(kind, caller)] = (left - count, now_s)
        self._held.move_to_end((kind, caller))
        if len(self._held) > self._most:
            self._held.popitem(last=False)


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """The body; refused as soon as it is known to be longer than `limit_bytes`."""
    too_large = Problem(
        413, f"the body is larger than {limit_bytes / MEGABYTE:g} MB", "too-large", {"connection": "close"}
    )
    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said) > limit_bytes:
        raise too_large
    chunks, size = [], 0
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit_bytes:
                    raise too_large
                chunks.append(chunk)
    except TimeoutError:
        headers = {"connection": "close"}
        raise Problem(408, f"the body did not come within {BODY_WITHIN_S:g} s", headers=headers) from None
    except ClientDisconnect:
        raise Problem(400, "the body is cut short") from None
    return b"".join(chunks)


def media_type(request: Request) -> str:
    """The Content-Type without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def require_type(request: Request, *accepted: str) -> None:
    """Raise a Problem (415) unless the body is said to be one of these."""
    said = media_type(request)
    if said not in accepted:
        expected = " or ".join(accepted)
        raise Problem(
            415,
            f"Content-Type: got '{said[:80] or 'nothing'}', expected {expected}",
            "media-type",
            expected=expected,
        )
