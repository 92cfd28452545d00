"""Whether the gateway is alive, and whether what it needs is there."""

import asyncio
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from streams.gateway import answers
from streams.gateway.handlers import TheGateway, answer
from streams.gateway.problems import unavailable

router = APIRouter(tags=["health"])
_WITHIN_S: Final = 3.0


@router.get("/healthz")
async def alive() -> Response:
    """Answers as long as the gateway runs."""
    return answer({"status": "alive"})


@router.get("/readyz", responses=answers.REFUSALS)
async def ready(gateway: TheGateway) -> Response:
    """Answers 200 while Kafka and the vector store can be reached and the newest sets are known."""
    if not gateway.sets_are_current():
        raise unavailable("the gateway is still reading the newest sets")
    try:
        async with asyncio.timeout(_WITHIN_S):
            await gateway.sender.check()
            await gateway.store.count()
    except Exception as error:
        raise unavailable(f"{type(error).__name__}: {error}") from None
    return answer({"status": "ready"})
