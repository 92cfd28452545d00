"""Faust made steady in rebalances: no event skipped, none applied twice by a worker that has lost it.

In: a Faust app. Out: the same app with a consumer that stands still while its partitions are sought, and
`Hands`, in which agents do their work. Fails with nothing of its own.

Two things go wrong without it, both seen with a backlog while workers joined and left:
- Faust's fetching task goes on while recovery seeks the partitions to their committed offsets. What it
  delivers meanwhile is dropped from the queues, yet counts as read, so that later offsets are handled
  first; the others come too late, or never, because a later commit takes the gap for a compacted one.
- Work begun before a rebalance goes on after it, and writes to the table and changelog of a partition that
  has another owner by then.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import faust
from faust.transport.drivers.aiokafka import Consumer

from streams.handling import finished

log = logging.getLogger(__name__)
_FINISHED_WITHIN_S = 5.0
_PARKED_WITHIN_S = 5.0  # a fetch takes at most one


class Hands:
    """The work that an app's agents have in hand."""

    def __init__(self, app: faust.App) -> None:
        self._app = app
        self._tasks: set[asyncio.Task[Any]] = set()
        self._listeners: list[Callable[[], object]] = []

    def when_put_down(self, drop: Callable[[], object]) -> None:
        """Have `drop` called whenever nothing more is to be begun, to forget what has not been begun yet."""
        self._listeners.append(drop)

    def begin(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None] | None":
        """Begin `work`; None if it was not begun because its partitions go. `put_down` waits for it."""
        if not self._app.flow_control.is_active():
            work.close()
            return None
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finish(self, work: Coroutine[Any, Any, None]) -> bool:
        """Run `work` to its end; False if it was not begun, or given up, because its partitions go.

        Its events must not be acknowledged then: they come again. Cancelling the caller is as in `finished`.
        """
        if (task := self.begin(work)) is None:
            return False
        try:
            await finished(task)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if task.cancelled() and not (caller and caller.cancelling()):
                return False
            raise
        return True

    async def put_down(self, longest_s: float = _FINISHED_WITHIN_S) -> None:
        """Begin nothing more, and return when nothing is in hand; what takes longer is given up."""
        self._app.flow_control.suspend()
        for drop in self._listeners:
            drop()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=longest_s)
        if late := list(self._tasks):
            log.warning("giving up %s unfinished pieces of work: their partitions go", len(late))
            for task in late:
                task.cancel()
            await asyncio.wait(late, timeout=1.0)


class SteadyConsumer(Consumer):
    """Faust's consumer, whose fetching task can be parked."""

    app: "SteadyApp"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._parked, self._draining = asyncio.Event(), False

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Nothing is in hand any more when others may get the partitions."""
        self.stop_flow()
        await self.app.hands.put_down()
        await super().on_partitions_revoked(revoked)

    async def park(self) -> None:
        """Stop the flow and return once nothing fetched is on its way to an agent; `resume_flow` ends it."""
        self.stop_flow()
        if self._draining and not self.should_stop:
            try:
                await asyncio.wait_for(self._parked.wait(), _PARKED_WITHIN_S)
            except TimeoutError:
                log.warning("the fetching task did not stop within %s s", _PARKED_WITHIN_S)

    async def _wait_next_records(self, timeout: float) -> Any:
        while not self.flow_active and not self.should_stop:
            self._parked.set()
            await self.wait(self.can_resume_flow.wait())
            self._parked.clear()
        return await super()._wait_next_records(timeout)

    async def _drain_messages(self, fetcher: Any) -> None:
        self._draining = True
        try:
            await super()._drain_messages(fetcher)
        finally:
            self._draining = False
            self._parked.set()


class SteadyApp(faust.App):
    """A Faust app with a `SteadyConsumer`. Agents do their work in `hands`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.hands = Hands(self)
        # Sent when recovery is done, just before the partitions are sought.
        self.on_rebalance_complete.connect(self._park)

    async def _park(self, *_: Any, **__: Any) -> None:
        consumer: Any = self.consumer
        await consumer.park()

    def _new_transport(self) -> Any:
        transport: Any = super()._new_transport()
        transport.Consumer = SteadyConsumer
        return transport
