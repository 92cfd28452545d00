"""The cuts of trousers, shorts and skirts: which variants each category has and how they are cut.

Pure data; lengths in heads, see `body`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LowerCut:
    """`length` is a fraction of the leg (trousers, shorts) or the height of the hem (skirts, heads)."""

    noun: str
    kind: str
    length: float
    ease: tuple[float, ...] = (0.03,)  # added to the leg's half-width, spread evenly down to the hem
    flare: float = 0.0
    waistband: str = "plain"
    drape: float = 0.0
    pleats: int = 0
    tiers: int = 0
    turn_up: bool = False
    ripped: bool = False
    patterns: tuple[str, ...] = ("solid", "denim")
    masculine: bool = True
    rise: float = 0.0  # how far the waistband lies below the natural waist


LOWER_CUTS: dict[str, tuple[LowerCut, ...]] = {
    "shorts": (
        LowerCut(
            "shorts",
            "legs",
            0.22,
            (0.05, 0.09, 0.13),
            rise=0.22,
            waistband="jeans",
            turn_up=True,
            patterns=("denim",),
        ),
        LowerCut(
            "chino shorts",
            "legs",
            0.31,
            (0.05, 0.09, 0.13),
            rise=0.26,
            waistband="jeans",
            patterns=("solid", "solid", "checked", "striped"),
        ),
        LowerCut(
            "drawstring shorts",
            "legs",
            0.23,
            (0.06, 0.12, 0.18),
            rise=0.26,
            waistband="drawstring",
            patterns=("solid", "striped", "dotted"),
        ),
        LowerCut(
            "tailored shorts",
            "legs",
            0.23,
            (0.05, 0.11, 0.18),
            rise=0.1,
            waistband="paperbag",
            patterns=("solid", "checked", "dotted"),
            masculine=False,
        ),
    ),
    "trousers": (
        LowerCut(
            "slim jeans",
            "legs",
            0.97,
            rise=0.12,
            ease=(0.03, 0.03, 0.03, 0.03, 0.04),
            waistband="jeans",
            patterns=("denim",),
        ),
        LowerCut(
            "straight jeans",
            "legs",
            0.99,
            rise=0.15,
            ease=(0.04, 0.05, 0.09, 0.11, 0.15),
            waistband="jeans",
            patterns=("denim",),
        ),
        LowerCut(
            "wide-leg trousers",
            "legs",
            1.03,
            (0.05, 0.09, 0.19, 0.27, 0.36),
            waistband="plain",
            patterns=("solid", "striped", "checked"),
            masculine=False,
        ),
        LowerCut(
            "chinos",
            "legs",
            0.97,
            rise=0.18,
            ease=(0.04, 0.05, 0.07, 0.07, 0.09),
            waistband="jeans",
            patterns=("solid", "solid", "checked"),
        ),
        LowerCut(
            "joggers",
            "legs",
            0.98,
            rise=0.2,
            ease=(0.06, 0.09, 0.12, 0.12, 0.10, 0.03),
            waistband="drawstring",
            patterns=("solid",),
        ),
        LowerCut(
            "printed trousers",
            "legs",
            0.93,
            (0.05, 0.08, 0.14, 0.15, 0.13),
            waistband="paperbag",
            patterns=("dotted", "checked"),
            masculine=False,
        ),
    ),
    "skirt": (
        LowerCut(
            "A-line skirt",
            "skirt",
            4.95,
            flare=0.24,
            patterns=("solid", "checked", "denim", "dotted"),
            masculine=False,
        ),
        LowerCut(
            "pleated midi skirt",
            "skirt",
            6.1,
            flare=0.17,
            pleats=11,
            patterns=("solid", "checked"),
            masculine=False,
        ),
        LowerCut(
            "pencil skirt",
            "skirt",
            5.65,
            flare=-0.004,
            patterns=("solid", "checked", "striped"),
            masculine=False,
        ),
        LowerCut(
            "circle skirt",
            "skirt",
            5.5,
            flare=0.42,
            drape=0.09,
            patterns=("solid", "dotted", "striped"),
            masculine=False,
        ),
        LowerCut(
            "tiered maxi skirt",
            "skirt",
            7.05,
            flare=0.17,
            drape=0.05,
            tiers=3,
            patterns=("solid", "dotted"),
            masculine=False,
        ),
    ),
}
RIPPED = LowerCut(
    "ripped jeans",
    "legs",
    0.96,
    (0.03, 0.04, 0.06, 0.06, 0.07),
    waistband="jeans",
    ripped=True,
    patterns=("denim",),
    rise=0.15,
)
