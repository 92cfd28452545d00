"""What runs beside the shopper app's agents for match-arrivals and retract, which look at all current sets.

In: the built app and Kafka's address. Out: `recommendations` read whole, then `garments` from there on, and
requests sent as both agents ask for them, until cancelled. The app need not wait for it: as long as the sets
are being read, arrivals queue up and nothing is retracted; the first check afterwards makes up for it.
"""

import asyncio
import logging
from typing import Any, Final

from streams.apps import Shop
from streams.record import Record
from streams.views import TopicView

log = logging.getLogger(__name__)
_CHECK_EVERY_S: Final = 0.2


async def follow_sets(shop: Shop, config: dict[str, Any]) -> None:
    """Keep the current sets, match arrivals against them and retract what is gone; `config` is aiokafka's."""

    def set_arrived(record: Record) -> None:
        arrived = shop.sets.read(record)
        if arrived is not None:
            shop.arrivals.requests.answered(arrived.user_id)
            shop.retract.set_arrived(arrived)

    views = [
        TopicView("recommendations", config, set_arrived),
        TopicView("garments", config, shop.retract.garment, from_end=True),
    ]
    try:
        for view in views:
            await view.start()
        await asyncio.gather(
            shop.arrivals.run(), shop.arrivals.requests.run(), shop.retract.requests.run(), _check(shop)
        )
    finally:
        await asyncio.gather(*(view.stop() for view in views))


async def _check(shop: Shop) -> None:
    while True:
        try:
            await shop.retract.check()
        except Exception as error:
            log.warning("retract looks again later: %s", error)
        await asyncio.sleep(_CHECK_EVERY_S)
