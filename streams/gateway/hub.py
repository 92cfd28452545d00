"""Who is subscribed to what, and what each is still to be sent: only ever the newest.

In: sets, hidden products and erasures as they become known. Out: for each subscriber the bytes it is to be
sent next. Nothing here waits: a subscriber that does not read only ever has its newest set waiting for it.
"""

import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

PER_SHOPPER: Final = 32
IN_ALL: Final = 20_000


class TooManySubscribers(RuntimeError):  # noqa: N818 (reads as the state it reports)
    """No more subscribers; `shopper` says whether to this one, or at all."""

    def __init__(self, shopper: bool) -> None:
        self.shopper = shopper
        super().__init__("too many subscribers" + (" to one shopper" if shopper else ""))


@dataclass(frozen=True, slots=True)
class Current:
    """A shopper's set as it is shown: the frame, the products in it, and those left out of it, with why."""

    revision: int
    frame: bytes
    products: frozenset[str]
    hidden: dict[str, str]


def frame(event: str, data: bytes, event_id: int | None = None) -> bytes:
    """An event of an event stream; `data` is one line."""
    named = b"" if event_id is None else b"id: %d\n" % event_id
    return named + b"event: " + event.encode() + b"\ndata: " + data + b"\n\n"


def hidden_frame(product_id: str, reason: str) -> bytes:
    """Says that a product is not to be shown any more."""
    return frame("product.hidden", json.dumps({"product_id": product_id, "reason": reason}).encode())


class Subscriber:
    """One event stream: what it is to be sent, and `wake`, which is set when there is something."""

    def __init__(self, user_id: str, after: int) -> None:
        self.user_id, self.wake, self.closed = user_id, asyncio.Event(), False
        self._after = after
        self._erased = b""
        self._newest = b""
        self._notes: dict[str, bytes] = {}

    def offer(self, current: Current) -> None:
        """A set, which takes the place of an older one that was not sent yet; dropped if it is not newer."""
        if current.revision > self._after:
            self._after = current.revision
            self._newest = current.frame
            self._notes.clear()
            self.wake.set()

    def hide(self, product_id: str, reason: str) -> None:
        """A product of the set is gone."""
        self._notes[product_id] = hidden_frame(product_id, reason)
        self.wake.set()

    def erase(self) -> None:
        """Whatever was known of the shopper is gone; revisions may begin anew."""
        self._after, self._newest = 0, b""
        self._notes.clear()
        self._erased = frame("shopper.erased", json.dumps({"user_id": self.user_id}).encode())
        self.wake.set()

    def close(self) -> None:
        """End the stream."""
        self.closed = True
        self.wake.set()

    def take(self) -> bytes:
        """What is to be sent now; it is not kept."""
        self.wake.clear()
        taken = b"".join((self._erased, self._newest, *self._notes.values()))
        self._erased = self._newest = b""
        self._notes.clear()
        return taken


@dataclass(slots=True)
class _Channel:
    subscribers: set[Subscriber] = field(default_factory=set)
    products: frozenset[str] = frozenset()


class Hub:
    """All subscribers, by shopper, and the shoppers by the products that they are shown."""

    def __init__(self, per_shopper: int = PER_SHOPPER, in_all: int = IN_ALL) -> None:
        self._per_shopper, self._in_all = per_shopper, in_all
        self._channels: dict[str, _Channel] = {}
        self._showing: defaultdict[str, set[str]] = defaultdict(set)
        self.count = 0

    def watched(self, user_id: str) -> bool:
        """Whether anybody is subscribed to the shopper."""
        return user_id in self._channels

    def users(self) -> list[str]:
        """The shoppers that anybody is subscribed to."""
        return list(self._channels)

    def subscribe(self, user_id: str, current: Current | None, after: int | None) -> Subscriber:
        """A new subscriber, to whom the current set is offered; raises TooManySubscribers.

        Args:
            after: the last revision that it has seen, if any; nothing that is not newer is sent to it.
        """
        channel = self._channels.get(user_id)
        if self.count >= self._in_all:
            raise TooManySubscribers(shopper=False)
        if channel is not None and len(channel.subscribers) >= self._per_shopper:
            raise TooManySubscribers(shopper=True)
        if channel is None:
            channel = self._channels[user_id] = _Channel()
        subscriber = Subscriber(user_id, after or 0)
        channel.subscribers.add(subscriber)
        self.count += 1
        if current is not None:
            self._show(user_id, channel, current.products)
            if after == current.revision:  # what happened to it while the subscriber was away
                for product_id, reason in current.hidden.items():
                    subscriber.hide(product_id, reason)
            subscriber.offer(current)
        return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """The stream has ended; may be called again."""
        channel = self._channels.get(subscriber.user_id)
        if channel is None or subscriber not in channel.subscribers:
            return
        channel.subscribers.discard(subscriber)
        self.count -= 1
        if not channel.subscribers:
            self._show(subscriber.user_id, channel, frozenset())
            del self._channels[subscriber.user_id]

    def publish(self, user_id: str, current: Current) -> int:
        """A newer set for all that are subscribed to the shopper; returns how many they are."""
        channel = self._channels.get(user_id)
        if channel is None:
            return 0
        self._show(user_id, channel, current.products)
        for subscriber in channel.subscribers:
            subscriber.offer(current)
        return len(channel.subscribers)

    def hide(self, product_id: str, reason: str) -> None:
        """A product is gone, for all that are shown it."""
        for user_id in self._showing.pop(product_id, set()):
            channel = self._channels[user_id]
            channel.products -= {product_id}
            for subscriber in channel.subscribers:
                subscriber.hide(product_id, reason)

    def recheck(self, user_id: str, current: Current) -> None:
        """The set that a shopper is shown, looked at again: what is hidden in it now is said to be gone."""
        channel = self._channels.get(user_id)
        if channel is None:
            return
        for product_id in channel.products & current.hidden.keys():
            for subscriber in channel.subscribers:
                subscriber.hide(product_id, current.hidden[product_id])
        self._show(user_id, channel, current.products)

    def erase(self, user_id: str) -> None:
        """A shopper was erased."""
        channel = self._channels.get(user_id)
        if channel is not None:
            self._show(user_id, channel, frozenset())
            for subscriber in channel.subscribers:
                subscriber.erase()

    def close(self) -> None:
        """End all streams."""
        for channel in self._channels.values():
            for subscriber in channel.subscribers:
                subscriber.close()

    def _show(self, user_id: str, channel: _Channel, products: frozenset[str]) -> None:
        for product_id in channel.products - products:
            users = self._showing.get(product_id)
            if users is not None:
                users.discard(user_id)
                if not users:
                    del self._showing[product_id]
        for product_id in products - channel.products:
            self._showing[product_id].add(user_id)
        channel.products = products
