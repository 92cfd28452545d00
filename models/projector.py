"""Embeddings to look at: a TensorBoard projector log with sprites, and their places on a map.

In: embeddings (N, D) with a name, a class and a thumbnail each. Out: files under a folder that `tensorboard
--logdir` shows; places (N, 2) between 0 and 1 by t-SNE or PCA of scikit-learn. Fails with RuntimeError
without the extra `train`, ValueError for fewer than three embeddings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Method: TypeAlias = Literal["tsne", "pca"]
LEAST: Final = 3
MAX_SPRITE_PX: Final = 8192
"""Browsers draw no larger texture."""
_PCA_FIRST: Final = 50
_WHITE: Final = (255, 255, 255)


@dataclass(frozen=True, eq=False, slots=True)
class Mapped:
    """One thing on the map: what it is called, its class, and its thumbnail (side, side, 3) uint8 RGB."""

    name: str
    kind: str
    thumbnail: NDArray[np.uint8]


def thumbnail(pixels: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """Return (side_px, side_px, 3) uint8 of a picture (H, W, 3) or grey (H, W), undistorted on white."""
    picture = Image.fromarray(pixels).convert("RGB")
    scale = side_px / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    square = Image.new("RGB", (side_px, side_px), _WHITE)
    scaled = picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    square.paste(scaled, ((side_px - size[0]) // 2, (side_px - size[1]) // 2))
    return np.asarray(square)


def sprite_side_px(count: int) -> int:
    """How large thumbnails may be so that all of them fit on one sprite; at most 64."""
    return max(8, min(64, MAX_SPRITE_PX // math.ceil(math.sqrt(max(1, count)))))


def places(embeddings: NDArray[np.float32], method: Method, seed: int = 0) -> NDArray[np.float64]:
    """Places (N, 2), each axis from 0 to 1, of embeddings (N, D); the same seed gives the same map."""
    if len(embeddings) < LEAST:
        raise ValueError(f"map: got {len(embeddings)} embeddings, expected at least {LEAST}")
    try:
        from sklearn.decomposition import PCA
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise RuntimeError(f"map: {error}; install lookstream[train]") from None
    rows = embeddings.astype(np.float64)
    if np.ptp(rows, axis=0).max() == 0:  # all the same: any place is as good
        return np.zeros((len(rows), 2))
    if method == "pca":
        found = PCA(2, random_state=seed).fit_transform(rows)
    else:
        fewer = min(_PCA_FIRST, *rows.shape)  # as its author advises: noise goes, and most of the time
        rows = PCA(fewer, random_state=seed).fit_transform(rows)
        perplexity = min(30.0, (len(rows) - 1) / 3)
        found = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(rows)
    low, high = found.min(axis=0), found.max(axis=0)
    return np.asarray((found - low) / np.where(high > low, high - low, 1.0), np.float64)


def write_log(out: Path, embeddings: NDArray[np.float32], things: Sequence[Mapped], tag: str) -> Path:
    """Write a TensorBoard projector log below `out` and return its folder."""
    try:
        import torch
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise RuntimeError(f"tensorboard: {error}; install lookstream[train]") from None
    # A tab or a line break in a name would be a new column or row of the log's table.
    rows = [[" ".join(thing.name.split()), " ".join(thing.kind.split())] for thing in things]
    sprites = np.stack([thing.thumbnail for thing in things]).transpose(0, 3, 1, 2).astype(np.float32) / 255
    with SummaryWriter(str(out)) as writer:
        writer.add_embedding(
            torch.from_numpy(embeddings.copy()),
            metadata=rows,
            label_img=torch.from_numpy(sprites),
            tag=tag,
            metadata_header=["name", "class"],
        )
    return out
