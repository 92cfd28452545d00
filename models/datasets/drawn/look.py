"""Who wears the clothes: skin, hair and their style.

In: a `random.Random`. Out: a `Look`. Pure, cannot fail.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from models.datasets.drawn.colour import Rgb
from models.datasets.drawn.fabric import Fabric, plain

SKINS: tuple[Rgb, ...] = (
    (0.95, 0.80, 0.71),
    (0.92, 0.75, 0.64),
    (0.86, 0.67, 0.53),
    (0.72, 0.52, 0.39),
    (0.56, 0.38, 0.27),
    (0.42, 0.28, 0.21),
)
HAIRS: tuple[Rgb, ...] = (
    (0.13, 0.11, 0.11),
    (0.24, 0.16, 0.12),
    (0.38, 0.24, 0.15),
    (0.55, 0.29, 0.16),
    (0.80, 0.64, 0.40),
    (0.62, 0.46, 0.28),
)
FEMININE_HAIR = ("long", "long", "wavy", "bob", "bun", "ponytail", "curly")
MASCULINE_HAIR = ("short", "short", "crop", "curly_short")


@dataclass(frozen=True)
class Look:
    """Who wears the clothes."""

    skin: Rgb
    hair: Rgb
    style: str
    masculine: bool
    hat: bool

    @property
    def skin_fabric(self) -> Fabric:
        return plain(self.skin, weave=0.004, cool=-1.3)

    @property
    def hair_fabric(self) -> Fabric:
        return plain(self.hair, weave=0.02, cool=0.0, gloss=0.5)


def make_look(masculine: bool, hat: bool, rng: random.Random) -> Look:
    """A random person; under a hat the hair is worn down or short."""
    index = rng.randrange(len(SKINS))
    hairs = HAIRS if index < 3 else HAIRS[:3]
    styles: tuple[str, ...] = MASCULINE_HAIR if masculine else FEMININE_HAIR
    if hat:
        styles = ("short",) if masculine else ("long", "wavy", "bob")
    return Look(SKINS[index], rng.choice(hairs), rng.choice(styles), masculine, hat)
