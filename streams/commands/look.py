"""`lookstream look`: what garments a photo shows, and which products look like them.

In: a photo file, the vector store, and the products' photos for the picture. Out: a table or JSON on stdout,
and with `out` a PNG. What can fail: the file or the photo (ValueError, PhotoError), the vector store
(VectorStoreError).
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image

from models.photo import Photo, PhotoError, decode_photo
from models.vision import Garment
from streams.media import MediaError, MediaResolver, MediaUnavailable
from streams.pictures import PART_COLOURS, Box, Pixels, Row, Tile, beside, boxes, crop, grid
from streams.services import indexed_part, open_configured_look_vision, open_configured_store
from streams.settings import Settings
from vectorstore.base import MAX_K, GarmentQuery, Hit, VectorStore

_SHOWN: Final = ("title", "category", "link", "image_link", "price")
_COLUMNS: Final = 9
_PHOTO_PX: Final = (360, 720)  # the photo is as high as the sheet beside it, within these


@dataclass(frozen=True, eq=False, slots=True)
class Look:
    """A garment of the photo and the products most similar to it, one hit each."""

    garment: Garment
    similar: Sequence[Hit]


def look(settings: Settings, photo: Path, *, k: int, out: Path | None, as_json: bool) -> int:
    """Print the garments of `photo` and for each `k` similar products in stock; returns 0."""
    if k < 1:
        raise ValueError(f"k: got {k}, expected at least 1")
    try:
        decoded = decode_photo(photo.read_bytes())
    except OSError as error:
        raise ValueError(f"{photo}: {error.strerror}") from None
    looks = asyncio.run(_look(settings, photo.name, decoded, k, out))
    print(json.dumps(as_data(photo, decoded, looks)) if as_json else as_text(looks))
    return 0


async def _look(settings: Settings, name: str, photo: Photo, k: int, out: Path | None) -> list[Look]:
    store = await open_configured_store(
        settings
    )  # first: it fails at once, and a vision takes seconds to load
    try:
        garments = open_configured_look_vision(settings, with_pose=True).garments([photo])[0]
        looks = [
            Look(garment, await similar_products(store, garment, k, indexed_part(settings, garment.part)))
            for garment in garments
        ]
    finally:
        await store.close()
    if out is not None:
        photos = await _photos(settings, [hit for look in looks for hit in look.similar])
        picture(name, photo, looks, photos, k).save(out, format="PNG")
    return looks


async def similar_products(store: VectorStore, garment: Garment, k: int, part: str) -> list[Hit]:
    """The `k` products in stock with the most similar garment of a part, that garment of each."""
    wanted = min(2 * k, MAX_K)
    while True:
        query = GarmentQuery(embedding=garment.embedding, k=wanted, parts=frozenset({part}))
        hits = (await store.query([query]))[0]
        best: dict[str, Hit] = {}
        for hit in hits:
            best.setdefault(hit.product_id, hit)
        if len(best) >= k or len(hits) < wanted or wanted == MAX_K:
            return list(best.values())[:k]
        wanted = min(4 * wanted, MAX_K)


def as_data(path: Path, photo: Photo, looks: Sequence[Look]) -> dict[str, Any]:
    """The JSON form."""
    return {
        "photo": str(path),
        "width": photo.source_width,
        "height": photo.source_height,
        "garments": [
            {
                "part": look.garment.part,
                "category": look.garment.category,
                "box_xyxy": [round(side, 1) for side in look.garment.box_xyxy],
                "score": round(look.garment.score, 4),
                "pose": asdict(look.garment.pose) if look.garment.pose else None,
                "similar": [
                    {
                        "rank": rank,
                        "product_id": hit.product_id,
                        "garment_id": hit.garment_id,
                        "similarity": round(hit.similarity, 4),
                        **{name: hit.payload.get(name) for name in _SHOWN},
                    }
                    for rank, hit in enumerate(look.similar, 1)
                ],
            }
            for look in looks
        ],
    }


def as_text(looks: Sequence[Look]) -> str:
    """The table for people."""
    lines = []
    for look in looks:
        x1, y1, x2, y2 = (round(side) for side in look.garment.box_xyxy)
        lines.append(f"{_name(look.garment)}  at {x1},{y1} to {x2},{y2}")
        for rank, hit in enumerate(look.similar, 1):
            title = hit.payload.get("title") or ""
            lines.append(f"{rank:4}  {hit.similarity:.3f}  {hit.product_id}  {title}".rstrip())
        if not look.similar:
            lines.append("      no product with this part is in stock")
    return "\n".join(lines) or "no garments found"


def picture(name: str, photo: Photo, looks: Sequence[Look], photos: dict[str, Pixels], k: int) -> Image.Image:
    """The photo with boxes, and beside it a row per garment: its crop, then the products' photos by link."""
    drawn, rows = [], []
    for look in looks:
        x1, y1, x2, y2 = (side / photo.scale for side in look.garment.box_xyxy)
        colour = PART_COLOURS[look.garment.part]
        drawn.append(Box((x1, y1, x2, y2), _name(look.garment), colour))
        tiles = [Tile(crop(photo.pixels, (x1, y1, x2, y2)), "in the photo", frame=colour)]
        for hit in look.similar:
            shown = photos.get(hit.payload.get("image_link", ""))
            title = hit.payload.get("title") or hit.product_id
            tiles.append(Tile(shown, title, f"{hit.similarity:.3f}"))
        rows.append(Row(_name(look.garment), tiles, colour))
    sheet = grid(name, rows, columns=min(1 + k, _COLUMNS))
    height_px = min(max(sheet.height - 60, _PHOTO_PX[0]), _PHOTO_PX[1])
    return beside(boxes(photo.pixels, drawn, height_px=height_px), sheet)


def _name(garment: Garment) -> str:
    kind = f"{garment.part}: {garment.category}" if garment.category else garment.part
    return f"{kind} {garment.score:.2f}"


async def _photos(settings: Settings, hits: Sequence[Hit]) -> dict[str, Pixels]:
    """Pixels by image_link, of those that can be had."""
    media = MediaResolver(settings.media_dir, settings.inline_dir, settings.allowed_hosts)
    links = {link for hit in hits if (link := hit.payload.get("image_link"))}
    found: dict[str, Pixels] = {}
    try:
        for link in sorted(links):
            try:
                found[link] = decode_photo(await media.fetch(link)).pixels
            except (MediaError, MediaUnavailable, PhotoError):
                continue  # the tile says that there is no photo
    finally:
        await media.aclose()
    return found
