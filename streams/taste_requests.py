"""Requests for new sets at a bounded pace: `taste.requested` on `taste-requests`.

In: shoppers and why they are to get a new set. Out: one request per shopper and interval at most; what comes
earlier waits, the newest cause instead of the older, and goes out when the interval has passed. Only so many
requests are under way at once (one is until its set has come, or `ANSWER_WITHIN_S` have passed), so whatever
is asked for at once, an interaction waits behind few of them. Waiting requests live in memory: whoever asks
must do without those of a crashed worker. A send that fails is tried again.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from schemas.cloudevents import Event
from schemas.recommendations import Trigger
from schemas.requests import TasteRequested
from streams.handling import Handling
from streams.record import send_event

log = logging.getLogger(__name__)
ANSWER_WITHIN_S: Final = 5.0
_RETRY_AFTER_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a set is to be made anew: what happened, and the product that it is about.

    `appended_at_s` is the LogAppendTime (unix seconds) of the event that says so.
    """

    product_id: str
    trigger: Trigger
    appended_at_s: float
    traceparent: str | None = None


class TasteRequests:
    """The requests of one agent.

    Args:
        wanted: whether a request for a user id and a cause still has a point when its turn has come.
        interval_s: least time between two requests for one shopper.
        in_flight: most requests without an answer.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        handling: Handling,
        wanted: Callable[[str, Cause], bool],
        *,
        interval_s: float,
        in_flight: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.handling, self.wanted, self.clock = handling, wanted, clock
        self.interval_s, self.in_flight = interval_s, in_flight
        self._ready: dict[str, Cause] = {}
        self._early: dict[str, Cause] = {}
        self._sent: dict[str, float] = {}  # the last interval's, oldest first
        self._unanswered: dict[str, float] = {}  # oldest first
        self._retry_at = -math.inf
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        """How many shoppers wait for their request to be sent."""
        return len(self._ready) + len(self._early)

    def ask(self, user_id: str, cause: Cause) -> None:
        """Request a set for a shopper, now or as soon as the interval has passed."""
        due_at = self._sent.get(user_id, -math.inf) + self.interval_s
        if user_id in self._ready or self.clock() >= due_at:
            self._early.pop(user_id, None)
            self._ready[user_id] = cause
        else:
            self._early[user_id] = cause
        self._changed.set()

    def answered(self, user_id: str) -> None:
        """A shopper's set has come."""
        if self._unanswered.pop(user_id, None) is not None:
            self._changed.set()

    async def run(self) -> None:
        """Send what is due, for ever."""
        while True:
            wait_s = await self.send_due()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if math.isinf(wait_s) else wait_s):
                    await self._changed.wait()
            self._changed.clear()

    async def send_due(self) -> float:
        """Send what may be sent now; returns the seconds until more may be, inf for not before a call."""
        now_s = self.clock()
        self._pass_time(now_s)
        if now_s < self._retry_at:
            return self._retry_at - now_s
        due = self._take(now_s)
        sent = await asyncio.gather(*(self._send(user_id, cause) for user_id, cause in due))
        return _RETRY_AFTER_S if not all(sent) else self._wait_s()

    def _pass_time(self, now_s: float) -> None:
        """Those whose interval has passed are ready; those without an answer for long get no more time."""
        while self._sent and (oldest := next(iter(self._sent.items())))[1] + self.interval_s <= now_s:
            del self._sent[oldest[0]]
            if (cause := self._early.pop(oldest[0], None)) is not None:
                self._ready[oldest[0]] = cause
        while self._unanswered:
            user_id, sent_at_s = next(iter(self._unanswered.items()))
            if sent_at_s + ANSWER_WITHIN_S > now_s:
                break
            del self._unanswered[user_id]

    def _take(self, now_s: float) -> list[tuple[str, Cause]]:
        """The next requests to send, from now on under way."""
        taken = []
        while self._ready and len(self._unanswered) < self.in_flight:
            user_id = next(iter(self._ready))
            cause = self._ready.pop(user_id)
            if self.wanted(user_id, cause):
                for times in (self._sent, self._unanswered):
                    times.pop(user_id, None)
                    times[user_id] = now_s
                taken.append((user_id, cause))
        return taken

    def _wait_s(self) -> float:
        due_at = math.inf
        if self._early and self._sent:
            due_at = next(iter(self._sent.values())) + self.interval_s
        if self._ready and self._unanswered:
            due_at = min(due_at, next(iter(self._unanswered.values())) + ANSWER_WITHIN_S)
        return max(0.0, due_at - self.clock())

    async def _send(self, user_id: str, cause: Cause) -> bool:
        """Whether the broker has it; if not, it waits for the next attempt unless something newer does."""
        event = Event(
            id=str(uuid4()),
            source=f"lookstream/{self.handling.agent}",
            type="taste.requested",
            time=cause.trigger.time,  # no later, or it would bring back who was erased meanwhile
            subject=user_id,
            data=TasteRequested(user_id=user_id, trigger=cause.trigger).model_dump(mode="json"),
            extensions={"traceparent": cause.traceparent} if cause.traceparent else {},
        )
        try:
            await send_event(self.handling.outbox, "taste-requests", user_id, event)
        except Exception as error:
            log.warning("%s cannot send a request yet: %s", self.handling.agent, error)
            self._retry_at = self.clock() + _RETRY_AFTER_S
            self._sent.pop(user_id, None)
            self._unanswered.pop(user_id, None)
            self._ready.setdefault(user_id, self._early.pop(user_id, cause))
            return False
        self.handling.metrics.events_out.labels("taste-requests", event.type).inc()
        return True
