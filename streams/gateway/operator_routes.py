"""The operator's routes, for tokens with the scope `operate`.

In: requests below /v1/operator. Out: JSON. Fails with Problems: 401 and 403 without such a token, 404 for a
dead letter that is not there, 409 for one that cannot go back, 503 while Kafka or the vector store is away.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from streams.gateway import answers
from streams.gateway.handlers import TheGateway, TheIdentity, answer
from streams.gateway.operator_map import MAX_POINTS


def _operates(identity: TheIdentity) -> None:
    identity.require("operate")


router = APIRouter(
    prefix="/v1/operator",
    tags=["operator"],
    dependencies=[Depends(_operates)],
    responses=answers.REFUSALS,
)


@router.get("/status")
async def status(gateway: TheGateway) -> Response:
    """Agents, lag, throughput, latencies, counts and models."""
    return answer(await gateway.operator.status())


@router.get("/dead-letters")
async def dead_letters(gateway: TheGateway, limit: Annotated[int, Query(ge=1, le=1000)] = 50) -> Response:
    """The newest dead letters, the newest first."""
    return answer({"dead_letters": await gateway.operator.letters(limit)})


@router.post("/dead-letters/{partition}/{offset}/replay", status_code=202)
async def replay(
    gateway: TheGateway,
    partition: Annotated[int, Path(ge=0, lt=2**31)],
    offset: Annotated[int, Path(ge=0, lt=2**63)],
) -> Response:
    """Send a dead letter back to where it came from; answers once Kafka has acknowledged it."""
    return answer({"accepted": [await gateway.operator.replay(partition, offset)]}, 202)


@router.get("/map")
async def embedding_map(
    gateway: TheGateway, limit: Annotated[int, Query(ge=3, le=MAX_POINTS)] = 1500
) -> Response:
    """The newest garments in the plane of their embeddings' two first principal components."""
    return answer(await gateway.operator.map(limit))
