"""What became of the events a publisher sent: waiting for the broker, delivered, or failed and not yet told.

In: kafka-python's futures. Out: a `Delivery` per event, and of all those that failed, each told once.
What can fail: nothing here does; `DeliveryError` and TimeoutError say what failed elsewhere.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class FailedEvent:
    """An event that the broker did not acknowledge, and why; `key` is the product's or user's id."""

    event_id: str
    key: str
    reason: str

    def __str__(self) -> str:
        return f"event {self.event_id} of {self.key!r}: {self.reason}"


class DeliveryError(RuntimeError):
    """Events were not delivered.

    Attributes:
        failed: each of them. One that was not acknowledged in time may still have arrived: send it again
            with the same event id, and it counts once.
    """

    def __init__(self, failed: Sequence[FailedEvent]) -> None:
        self.failed = tuple(failed)
        shown = "; ".join(str(event) for event in self.failed[:_SHOWN])
        more = f"; and {len(self.failed) - _SHOWN} more" if len(self.failed) > _SHOWN else ""
        super().__init__(f"{len(self.failed)} not delivered: {shown}{more}")


class Position(NamedTuple):
    """Where an event lies in Kafka."""

    topic: str
    partition: int
    offset: int


class Delivery:
    """One event on its way."""

    def __init__(self, ledger: "Ledger", event_id: str, key: str, size_bytes: int, future: Any) -> None:
        self.event_id, self.key, self.size_bytes = event_id, key, size_bytes
        self._ledger, self._future = ledger, future

    @property
    def done(self) -> bool:
        """Whether the broker has acknowledged the event, or it has failed."""
        return bool(self._future.is_done)

    @property
    def failure(self) -> FailedEvent | None:
        """Why the event failed; None while it is on its way and once it is delivered."""
        error = self._future.exception if self.done else None
        return None if error is None else FailedEvent(self.event_id, self.key, _reason(error))

    def result(self, timeout_s: float | None = None) -> Position:
        """Wait for the acknowledgement.

        Raises:
            DeliveryError: the event failed; `flush` then does not name it again.
            TimeoutError: nothing is known of it after `timeout_s` (None: no limit of its own).
        """
        if not self.wait(timeout_s):
            raise TimeoutError(
                f"event {self.event_id} of {self.key!r}: no acknowledgement in {timeout_s:g} s"
            )
        if (failure := self.failure) is not None:
            self._ledger.told(self)
            raise DeliveryError([failure])
        metadata = self._future.value
        return Position(metadata.topic, metadata.partition, metadata.offset)

    def wait(self, timeout_s: float | None) -> bool:
        """Wait until `done`, at most `timeout_s`; returns `done`."""
        try:
            self._future.get(timeout_s)
        except Exception:  # the event's own failure, or the wait's end
            return self.done
        return True


class Ledger:
    """The deliveries of one publisher. `max_pending_bytes` bounds what waits for the broker."""

    def __init__(self, max_pending_bytes: int) -> None:
        self._max_bytes, self._pending_bytes = max_pending_bytes, 0
        self._pending: set[Delivery] = set()
        self._failed: dict[Delivery, FailedEvent] = {}
        self._changed = threading.Condition()

    def wait_for_room(self, size_bytes: int) -> None:
        """Return once that many bytes more may wait; kafka-python itself would queue without bound.

        It ends because every event ends: acknowledged, or failed after the delivery timeout.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: not self._pending or self._pending_bytes + size_bytes <= self._max_bytes
            )

    def enter(self, delivery: Delivery, future: Any) -> None:
        """Take in an event just sent."""
        with self._changed:
            self._pending.add(delivery)
            self._pending_bytes += delivery.size_bytes
        future.add_both(lambda _outcome: self._settle(delivery))

    def told(self, delivery: Delivery) -> None:
        """Its failure was raised to the caller: do not name it again."""
        self._settle(delivery)
        with self._changed:
            self._failed.pop(delivery, None)

    def collect(self, timeout_s: float) -> list[FailedEvent]:
        """Wait for all sent so far, at most `timeout_s`; returns the failed not yet told, and the late."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            waited_for = list(self._pending)
        late = []
        for delivery in waited_for:
            if delivery.wait(max(0.0, deadline - time.monotonic())):
                self._settle(delivery)
            else:
                late.append(
                    FailedEvent(delivery.event_id, delivery.key, f"no acknowledgement after {timeout_s:g} s")
                )
        with self._changed:
            failed = list(self._failed.values())
            self._failed.clear()
        return failed + late

    @property
    def pending(self) -> int:
        """How many events wait for the broker."""
        return len(self._pending)

    def _settle(self, delivery: Delivery) -> None:
        """Move a delivery that is done out of the pending ones; from any thread, any number of times."""
        with self._changed:
            if delivery not in self._pending:
                return
            self._pending.remove(delivery)
            self._pending_bytes -= delivery.size_bytes
            if (failure := delivery.failure) is not None:
                self._failed[delivery] = failure
            self._changed.notify_all()


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())
    name = type(error).__name__
    return text if text.startswith(name) or not text else f"{name}: {text}"
