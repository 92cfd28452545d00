"""index-garments: a product event becomes searchable garments.

In: records of `product-events`, in batches. Out: garments and product records in the vector store, then
`garments.indexed`, `.updated` or `.removed`. A photo that cannot be used makes its event a dead letter and
leaves the product as it was. Events of one product are applied in order; different products share a batch.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import models.catalogue as catalogue
from models.catalogue import IMAGE_FIELDS, Effect, ProductRecord, Version
from models.photo import Photo, decode_photo
from models.vision import Garment
from schemas import events
from schemas.cloudevents import Event
from schemas.products import ProductRemoved, ProductUpdated, ProductUploaded
from streams.agents.product_points import as_event, points, product_payload
from streams.handling import Handling
from streams.record import Record, send_event
from vectorstore.base import GarmentPoint, VectorStore

MAX_LINK_CHARS: Final = 2000
"""Of a link to a photo, as the events and sets that name it have it; an inline photo may be longer."""

ProductEvent = ProductUploaded | ProductUpdated | ProductRemoved


class Media(Protocol):
    """Where the bytes behind an image_link come from."""

    async def fetch(self, image_link: str) -> bytes:
        """The bytes; raises MediaError or MediaUnavailable."""

    def store_inline(self, data: bytes) -> str:
        """Keep an inline photo; returns the reference that replaces it."""


class Eyes(Protocol):
    """The vision, off the event loop."""

    detector: str
    embedder: str

    async def garments(self, photos: Sequence[Photo]) -> list[list[Garment]]:
        """The garments of each photo, in one pass."""


class UnusablePhotoError(ValueError):
    """A photo of a product cannot be used; the message names the field and why."""


@dataclass(slots=True)
class _Job:
    """One event on its way through a batch; `photos` by their links, `garments` by image ordinal."""

    record: Record
    event: Event
    data: ProductEvent
    before: ProductRecord = field(default_factory=ProductRecord)
    after: ProductRecord = field(default_factory=ProductRecord)
    effect: Effect = Effect.NOTHING
    photos: dict[str, Photo] = field(default_factory=dict)
    images: list[Photo] = field(default_factory=list)
    garments: list[tuple[int, list[Garment]]] = field(default_factory=list)
    failed: bool = False


class IndexGarments:
    """The agent."""

    def __init__(
        self,
        store: VectorStore,
        media: Media,
        eyes: Eyes,
        handling: Handling,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store, self.media, self.eyes, self.handling, self.clock = store, media, eyes, handling, clock
        self.metrics, self.outbox = handling.metrics, handling.outbox

    async def handle(self, records: Sequence[Record]) -> None:
        """Bring a batch of product events to the index; raises nothing but cancellation."""
        read = await asyncio.gather(*(self._read(record) for record in records))
        waiting = [job for job in read if job is not None]
        while waiting:
            turn: dict[str, _Job] = {}
            later = []
            for job in waiting:  # the first event of each product; its others wait for the next turn
                if job.data.id in turn:
                    later.append(job)
                else:
                    turn[job.data.id] = job
            await self._turn(list(turn.values()))
            waiting = later
        self.handling.progressed()

    async def _turn(self, jobs: Sequence[_Job]) -> None:
        try:
            await self._apply(jobs)
        except Exception as error:
            if len(jobs) == 1:
                await self.handling.bury(jobs[0].record, error)
                return
            for job in jobs:  # so that one that fails takes no other along
                await self._turn([job])
            return
        to_see = [job for job in jobs if job.effect is Effect.INDEX]
        await asyncio.gather(*(self._or_buried(job, self._look_up) for job in to_see))
        await self._see([job for job in to_see if not job.failed])
        await asyncio.gather(*(self._or_buried(job, self._write) for job in jobs if not job.failed))

    async def _apply(self, jobs: Sequence[_Job]) -> None:
        """Look up what is known of the products, and say what becomes of it."""
        ids = [job.data.id for job in jobs]
        held = await self.handling.retried(lambda: self.store.get_records(ids), jobs[0].record)
        for job in jobs:
            version = Version(job.event.time.timestamp(), job.record.offset)
            job.before = catalogue.unpack(held.get(job.data.id))
            job.after, job.effect = catalogue.apply(job.before, job.data, version)

    async def _or_buried(self, job: _Job, step: Callable[[_Job], Awaitable[None]]) -> None:
        try:
            await self.handling.retried(lambda: step(job), job.record)
        except Exception as error:
            job.failed = True
            await self.handling.bury(job.record, error)

    async def _read(self, record: Record) -> _Job | None:
        """The event in a record, its inline photos decoded and kept; None when it became a dead letter."""
        self.handling.count_in(record)
        try:
            event, data = events.read(
                events.PRODUCT_EVENTS, record.headers, record.value, record.key, record.appended_at
            )
        except ValueError as error:
            await self.handling.bury(record, error)
            return None
        job = _Job(record, event, data)
        await self._or_buried(job, self._take_inline)
        return None if job.failed else job

    async def _take_inline(self, job: _Job) -> None:
        """Replace data: URIs by references, so that nothing else ever holds photos' bytes."""
        changes: dict[str, object] = {}
        for name in IMAGE_FIELDS:
            links = getattr(job.data, name, None)
            if isinstance(links, str) and _is_inline(links):
                changes[name] = await self._kept(job, links, name)
            elif isinstance(links, list) and any(map(_is_inline, links)):
                kept = [await self._additional(job, link, at) for at, link in enumerate(links)]
                changes[name] = [link for link in kept if link is not None]
        if changes:
            job.data = job.data.model_copy(update=changes)

    async def _kept(self, job: _Job, link: str, place: str) -> str:
        """The reference of an inline photo, or the link itself; the photo is decoded on the way."""
        try:
            with self.metrics.timed("decode"):
                if not _is_inline(link) and len(link) > MAX_LINK_CHARS:
                    raise ValueError(f"got {len(link)} characters, expected at most {MAX_LINK_CHARS}")
                data = await self.media.fetch(link)
                photo = await asyncio.to_thread(decode_photo, data)
                if _is_inline(link):
                    link = await asyncio.to_thread(self.media.store_inline, data)
        except ValueError as error:
            refused = UnusablePhotoError(f"field '{place}': {error}")
            refused.lookstream_stage = "decode"  # type: ignore[attr-defined]
            raise refused from error
        job.photos[link] = photo
        return link

    async def _additional(self, job: _Job, link: str, at: int) -> str | None:
        """As `_kept`, but a product can do without a further photo: the dead letter says which is missing."""
        try:
            return await self.handling.retried(
                lambda: self._kept(job, link, f"additional_image_link.{at}"), job.record
            )
        except Exception as error:
            error.args = (f"{error} (the product is indexed without it)",)
            await self.handling.bury(job.record, error)
            return None

    async def _look_up(self, job: _Job) -> None:
        """Decode the photos that the product has now."""
        main = job.after.value("image_link")
        if main not in job.photos:
            await self._kept(job, main, "image_link")
        links = job.after.value("additional_image_link") or []
        kept = [
            link
            for at, link in enumerate(links)
            if link in job.photos or await self._additional(job, link, at) is not None
        ]
        if kept != links:
            job.after = job.after.with_value("additional_image_link", kept)
        job.images = [job.photos[link] for link in (main, *kept)]

    async def _see(self, jobs: Sequence[_Job]) -> None:
        """Run the vision on all photos of the turn at once; if that fails, on each product's alone."""
        if not jobs:
            return
        try:
            await self._see_together(jobs)
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].failed = True
                await self.handling.bury(jobs[0].record, error)
                return
            for job in jobs:
                await self._see([job])

    async def _see_together(self, jobs: Sequence[_Job]) -> None:
        photos = [photo for job in jobs for photo in job.images]
        with self.metrics.timed("embed"):
            found = iter(await self.eyes.garments(photos))
        for job in jobs:
            job.garments = [(ordinal, next(found)) for ordinal in range(len(job.images))]
            job.photos.clear()

    async def _write(self, job: _Job) -> None:
        """Index first, then the record, then the event: a crash between them only makes it happen again."""
        product_id, found = job.data.id, None
        with self.metrics.timed("upsert"):
            found = await self._indexed(job)
            if job.after != job.before:
                await self.store.put_records({product_id: catalogue.pack(job.after)})
        if job.effect is Effect.INDEX:
            self.metrics.upload_to_searchable.observe(max(0.0, self.clock() - job.record.appended_at_s))
        event = as_event(
            product_id, job.after, job.effect, found, self.eyes.detector, self.eyes.embedder, job.event
        )
        if event is not None:
            with self.metrics.timed("emit"):
                await send_event(self.outbox, "garments", product_id, event)
            self.metrics.events_out.labels("garments", event.type).inc()

    async def _indexed(self, job: _Job) -> Sequence[GarmentPoint] | None:
        """The index brought to the job's state; the garments where the event names them."""
        product_id = job.data.id
        match job.effect:
            case Effect.INDEX:
                found = points(product_id, job.after, job.garments, job.record.appended_at_s)
                await self.store.replace_product(product_id, found)
                return found
            case Effect.UPDATE:
                await self.store.update_payload(product_id, product_payload(job.after))
            case Effect.REMOVE:
                await self.store.delete_product(product_id)
            case Effect.REPEAT if job.after.visible:
                return (await self.store.fetch_products([product_id])).get(product_id, [])
            case _:
                pass
        return None


def _is_inline(link: str) -> bool:
    return link[:5].lower() == "data:"
