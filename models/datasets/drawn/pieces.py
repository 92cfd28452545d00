"""What a drawing is made of: pieces of cloth, skin or leather, listed from back to front.

In: outlines in heads. Out: plain records that `paint` turns into pixels and `labels` into boxes.
Nothing here can fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from models.datasets.drawn.colour import Rgb
from models.datasets.drawn.fabric import Fabric
from models.datasets.drawn.geometry import Points

NOBODY = -1  # the owner of skin, hair and everything else that is no garment


@dataclass(frozen=True)
class Mark:
    """A seam, button or stripe on a piece, clipped by it: filled, or a stroke if `width` (heads) is given.

    `rgb` None darkens what is there by `alpha`; a negative alpha lightens it.
    """

    points: Points
    rgb: Rgb | None = None
    alpha: float = 0.35
    width: float = 0.0


@dataclass(frozen=True)
class Fold:
    """A soft crease: a blurred stroke that darkens (strength > 0) or lightens."""

    points: Points
    width: float
    strength: float


@dataclass(frozen=True)
class Piece:
    """A united set of shapes, less its cuts, in one fabric.

    `turn` is the direction of the fabric's grain in degrees, `drape` the depth of vertical flutes,
    `relief` how strongly it is rounded, `shadow` how dark a shadow it throws on what lies below.
    """

    shapes: list[Points]
    fabric: Fabric
    cuts: list[Points] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    folds: list[Fold] = field(default_factory=list)
    turn: float = 0.0
    drape: float = 0.0
    relief: float = 1.0
    shadow: float = 0.25
    owner: int = NOBODY

    def moved(self, move: Callable[[Points], Points]) -> Piece:
        """The same piece with every point passed through `move`."""
        return replace(
            self,
            shapes=[move(s) for s in self.shapes],
            cuts=[move(s) for s in self.cuts],
            marks=[replace(m, points=move(m.points)) for m in self.marks],
            folds=[replace(f, points=move(f.points)) for f in self.folds],
        )


@dataclass(frozen=True)
class Dressed:
    """A garment as layers: what hangs behind the figure, what lies on the body, what follows the arms."""

    behind: list[Piece] = field(default_factory=list)
    body: list[Piece] = field(default_factory=list)
    arms: list[Piece] = field(default_factory=list)
    front: list[Piece] = field(default_factory=list)

    def owned(self, owner: int) -> Dressed:
        """The same layers, all belonging to garment `owner` of the picture."""
        return Dressed(*(own(layer, owner) for layer in (self.behind, self.body, self.arms, self.front)))

    def flat(self) -> list[Piece]:
        """All layers from back to front, for a garment laid flat."""
        return [*self.behind, *self.arms, *self.body, *self.front]


def own(pieces: Iterable[Piece], owner: int) -> list[Piece]:
    """The pieces, all belonging to garment `owner` of the picture."""
    return [replace(piece, owner=owner) for piece in pieces]
