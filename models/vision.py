"""The seam between photos and everything behind them: photo -> garments.

In: decoded photos. Out: for each photo its garments, with part, box, score and embedding. A vision takes
milliseconds a photo: call it off the event loop, from one thread at a time. Importing this module does not
import torch; `open_vision` does.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.photo import Photo
from models.pose import Pose
from models.published.names import parse
from models.visions import describe
from schemas.parts import Part

# Photos in one forward pass. On one core larger batches are slower: 8 ms a photo at 4, 12.5 ms at 16.
MAX_BATCH = 4
KEPT_OF_LONG_SIDE = 0.75
_GARMENT_NAMESPACE = uuid.UUID("6f1d0c0e-5a3b-5d0f-9a57-0b7c1f0f6c2d")
_WHITE = (255, 255, 255)


@dataclass(frozen=True, eq=False)
class Garment:
    """One wearable found in a photo.

    `box_xyxy` is in pixels of the upright source photo (right and bottom exclusive), `score` is 0 to 1,
    `embedding` is a unit float32 (D,), `category` is None where the vision tells only the part, `pose` is the
    verdict on the photo where a gate judged it (`models.pose_gate`).
    """

    part: Part
    category: str | None
    box_xyxy: tuple[float, float, float, float]
    score: float
    embedding: NDArray[np.float32]
    pose: Pose | None = None


class Vision(Protocol):
    """What turns photos into garments.

    `detector` and `embedder` name the models with their versions, `dim` is the length of an embedding.
    """

    @property
    def detector(self) -> str: ...
    @property
    def embedder(self) -> str: ...
    @property
    def dim(self) -> int: ...

    def garments(self, photos: Sequence[Photo]) -> list[list[Garment]]:
        """Return one list of garments per photo, in the photos' order; no photo affects another's result."""
        ...


class Embedder(Protocol):
    """What turns square pictures into embeddings."""

    @property
    def name(self) -> str: ...
    @property
    def dim(self) -> int: ...
    @property
    def side_px(self) -> int: ...

    def embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return unit embeddings (N, dim) of pictures (N, side_px, side_px, 3) RGB, N at least 1."""
        ...


class WholePhotoVision:
    """The vision without a detector: each photo has one garment, of part `whole`, that is the whole photo."""

    detector = "whole-photo-1"

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    @property
    def picture_embedder(self) -> Embedder:
        """What embeds the square pictures."""
        return self._embedder

    @property
    def embedder(self) -> str:
        """Name and version of the embedding; embeddings of different names must not be compared."""
        return self._embedder.name

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return self._embedder.dim

    def garments(self, photos: Sequence[Photo]) -> list[list[Garment]]:
        """Return for each photo a list of its one garment."""
        found: list[list[Garment]] = []
        for start in range(0, len(photos), MAX_BATCH):
            batch = photos[start : start + MAX_BATCH]
            pictures = np.stack([square_picture(photo.pixels, self._embedder.side_px) for photo in batch])
            embeddings = self._embedder.embed(pictures)
            found += [[_whole(photo, embedding)] for photo, embedding in zip(batch, embeddings, strict=True)]
        return found


def _whole(photo: Photo, embedding: NDArray[np.float32]) -> Garment:
    box = (0.0, 0.0, float(photo.source_width), float(photo.source_height))
    return Garment("whole", None, box, 1.0, embedding.copy())  # a view would keep its whole batch in memory


def square_picture(pixels: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """Return (side_px, side_px, 3) uint8: the middle of a photo (H, W, 3), on white where it is not square.

    Up to a quarter of the longer side is cut away, what is left over is never distorted.
    """
    height, width = pixels.shape[:2]
    kept = max(min(width, height), round(KEPT_OF_LONG_SIDE * max(width, height)))
    box_width, box_height = min(width, kept), min(height, kept)
    left, top = (width - box_width) // 2, (height - box_height) // 2
    middle = Image.fromarray(pixels[top : top + box_height, left : left + box_width])
    size = (max(1, round(side_px * box_width / kept)), max(1, round(side_px * box_height / kept)))
    scaled = middle.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    picture = Image.new("RGB", (side_px, side_px), _WHITE)
    picture.paste(scaled, ((side_px - size[0]) // 2, (side_px - size[1]) // 2))
    return np.asarray(picture)


def open_vision(name: str = "lite0", *, threads: int = 1, least_score: float = 0.5) -> Vision:
    """Load the models of a vision (about 2 s) and let torch use `threads` threads in this process.

    Garments that the detector of a vision is less sure of than `least_score` are left out; 0.5 is the
    threshold it is shipped with. Raises ValueError for an unknown name, fewer than one thread or a score
    outside 0 to 1, models.weights.WeightsError when a checkpoint is missing or not the pinned one.
    """
    describe(name)
    if threads < 1:
        raise ValueError(f"vision: threads is {threads}, expected at least 1")
    if not 0 <= least_score <= 1:
        raise ValueError(f"vision: least score is {least_score}, expected 0 to 1")
    published = parse(name)
    import torch

    torch.set_num_threads(threads)  # before any other use of torch: later it may have no effect
    if published is not None:
        from models.published.vision import open_published

        return open_published(published, least_score)
    from models.lite0 import Lite0Embedder

    if name == "lite0":
        return WholePhotoVision(Lite0Embedder())
    from models.embedder import GarmentEmbedder

    if name == "whole-looks":
        return WholePhotoVision(GarmentEmbedder())
    from models.detector import Detector
    from models.garment_vision import GarmentVision

    return GarmentVision(Detector(), GarmentEmbedder(), least_score=least_score)


def open_look_vision(name: str = "lite0", *, threads: int = 1, least_score: float = 0.5) -> Vision:
    """The vision for shoppers' photos, where the catalogue is looked at with the vision `name`.

    It embeds as that one does. Where that one takes photos as a whole, this one finds the garments too: a
    street photo shows several, a product's photo mostly one. Raises as `open_vision` does.
    """
    vision = open_vision(name, threads=threads, least_score=least_score)
    if not isinstance(vision, WholePhotoVision):
        return vision
    from models.detector import Detector
    from models.garment_vision import GarmentVision

    return GarmentVision(Detector(), vision.picture_embedder, least_score=least_score)


def garment_id(product_id: str, image_ordinal: int, box_ordinal: int) -> str:
    """Return the id of a garment: a UUIDv5, always the same for the same product, image and box."""
    return str(uuid.uuid5(_GARMENT_NAMESPACE, f"{product_id}/{image_ordinal}/{box_ordinal}"))
