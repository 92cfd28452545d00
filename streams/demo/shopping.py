"""The shopping itself: personas act, sets come back, each act is timed from click to set.

In: a running shop, its stock and personas. Out: `Visit`s: what was viewed, the last set, the latencies. An
act that is not answered in time is counted, never passed over.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import cast

from schemas.recommendations import RecommendationSet
from streams.demo.personas import Persona, next_action
from streams.demo.stock import Stock
from streams.demo.watching import Watcher
from streams.kafka.producer import InteractionPublisher, InteractionType, ProductPublisher

ANSWER_TIMEOUT_S = 15.0
ACTS = 14


@dataclass(slots=True)
class Visit:
    """A shopper's visit: the persona, the newest set, and how long each act took to be answered (s)."""

    persona: Persona
    newest: RecommendationSet | None = None
    answered_s: list[float] = field(default_factory=list)
    unanswered: int = 0

    @property
    def served(self) -> bool:
        """Whether every act was answered and the last set follows the shopper's taste."""
        return self.newest is not None and self.unanswered == 0 and self.newest.strategy != "trending"


def upload(
    stock: Stock,
    products: ProductPublisher,
    watcher: Watcher,
    progress: Callable[[int], None],
    timeout_s: float,
) -> list[float]:
    """Publish the stock; returns per product the seconds from publishing to searchable, of those indexed."""
    sent: dict[str, float] = {}
    for product in stock.products.values():
        products.uploaded(product)
        sent[product.id] = time.monotonic()
    products.flush()
    deadline_s, dead_before = time.monotonic() + timeout_s, watcher.dead
    while (done := _indexed(watcher, sent)) < len(sent) and time.monotonic() < deadline_s:
        progress(done)
        if done + watcher.dead - dead_before >= len(sent):
            break
        watcher.wait(lambda so_far=done: _indexed(watcher, sent) > so_far, 1.0)  # type: ignore[misc]
    progress(_indexed(watcher, sent))
    return [watcher.indexed[pid] - at for pid, at in sent.items() if pid in watcher.indexed]


def _indexed(watcher: Watcher, sent: dict[str, float]) -> int:
    return sum(product_id in sent for product_id in list(watcher.indexed))


class Shopping:
    """Acts for personas in turn; `tell` is called with (visit, what was done, product id, set, ms)."""

    def __init__(
        self,
        stock: Stock,
        interactions: InteractionPublisher,
        watcher: Watcher,
        random: Random,
        tell: Callable[[Visit, str, str | None, RecommendationSet | None, float], None],
    ) -> None:
        self.stock, self.interactions, self.watcher = stock, interactions, watcher
        self.random, self.tell = random, tell

    def arrive(self, visit: Visit) -> None:
        """The shopper opens the shop."""
        self._act(visit, "shopper.arrived", None)

    def act(self, visit: Visit) -> None:
        """The shopper does something with a product."""
        shown = [item.product_id for item in visit.newest.items] if visit.newest else []
        action, product_id = next_action(visit.persona, self.stock, shown, self.random)
        visit.persona.viewed.append(product_id)
        self._act(visit, action, product_id)

    def _act(self, visit: Visit, action: str, product_id: str | None) -> None:
        data = {"user_id": visit.persona.user_id} | ({"product_id": product_id} if product_id else {})
        started_s = time.monotonic()
        event_id = self.interactions.publish(_typed(action), data).event_id
        answered = self.watcher.wait(lambda: event_id in self.watcher.answered, ANSWER_TIMEOUT_S)
        took_s = self.watcher.answered.get(event_id, time.monotonic()) - started_s
        if answered:
            visit.answered_s.append(took_s)
            visit.newest = self.watcher.sets[visit.persona.user_id]
        else:
            visit.unanswered += 1
        self.tell(visit, action, product_id, visit.newest if answered else None, took_s * 1000)


def _typed(action: str) -> InteractionType:
    return cast(InteractionType, action)


def milliseconds(seconds: Sequence[float]) -> tuple[float, float]:
    """Median and 99th percentile, in ms; zeros for nothing."""
    if not seconds:
        return 0.0, 0.0
    ordered = sorted(seconds)
    return statistics.median(ordered) * 1000, ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))] * 1000
