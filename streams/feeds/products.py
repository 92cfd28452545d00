"""Product feeds of every format as one stream of events.

In: a folder of photos, or a .jsonl, .ndjson, .csv, .tsv or .xml file. Out: items. What can fail:
FeedUnreadable before the first item; a wrong entry is a FeedError.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from schemas.errors import SchemaError
from schemas.events import PRODUCT_EVENTS, validate
from schemas.products import ProductFields, ProductUploaded
from streams.feeds import jsonl, merchant
from streams.feeds.folder import read_folder
from streams.feeds.items import FeedError, FeedEvent, FeedUnreadable, new_event, own_event
from streams.feeds.photos import PhotoLinks, PhotoUnusable

_FORMATS: Final = (*jsonl.SUFFIXES, *merchant.DELIMITERS, merchant.XML_SUFFIX)


def read_products(source: Path, *, media_root: Path | None) -> Iterator[ProductUploaded | FeedError]:
    """The products of a feed; an update or a removal is a FeedError. Otherwise as `read_product_events`."""
    for item in read_product_events(source, media_root=media_root):
        if isinstance(item, FeedError):
            yield item
        elif isinstance(item.event.data, ProductUploaded):
            yield item.event.data
        else:
            yield FeedError(item.place, f"got {item.event.type}, expected product.uploaded")


def read_product_events(source: Path, *, media_root: Path | None) -> Iterator[FeedEvent | FeedError]:
    """The product events of a feed, one at a time.

    A product whose photo lies below `media_root` links to it; the photo of another is sent inside the event.
    In JSON Lines a line is the data of an upload, or an event: a structured CloudEvent, or
    {"type": "product.updated", "data": {…}}.

    Args:
        source: a folder of photos, or a feed file.
        media_root: the folder that lookstream resolves relative image_links under, if it is on this machine.

    Raises:
        FeedUnreadable: `source` is not there or in none of the known formats.
    """
    if source.is_dir():
        return read_folder(source, PhotoLinks(media_root, source))
    if not source.is_file():
        raise FeedUnreadable(f"{source}: not there, expected a folder of photos or a feed file")
    links = PhotoLinks(media_root, source.parent)
    match source.suffix.lower():
        case suffix if suffix in jsonl.SUFFIXES:
            return _from_lines(source, links)
        case suffix if suffix in merchant.DELIMITERS:
            return _from_entries(merchant.read_table(source), links)
        case merchant.XML_SUFFIX:
            return _from_entries(merchant.read_xml(source), links)
        case suffix:
            raise FeedUnreadable(f"{source}: suffix {suffix!r}, expected a folder or {', '.join(_FORMATS)}")


def _from_entries(entries: Iterator[merchant.Entry], links: PhotoLinks) -> Iterator[FeedEvent | FeedError]:
    for place, data in entries:
        yield data if isinstance(data, FeedError) else _item(place, data, links)


def _from_lines(path: Path, links: PhotoLinks) -> Iterator[FeedEvent | FeedError]:
    for place, raw, entry in jsonl.read_objects(path):
        if isinstance(entry, FeedError):
            yield entry
        elif "specversion" in entry or ("type" in entry and "data" in entry):
            yield _item(place, entry, links, raw)
        else:
            yield _item(place, entry, links)


def _item(
    place: str, entry: dict[str, Any], links: PhotoLinks, raw: bytes | None = None
) -> FeedEvent | FeedError:
    """The item of an entry that is an upload's data or, where `raw` is given, an event."""
    try:
        if raw is not None:
            event = own_event(raw, entry, PRODUCT_EVENTS, "id")
        else:
            data = validate(ProductUploaded, entry, "product.uploaded")
            event = new_event("product.uploaded", data, entry["id"])
        if isinstance(event.data, ProductFields):
            event = replace(event, data=_linked(event.data, links))
    except (PhotoUnusable, SchemaError) as error:
        return FeedError(place, str(error))
    return FeedEvent(place, event)


def _linked(data: ProductFields, links: PhotoLinks) -> ProductFields:
    changed: dict[str, Any] = {}
    if data.image_link is not None:
        changed["image_link"] = links.to_link(data.image_link)
    if data.additional_image_link is not None:
        changed["additional_image_link"] = [links.to_link(link) for link in data.additional_image_link]
    return data.model_copy(update=changed)
