"""Shoes: a pair laid out flat, and the pair on a figure's feet.

In: a kind (`SHOES`), a `Fabric`, for worn ones the body. Out: pieces. Pure; raises KeyError for another kind.
"""

from __future__ import annotations

import numpy as np

from models.datasets.drawn.colour import Rgb, tinted
from models.datasets.drawn.fabric import Fabric, plain
from models.datasets.drawn.geometry import (
    blob,
    ellipse,
    flip,
    join,
    pts,
    shift,
    smooth,
    tube,
)
from models.datasets.drawn.pieces import Dressed, Fold, Mark, Piece

SHOES = {"sneakers": "sneakers", "boots": "ankle boots", "heels": "court heels", "sandals": "sandals"}
RUBBER: Rgb = (0.96, 0.95, 0.92)


def flat_shoes(kind: str, fabric: Fabric) -> Dressed:
    """A pair of shoes beside each other."""
    if kind == "sandals":
        left = _sandal_from_above(fabric)
        return Dressed(
            body=[p.moved(lambda q: shift(q, 0.52, 0.06)) for p in left]
            + [p.moved(lambda q: shift(flip(q), -0.52, 0)) for p in left]
        )
    one = {"sneakers": _sneaker, "boots": _boot, "heels": _heel}[kind](fabric)
    far = [p.moved(lambda q: shift(q, 0.30, -0.34)) for p in one]
    return Dressed(body=far + [p.moved(lambda q: shift(q, -0.12, 0.1)) for p in one])


def _sneaker(fabric: Fabric) -> list[Piece]:
    upper = join(
        smooth((-0.95, 0.05), (-0.99, -0.3), (-0.93, -0.66), (-0.86, -0.74), (-0.64, -0.6), (-0.42, -0.66)),
        smooth(
            "-0.42 -0.66, -0.33 -0.86, -0.2 -0.84, 0.02 -0.6, 0.35 -0.4, 0.72 -0.33, 0.97 -0.16", "1 0.05"
        ),
    )
    sole = join(
        smooth((-1.0, -0.02), (-0.4, 0.02), (0.4, 0.0), (0.98, -0.06)),
        smooth((1.06, 0.02), (1.06, 0.14), (0.98, 0.2), (-0.9, 0.2), (-1.02, 0.14), (-1.02, 0.0)),
    )
    line = Mark(smooth((-1.0, 0.1), (0, 0.12), (1.05, 0.07)), None, 0.16, 0.02)
    opening = blob((-0.86, -0.72), (-0.64, -0.66), (-0.40, -0.74), (-0.62, -0.56))
    return [
        Piece([opening], plain(tinted(fabric.base, 0.5)), shadow=0.0),
        Piece([upper], fabric, marks=_sneaker_marks(fabric)),
        Piece([sole], plain(RUBBER), marks=[line]),
    ]


def _sneaker_marks(fabric: Fabric) -> list[Mark]:
    """Heel tab, toe cap, stripes and laces."""
    dark = tinted(fabric.base, 0.72)
    toe = smooth((0.66, -0.4), (0.60, -0.2), (0.66, 0.05))
    stripe = [
        pts((-0.32 + d, 0.0), (-0.16 + d, 0.0), (-0.02 + d, -0.36), (-0.14 + d, -0.36)) for d in (0.0, 0.26)
    ]
    lace = [
        Mark(
            pts((-0.24 + k * 0.13, -0.66 + k * 0.085), (-0.06 + k * 0.13, -0.58 + k * 0.075)),
            RUBBER,
            1.0,
            0.045,
        )
        for k in range(5)
    ]
    eyelets = Mark(smooth((-0.32, -0.78), (0.0, -0.46), (0.42, -0.28)), None, 0.25, 0.02)
    heel = Mark(pts((-1.1, -0.5), (-0.78, -0.48), (-0.74, 0.1), (-1.1, 0.1)), dark, 0.9)
    return [
        heel,
        Mark(toe, None, 0.3, 0.025),
        *(Mark(s, RUBBER if sum(fabric.base) < 2.3 else dark, 0.9) for s in stripe),
        eyelets,
        *lace,
    ]


def _boot(fabric: Fabric) -> list[Piece]:
    upper = join(
        pts("-0.82 -1.45"),
        smooth("-0.84 -1.4, -0.82 -0.9, -0.9 -0.4, -0.92 0.02"),
        smooth("0.98 0.02, 0.99 -0.14, 0.82 -0.34, 0.4 -0.46, 0.05 -0.62, -0.1 -0.95, -0.1 -1.42"),
    )
    dark = tinted(fabric.base, 0.62)
    sole = join(
        smooth((-0.95, 0.0), (0, 0.02), (1.0, -0.02)),
        pts((1.04, 0.1), (-0.3, 0.13), (-0.34, 0.26), (-0.94, 0.26)),
    )
    opening = blob((-0.84, -1.43), (-0.45, -1.49), (-0.08, -1.42), (-0.45, -1.38))
    pull = Piece(
        [tube(smooth((-0.78, -1.38), (-0.84, -1.58), (-0.7, -1.4)), [0.03])[0]], plain(dark), shadow=0.2
    )
    folds = [
        Fold(smooth((-0.1, -0.8), (-0.3, -0.6), (-0.6, -0.55)), 0.05, 0.2),
        Fold(smooth((0.3, -0.5), (0.36, -0.3), (0.3, -0.1)), 0.05, 0.12),
    ]
    return [
        Piece([opening], plain(tinted(fabric.base, 0.45)), shadow=0.0),
        pull,
        Piece([upper], fabric, marks=_boot_marks(fabric), folds=folds),
        Piece([sole], plain(dark)),
    ]


def _boot_marks(fabric: Fabric) -> list[Mark]:
    """The elastic at the side and the seam of the vamp."""
    gusset = join(
        smooth((-0.6, -1.3), (-0.52, -0.8), (-0.5, -0.62)),
        smooth((-0.38, -0.62), (-0.3, -0.9), (-0.28, -1.3)),
    )
    ribs = [Mark(pts((x, -1.3), (x + 0.03, -0.6)), None, 0.25, 0.012) for x in np.arange(-0.56, -0.3, 0.05)]
    return [
        Mark(gusset, tinted(fabric.base, 0.5), 0.95),
        *ribs,
        Mark(smooth((-0.3, 0.02), (0.1, -0.35), (0.3, -0.5)), None, 0.2, 0.016),
    ]


def _heel(fabric: Fabric) -> list[Piece]:
    stem = pts((-0.86, -0.86), (-0.48, -0.72), (-0.68, -0.2), (-0.71, 0.12), (-0.80, 0.12), (-0.82, -0.3))
    upper = join(
        smooth(
            "-0.84 -1.02, -0.62 -0.86, -0.2 -0.52, 0.1 -0.3, 0.32 -0.3, 0.62 -0.2, 0.95 -0.02", "1.04 0.08"
        ),
        smooth("1 0.12, 0.5 0.1, 0.2 0.02, -0.1 -0.22, -0.45 -0.58, -0.8 -0.74, -0.9 -0.82"),
    )
    inside = join(
        smooth((-0.83, -1.0), (-0.55, -0.9), (-0.1, -0.56), (0.3, -0.32)),
        smooth((0.3, -0.29), (-0.1, -0.44), (-0.55, -0.76)),
    )
    sole = Mark(
        smooth((1.04, 0.1), (0.5, 0.09), (0.2, 0.0), (-0.1, -0.24), (-0.45, -0.6)),
        (0.35, 0.2, 0.16),
        0.8,
        0.05,
    )
    shine = Fold(smooth((0.36, -0.2), (0.6, -0.1), (0.84, -0.01)), 0.05, -0.3)
    gloss = Fabric(
        fabric.pattern, fabric.base, fabric.accent, fabric.repeat, fabric.kind, fabric.seed, gloss=0.8
    )
    lining = plain((0.86, 0.74, 0.62))
    return [
        Piece([stem], gloss),
        Piece([inside], lining, shadow=0.0),
        Piece([upper], gloss, marks=[sole], folds=[shine]),
    ]


def _sandal_from_above(fabric: Fabric) -> list[Piece]:
    outline = blob(
        "0 -1.1, 0.27 -0.98, 0.4 -0.6, 0.34 -0.1, 0.3 0.5, 0.27 0.9, 0.02 1.08",
        "-0.24 0.9, -0.27 0.4, -0.3 -0.1, -0.34 -0.6, -0.24 -0.98",
    )
    inner = outline * 0.9 + (0.002, 0.0)
    straps = [
        join(
            smooth((-0.44, -0.56), (0.0, -0.74), (0.47, -0.56)),
            smooth((0.46, -0.34), (0.0, -0.52), (-0.42, -0.34)),
        ),
        join(
            smooth((-0.42, -0.22), (0.0, -0.38), (0.44, -0.2)),
            smooth((0.42, -0.02), (0.0, -0.2), (-0.40, -0.04)),
        ),
        join(
            smooth((-0.36, 0.5), (0.0, 0.36), (0.38, 0.5)), smooth((0.37, 0.62), (0.0, 0.48), (-0.35, 0.62))
        ),
    ]
    buckle = [Mark(ellipse(0.28, -0.13, 0.06, 0.06, 12), (0.85, 0.74, 0.45), 1.0)]
    cork = plain((0.80, 0.65, 0.48), weave=0.05)
    return [
        Piece([outline], plain((0.55, 0.40, 0.28))),
        Piece([inner], cork, shadow=0.0, relief=0.8),
        Piece(straps, fabric, marks=buckle, shadow=0.45),
    ]
