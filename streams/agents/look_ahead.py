"""Garments of the products that events in hand are about, looked up before their turn and together.

In: product ids, as events with them arrive. Out: garments. While one question is on its way the next ones
gather; an answer that does not come is none, and whoever asked asks again when it is its turn.
"""

import asyncio
from collections.abc import Sequence

from vectorstore.base import GarmentPoint, VectorStore


class LookAhead:
    """Looks products up in the index, as many in one question as have been asked for meanwhile."""

    def __init__(self, store: VectorStore) -> None:
        self._store = store
        self._asked: dict[str, asyncio.Future[Sequence[GarmentPoint]]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def garments(self, product_id: str) -> Sequence[GarmentPoint]:
        """The product's garments as far as they are known: none where there are none or nobody answers."""
        answer = self._asked.get(product_id)
        if answer is None:
            answer = self._asked[product_id] = asyncio.get_running_loop().create_future()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(answer)  # others wait for it too

    async def _look(self) -> None:
        while self._asked:
            asked, self._asked = self._asked, {}
            try:
                found = await self._store.fetch_products(list(asked))
            except Exception:  # whoever asks in turn hears of it
                found = {}
            for product_id, answer in asked.items():
                answer.set_result(found.get(product_id, ()))
