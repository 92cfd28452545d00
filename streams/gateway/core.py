"""The gateway without HTTP: READ THIS FIRST. What it knows, where it has it from, and to whom it tells it.

In: settings, the vector store, a shelf, where to send events. Out: a `Gateway`, which every handler shares.
`start` follows the topics `recommendations`, `tastes`, `garments` and `rules`; what it learns is on the shelf
and, where somebody is subscribed, in the hub.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

from models.taste.contributions import TasteSettings
from models.vision import Vision
from models.visions import describe
from streams.gateway.hub import Hub
from streams.gateway.identity import Tokens
from streams.gateway.limits import Buckets
from streams.gateway.looking import Looking
from streams.gateway.metrics import GatewayMetrics
from streams.gateway.newest import NewestSets, NewestTastes
from streams.gateway.operator import Operator
from streams.gateway.product_rows import ProductRows
from streams.gateway.readers import TopicReader
from streams.gateway.sending import Sender
from streams.gateway.shelf import Shelf
from streams.gateway.showing import Showing
from streams.gateway.thumbnails import Thumbnails
from streams.media import MediaResolver
from streams.record import Record
from streams.rule_book import RuleBook
from streams.services import aiokafka_config, indexed_part
from streams.settings import Settings
from streams.views import TopicView
from vectorstore.base import VectorStore

log = logging.getLogger(__name__)
_MISSED_EVERY_S: Final = 0.5
_AGAIN_S: Final = 1.0
_AT_ONCE: Final = 50


class Gateway:
    """What the gateway knows, and its background tasks."""

    def __init__(
        self,
        settings: Settings,
        store: VectorStore,
        shelf: Shelf,
        sender: Sender,
        tokens: Tokens,
        vision: Callable[[], Vision],
    ) -> None:
        """`vision` loads the vision, which takes seconds: it is called in a thread."""
        self.settings, self.store, self.shelf, self.sender, self.tokens = (
            settings,
            store,
            shelf,
            sender,
            tokens,
        )
        self.metrics, self.hub, self.buckets = GatewayMetrics(), Hub(), Buckets()
        self.rule_book = RuleBook()
        self.rows = ProductRows(shelf, store, self.hub.hide)
        self.showing = Showing(self.rows, lambda: self.rule_book.current)
        self.sets = NewestSets(shelf, self._newer_set, self.hub.erase)
        self.tastes = NewestTastes(shelf)
        self.taste_settings = TasteSettings(half_life_s=settings.half_life_s, capacity=settings.contributions)
        self.model = describe(settings.vision)
        self.looking = Looking(vision, store, self.showing, partial(indexed_part, settings))
        self.media = MediaResolver(settings.media_dir, settings.inline_dir)
        self.thumbnails = Thumbnails(self.media)
        self.operator = Operator(self)
        self.readers: dict[str, TopicReader] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._views: list[TopicView] = []
        self._rules_changed = asyncio.Event()

    def start(self) -> None:
        """Follow the topics from now on."""
        config = aiokafka_config(self.settings)
        self.readers = {
            "recommendations": TopicReader(
                "recommendations",
                config,
                self.shelf,
                self.sets.take_in,
                self.sets.written,
                self.sets.forget,
            ),
            "tastes": TopicReader(
                "tastes", config, self.shelf, self.tastes.take_in, forget=self.tastes.forget
            ),
            "garments": TopicReader(
                "garments",
                config,
                self.shelf,
                self.rows.take_in,
                self.rows.written,
                self.rows.forget,
            ),
        }
        for reader in self.readers.values():
            reader.start()
        self.looking.start()
        self._keep_doing(self._follow_rules, self._seed, self._look_up_missed, self._hide_blocked)

    async def stop(self) -> None:
        """Stop following; the shelf and the store are the caller's."""
        self.hub.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(reader.stop() for reader in self.readers.values()))
        await asyncio.gather(*(view.stop() for view in self._views), return_exceptions=True)
        await self.operator.stop()
        await self.media.aclose()
        self.looking.close()
        self.thumbnails.close()

    async def wait_caught_up(self) -> None:
        """Return once the newest sets and the products are known as far as their topics went at the start."""
        for name in ("recommendations", "garments"):
            await self.readers[name].caught_up.wait()

    def sets_are_current(self) -> bool:
        """Whether the sets on the shelf are no older than those that were sent before this start."""
        return not self.readers or self.readers["recommendations"].caught_up.is_set()

    def _newer_set(self, user_id: str, packed: bytes, appended_at_s: float) -> None:
        self.metrics.sets.inc()
        if self.hub.watched(user_id):
            told = self.hub.publish(user_id, self.showing.current(packed))
            self.metrics.sent.inc(told)
            self.metrics.delay.observe(max(0.0, time.time() - appended_at_s))

    def _rule(self, record: Record) -> None:
        self.rule_book.read(record)
        self._rules_changed.set()

    def _keep_doing(self, *steps: Callable[[], Coroutine[Any, Any, None]]) -> None:
        for step in steps:
            self._tasks.append(asyncio.create_task(_until_done(step)))

    async def _follow_rules(self) -> None:
        view = TopicView("rules", aiokafka_config(self.settings), self._rule)
        self._views = [view]
        try:
            await view.start()
        except Exception:
            await view.stop()
            raise

    async def _seed(self) -> None:
        await self.rows.seed()

    async def _look_up_missed(self) -> None:
        while True:
            await self.rows.look_up_missed()
            await asyncio.sleep(_MISSED_EVERY_S)

    async def _hide_blocked(self) -> None:
        """After a change of the rules: look again at what everybody is shown."""
        while True:
            await self._rules_changed.wait()
            self._rules_changed.clear()
            for place, user_id in enumerate(self.hub.users()):
                packed = self.sets.get(user_id)
                if packed is not None:
                    self.hub.recheck(user_id, self.showing.current(packed))
                if place % _AT_ONCE == 0:
                    await asyncio.sleep(0)


async def _until_done(step: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a step; one that fails is logged and tried again."""
    while True:
        try:
            return await step()
        except Exception as error:
            log.warning("%s: %s", step.__name__, error)
            await asyncio.sleep(_AGAIN_S)
