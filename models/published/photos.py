"""Photos for fine-tuning: decoded when their turn comes, in a new order each time round.

In: labelled photos and a seed. Out: batches without end. A photo that cannot be decoded is told to `Skipped`
once and left out from then on; ValueError when none is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from models.datasets.records import LabelledPhoto, Skipped
from models.photo import Photo, PhotoError, decode_photo


def batches(
    labelled: Sequence[LabelledPhoto], size: int, seed: int, skipped: Skipped
) -> Iterator[list[tuple[LabelledPhoto, Photo]]]:
    """Batches of at most `size` photos with their pixels, none of them empty."""
    rng, left = np.random.default_rng(seed), list(labelled)
    while left:
        broken: set[int] = set()
        order = rng.permutation(len(left))
        for start in range(0, len(left), size):
            rows = []
            for at in order[start : start + size]:
                photo = _decoded(left[at], skipped)
                if photo is None:
                    broken.add(int(at))
                else:
                    rows.append((left[at], photo))
            if rows:
                yield rows
        left = [photo for at, photo in enumerate(left) if at not in broken]
    raise ValueError(f"none of {len(labelled)} photos can be decoded")


def _decoded(labelled: LabelledPhoto, skipped: Skipped) -> Photo | None:
    try:
        return decode_photo(labelled.path.read_bytes())
    except (OSError, PhotoError) as error:
        skipped.add(labelled.path, "photo", error)
        return None


def step(optimizer: torch.optim.Optimizer, loss: Tensor, trained: Sequence[Tensor]) -> None:
    """One step down the loss, with bounded gradients; none where nothing in it can be learned from."""
    if not loss.requires_grad:
        return
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(trained, 10.0)
    optimizer.step()
