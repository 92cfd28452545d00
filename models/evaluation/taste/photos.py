"""Catalogues of photos: a folder of class folders, or drawn garments; embeddings are kept by photo.

In: photos and a vision, which is only opened for photos that were not seen before. Out: `Catalogue`. Fails
with ValueError for a folder without photos or a photo that is damaged, OSError where nothing can be read or
written.
"""

import hashlib
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.datasets.drawn import photo_name, write_catalogue
from models.evaluation.taste.catalogue import Catalogue, Product
from models.photo import Photo, PhotoError, decode_photo
from models.taste.shopper import GarmentSeen
from models.vision import MAX_BATCH, Vision

Seen = tuple[str, NDArray[np.float32]]
"""A garment's part and embedding (D,)."""
Progress = Callable[[str, int, int], None]
"""Called with what is done, how much of it, and of how much."""
SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp"})
DRAWN_SEED: Final = 11  # neither the demo's catalogue nor one that anything was fitted on or chosen by
DRAWN_COUNT: Final = 640


class Embeddings:
    """Photos' garments, kept in a file by the SHA-256 of the photo; `open_vision` is called when needed."""

    def __init__(self, file: Path, open_vision: Callable[[], Vision], progress: Progress) -> None:
        self.file, self.open_vision, self.progress = file, open_vision, progress

    def of(self, photos: Sequence[Path]) -> list[list[Seen]]:
        """The garments of each photo."""
        held = self._read()
        data = {path: path.read_bytes() for path in photos}
        names = {path: hashlib.sha256(content).hexdigest() for path, content in data.items()}
        missing = [path for path in photos if names[path] not in held]
        if missing:
            vision = self.open_vision()
            for start in range(0, len(missing), MAX_BATCH):
                batch = missing[start : start + MAX_BATCH]
                found = vision.garments([_decoded(path, data[path]) for path in batch])
                for path, garments in zip(batch, found, strict=True):
                    held[names[path]] = [(garment.part, garment.embedding) for garment in garments]
                self.progress("embedding photos", min(start + MAX_BATCH, len(missing)), len(missing))
            self._write(held)
        return [held[names[path]] for path in photos]

    def _read(self) -> dict[str, list[Seen]]:
        try:
            with np.load(self.file, allow_pickle=False) as kept:
                rows = iter(zip(kept["parts"].tolist(), kept["embeddings"], strict=True))
                return {
                    name: [next(rows) for _ in range(count)]
                    for name, count in zip(kept["photos"].tolist(), kept["counts"].tolist(), strict=True)
                }
        except FileNotFoundError:
            return {}
        except (KeyError, ValueError, StopIteration, RuntimeError, EOFError, zipfile.BadZipFile):
            return {}  # half a file or another's: it is made anew

    def _write(self, held: dict[str, list[Seen]]) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        rows = [row for garments in held.values() for row in garments]
        part = self.file.with_suffix(".part")
        with part.open("wb") as out:
            np.savez(
                out,
                photos=np.array(list(held)),
                counts=np.array([len(garments) for garments in held.values()]),
                parts=np.array([name for name, _ in rows]),
                embeddings=np.stack([embedding for _, embedding in rows]),
            )
        part.replace(self.file)


def photo_catalogue(folder: Path, embeddings: Embeddings) -> Catalogue:
    """The photos below a folder; what is true of each is the name of the folder it is in."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise ValueError(f"{folder}: got no photos (JPEG, PNG, WebP), expected some, in sub-folders by class")
    names = [str(path.relative_to(folder)) for path in paths]
    attributes = [frozenset({path.parent.name}) if path.parent != folder else frozenset() for path in paths]
    found = embeddings.of(paths)
    return Catalogue("photos", [_product(*row, None) for row in zip(names, attributes, found, strict=True)])


def drawn_catalogue(folder: Path, embeddings: Embeddings) -> Catalogue:
    """Drawn products, written to `folder`; true of each are its kind, pattern, colour and styles."""

    def drawing(done: int, count: int) -> None:
        embeddings.progress("drawing products", done, count)

    drawn = write_catalogue(folder, DRAWN_SEED, DRAWN_COUNT, drawing)
    found = embeddings.of([folder / photo_name(product) for product in drawn])
    products = []
    for product, garments in zip(drawn, found, strict=True):
        sold = product.sold_garment
        attributes = frozenset({sold.category, sold.pattern, sold.colour, *product.styles})
        products.append(_product(product.product_id, attributes, garments, sold.part))
    return Catalogue("drawn", products)


def _product(name: str, attributes: frozenset[str], garments: Sequence[Seen], part: str | None) -> Product:
    whole = next((embedding for of, embedding in garments if of == "whole"), garments[0][1])
    # As the services do: the whole photo counts only where nothing was detected in it.
    counted = [row for row in garments if row[0] != "whole"] or garments
    seen = tuple(GarmentSeen(f"{name}/{n}", *row) for n, row in enumerate(counted))
    return Product(name, attributes, seen, whole, part)


def _decoded(path: Path, data: bytes) -> Photo:
    try:
        return decode_photo(data)
    except PhotoError as error:
        raise ValueError(f"{path}: {error}") from error
