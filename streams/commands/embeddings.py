"""`lookstream embeddings project`: what lies next to what, as a TensorBoard projector log and an HTML map.

In: FashionMNIST, a folder of photos in class folders, or the catalogue that is indexed. Out: `projector/`,
the log with sprites, and `map.html`, one file. Returns 1 when some could not be read (each is named on
stderr), else 0. Fails with ValueError for a source that is empty, DatasetError for one that is malformed,
VectorStoreError without a vector store, RuntimeError without the extra `train`.
"""

import asyncio
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.datasets.class_folders import SUFFIXES
from models.datasets.fashion_mnist import read_fashion_mnist
from models.datasets.records import Skipped
from models.photo import Photo, PhotoError, decode_photo
from models.projector import LEAST, Mapped, Method, places, sprite_side_px, thumbnail, write_log
from models.projector_map import page
from models.vision import MAX_BATCH, Vision
from streams.media import MediaError, MediaResolver, MediaUnavailable
from streams.services import open_configured_store, open_configured_vision
from streams.settings import Settings
from vectorstore.base import MAX_K, GarmentPoint

Pixels = NDArray[np.uint8]
_FETCHED_AT_ONCE: Final = 200


@dataclass(frozen=True, eq=False, slots=True)
class Seen:
    """One thing to map: its name, class, picture (H, W, 3) and embedding (D,)."""

    name: str
    kind: str
    pixels: Pixels
    embedding: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Source:
    """What to map: a FashionMNIST folder, a folder of photos, or with neither the indexed catalogue."""

    fashion_mnist: Path | None = None
    photos: Path | None = None


def project(
    settings: Settings, source: Source, out: Path, *, limit: int, method: Method, seed: int, as_json: bool
) -> int:
    """Map at most `limit` things, chosen by chance where there are more."""
    skipped = Skipped(lambda line: print(line, file=sys.stderr))
    title, seen = _seen(settings, source, limit, seed, skipped)
    if len(seen) < LEAST:
        raise ValueError(f"{title}: got {len(seen)} to map, expected at least {LEAST}")
    side = sprite_side_px(len(seen))
    things = [Mapped(one.name, one.kind, thumbnail(one.pixels, side)) for one in seen]
    embeddings = np.stack([one.embedding for one in seen])
    found = places(embeddings, method, seed)
    write_log(out / "projector", embeddings, things, "lookstream")
    about = {
        "Shown": f"{len(seen)}",
        "Embedding": f"{embeddings.shape[1]} numbers, vision {settings.vision.split(':')[0]}",
        "Map": {"tsne": "t-SNE", "pca": "PCA"}[method] + f", seed {seed}",
    }
    (out / "map.html").write_text(page(f"{title}: embedding map", found, things, about), encoding="utf-8")
    told = {"mapped": len(seen), "skipped": skipped.count, "dim": int(embeddings.shape[1])}
    told_paths = {"map": str(out / "map.html"), "projector": str(out / "projector")}
    if as_json:
        print(json.dumps(told | told_paths))
    else:
        print(f"{told_paths['map']}: {told['mapped']} mapped, {told['skipped']} left out")
        print(f"tensorboard --logdir {told_paths['projector']}")
    return 1 if skipped.count else 0


def _seen(
    settings: Settings, source: Source, limit: int, seed: int, skipped: Skipped
) -> tuple[str, list[Seen]]:
    if source.fashion_mnist is not None:
        pictures = read_fashion_mnist(source.fashion_mnist, None, skipped)
        chosen = _chosen(len(pictures.pixels), limit, seed)
        names = pictures.names()
        grey = [np.repeat(pictures.pixels[at][..., None], 3, axis=2) for at in chosen]
        rows = [(f"{at:05}", names[at], _photo(pixels)) for at, pixels in zip(chosen, grey, strict=True)]
        return "FashionMNIST", list(_looked(settings, rows, len(rows), parts=False))
    if source.photos is not None:
        folder = source.photos
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        wanted = [paths[at] for at in _chosen(len(paths), limit, seed)]
        photos = _decoded(folder, wanted, skipped)
        return folder.resolve().name, list(_looked(settings, photos, len(wanted), parts=True))[:limit]
    return "Indexed catalogue", asyncio.run(_indexed(settings, limit, skipped))


def _chosen(count: int, limit: int, seed: int) -> list[int]:
    """Which of `count`, in order: all, or `limit` by chance."""
    if count <= limit:
        return list(range(count))
    return sorted(np.random.default_rng(seed).choice(count, limit, replace=False).tolist())


def _photo(pixels: Pixels) -> Photo:
    return Photo(pixels, pixels.shape[1], pixels.shape[0], hashlib.sha256(pixels.tobytes()).hexdigest())


def _decoded(folder: Path, paths: Sequence[Path], skipped: Skipped) -> Iterator[tuple[str, str, Photo]]:
    for path in paths:
        kind = path.parent.name if path.parent != folder else ""
        try:
            photo = decode_photo(path.read_bytes())
        except (OSError, PhotoError) as error:
            skipped.add(path, "photo", error)
            continue
        yield str(path.relative_to(folder)), kind, photo


def _looked(
    settings: Settings, rows: Iterable[tuple[str, str, Photo]], count: int, *, parts: bool
) -> Iterator[Seen]:
    """What the vision sees: the whole of each photo, or with `parts` its garments where it has any."""
    vision = open_configured_vision(settings, with_gate=False)
    batch: list[tuple[str, str, Photo]] = []
    with tqdm(total=count, desc="embedding", disable=None, file=sys.stderr) as progress:
        for row in rows:
            batch.append(row)
            if len(batch) == MAX_BATCH:
                yield from _of_batch(vision, batch, parts)
                progress.update(len(batch))
                batch = []
        if batch:
            yield from _of_batch(vision, batch, parts)
            progress.update(len(batch))


def _of_batch(vision: Vision, batch: Sequence[tuple[str, str, Photo]], parts: bool) -> Iterator[Seen]:
    found = vision.garments([photo for _, _, photo in batch])
    for (name, kind, photo), garments in zip(batch, found, strict=True):
        whole = [garment for garment in garments if garment.part == "whole"]
        for garment in ([g for g in garments if g.part != "whole"] or whole) if parts else whole:
            pixels = _cut(photo, garment.box_xyxy)
            yield Seen(name, kind or garment.category or garment.part, pixels, garment.embedding)


def _cut(photo: Photo, box_xyxy: Sequence[float]) -> Pixels:
    """The pixels in a box that is in pixels of the source photo; the whole photo where that is empty."""
    x1, y1, x2, y2 = (round(max(0.0, side) / photo.scale) for side in box_xyxy)
    pixels = photo.pixels[y1:y2, x1:x2]
    return pixels if pixels.size else photo.pixels


async def _indexed(settings: Settings, limit: int, skipped: Skipped) -> list[Seen]:
    """The newest garments in the index, the whole of a photo only where nothing was found in it."""
    store = await open_configured_store(settings)
    media = MediaResolver(settings.media_dir, settings.inline_dir, settings.allowed_hosts)
    try:
        newest = await store.newest(min(2 * limit, MAX_K), in_stock_only=False)
        products = list(dict.fromkeys(hit.product_id for hit in newest))
        found: list[Seen] = []
        for start in range(0, len(products), _FETCHED_AT_ONCE):
            batch = products[start : start + _FETCHED_AT_ONCE]
            fetched = await store.fetch_products(batch)
            for product_id in batch:
                found += await _of_product(media, fetched.get(product_id, []), skipped)
            if len(found) >= limit:
                break
        return found[:limit]
    finally:
        await media.aclose()
        await store.close()


async def _of_product(media: MediaResolver, points: Sequence[GarmentPoint], skipped: Skipped) -> list[Seen]:
    garments = [point for point in points if point.payload["part"] != "whole"] or list(points)
    photos: dict[str, Photo] = {}
    seen = []
    for point in garments:
        link, product = str(point.payload.get("image_link")), point.product_id
        try:
            if link not in photos:
                photos[link] = decode_photo(await media.fetch(link))
        except (MediaError, MediaUnavailable, PhotoError) as error:
            skipped.add(Path(link), f"product {product}", error)
            continue
        pixels = _cut(photos[link], point.payload.get("box_xyxy", (0, 0, 0, 0)))
        name, kind = point.payload.get("title") or product, point.payload.get("category")
        seen.append(Seen(name, kind or point.payload["part"], pixels, point.embedding))
    return seen
