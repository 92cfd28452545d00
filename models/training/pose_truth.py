"""What is true of a person's pose, without anybody having labelled poses: from masks of clothes and skin.

In: a photo of one standing person and its mask of labels (Clothing Co-Parsing's). Out: where the person's
head, face and feet are, views of the photo with what is true of each, and the same person as if seen from
behind, the face painted over with hair. A weak truth: docs/models/pose-light-1.md says how weak.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

HEAD_SHARE: Final = 0.14  # of a standing person's height
FEET_SHARE: Final = 0.05
_HEAD_LABELS: Final = ("hair", "hat", "glasses", "sunglasses", "skin", "earrings")
_FACE_SHARE: Final = 0.15  # of the head's pixels: fewer of skin are no face


@dataclass(frozen=True, slots=True)
class Person:
    """Rows and columns of a person in a photo, pixels, ends exclusive; `face` is (H, W)."""

    top: int
    bottom: int
    left: int
    right: int
    head_bottom: int
    feet_top: int
    face: Mask
    looks_here: bool


def person_of(mask: Pixels, labels: Sequence[str]) -> Person | None:
    """The person in a mask (H, W) of label numbers; None where there is next to nothing."""
    rows = np.flatnonzero((mask > 0).sum(axis=1) >= 2)
    columns = np.flatnonzero((mask > 0).sum(axis=0) >= 2)
    if len(rows) < 20 or len(columns) < 5:
        return None
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    head_bottom = top + max(4, round(HEAD_SHARE * (bottom - top)))
    numbers = [labels.index(name) for name in _HEAD_LABELS if name in labels]
    head = np.isin(mask, numbers)
    head[head_bottom:] = False
    face = head & np.isin(mask, [labels.index(n) for n in ("skin", "glasses", "sunglasses") if n in labels])
    return Person(
        top,
        bottom,
        int(columns[0]),
        int(columns[-1]) + 1,
        head_bottom,
        bottom - max(2, round(FEET_SHARE * (bottom - top))),
        face,
        bool(face.sum() >= _FACE_SHARE * max(1, head.sum())),
    )


def from_behind(photo: Pixels, mask: Pixels, person: Person, hair: int, rng: np.random.Generator) -> Pixels:
    """The photo with its face painted over with the person's own hair, or a hair colour without any."""
    grown = person.face.copy()
    grown[1:] |= person.face[:-1]
    grown[:, 1:] |= person.face[:, :-1]
    grown[:, :-1] |= person.face[:, 1:]
    return _painted(photo, grown, photo[mask == hair], rng)


def painted_elsewhere(photo: Pixels, person: Person, rng: np.random.Generator) -> Pixels:
    """The photo with the same paint on the clothes, so that paint alone tells nothing."""
    down = int(rng.integers(person.head_bottom - person.top, max(person.head_bottom + 1, person.feet_top)))
    return _painted(photo, np.roll(person.face, down, axis=0), np.empty((0, 3), np.uint8), rng)


def _painted(photo: Pixels, where: Mask, own: Pixels, rng: np.random.Generator) -> Pixels:
    painted = photo.copy()
    if len(own) < 30:
        own = rng.integers(20, 90, (200, 1)) * np.array([1.0, 0.8, 0.6])
    rows, columns = np.nonzero(where)
    # Neighbouring columns share a strand, so that it shines like hair and not like noise.
    strands = own[rng.integers(0, len(own), photo.shape[1])].astype(float)
    strands = 0.6 * strands + 0.4 * own.mean(axis=0)
    noise = rng.normal(0, 6, (len(rows), 1))
    painted[rows, columns] = np.clip(strands[columns] + noise, 0, 255).astype(np.uint8)
    return painted


def view(
    photo: Pixels, person: Person, window: tuple[int, int, int, int]
) -> tuple[Pixels, tuple[bool, bool, bool]]:
    """The part left, top, right, bottom of a photo, and which of head, feet and face are in it."""
    left, top, right, bottom = window
    middle = (person.left + person.right) / 2
    across = left <= middle <= right and (right - left) >= 0.5 * (person.right - person.left)
    head = across and top <= person.top + 2 and bottom >= person.head_bottom
    feet = across and bottom >= person.bottom - 2 and top <= person.feet_top
    return photo[top:bottom, left:right], (head, feet, head and person.looks_here)
