"""The cuts of tops and jackets: which variants each category has and how they are cut.

Pure data; lengths in heads, see `body`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Cut:
    """How a garment for the torso is cut.

    `sleeve` and `cuff` are the length (fraction of the arm) and the half-width at the end of the
    sleeve, `fit` 1 follows the waist and 0 hangs straight, `flare` widens each head below the waist.
    """

    noun: str
    sleeve: float = 0.0
    cuff: float = 0.2
    hem: float = 3.75
    ease: float = 0.05
    fit: float = 0.4
    flare: float = 0.0
    neck: str = "crew"
    front: str = "plain"
    ribbed: bool = False
    drape: float = 0.0
    waist: str = ""
    tiers: int = 0
    patterns: tuple[str, ...] = ("solid", "striped", "dotted", "checked")
    masculine: bool = True
    roomy_arm: float = 0.03
    knit: bool = False


_TEE = Cut("T-shirt", sleeve=0.32, cuff=0.235, patterns=("solid", "striped", "striped", "dotted"))
_SHIRT = Cut("shirt", sleeve=0.95, cuff=0.15, hem=3.95, ease=0.08, neck="collar", front="buttons", fit=0.3)
_COAT = Cut("coat", sleeve=0.97, cuff=0.19, ease=0.12, fit=0.3, neck="lapel", front="closed", roomy_arm=0.07)

TOP_CUTS: dict[str, tuple[Cut, ...]] = {
    "short_sleeve_top": (
        _TEE,
        replace(_TEE, noun="V-neck T-shirt", neck="vee"),
        replace(_TEE, noun="polo shirt", neck="collar", front="placket", patterns=("solid", "striped")),
        replace(
            _SHIRT,
            noun="short-sleeved shirt",
            sleeve=0.33,
            cuff=0.25,
            patterns=("checked", "dotted", "striped"),
        ),
        replace(_TEE, noun="blouse", neck="scoop", cuff=0.27, fit=0.8, flare=0.12, hem=3.6, masculine=False),
    ),
    "long_sleeve_top": (
        _SHIRT,
        replace(_TEE, noun="long-sleeved top", sleeve=0.98, cuff=0.11),
        Cut(
            "jumper",
            0.99,
            0.13,
            3.7,
            0.11,
            0.1,
            ribbed=True,
            knit=True,
            patterns=("solid", "striped"),
            roomy_arm=0.07,
        ),
        Cut(
            "hoodie",
            0.99,
            0.13,
            3.75,
            0.13,
            0.1,
            neck="hood",
            front="pouch",
            ribbed=True,
            patterns=("solid",),
            roomy_arm=0.07,
        ),
        Cut(
            "roll-neck",
            0.98,
            0.11,
            3.65,
            0.05,
            0.5,
            neck="roll",
            ribbed=True,
            knit=True,
            patterns=("solid", "striped"),
        ),
    ),
    "short_sleeve_outwear": (
        Cut(
            "short-sleeved jacket",
            0.42,
            0.25,
            3.45,
            0.1,
            0.3,
            neck="lapel",
            front="closed",
            patterns=("solid", "checked", "denim"),
            roomy_arm=0.06,
        ),
        Cut(
            "short-sleeved overshirt",
            0.40,
            0.27,
            3.85,
            0.12,
            0.1,
            neck="collar",
            front="buttons",
            patterns=("checked", "striped", "denim"),
            roomy_arm=0.06,
        ),
    ),
    "long_sleeve_outwear": (
        Cut(
            "trucker jacket",
            0.96,
            0.15,
            3.55,
            0.11,
            0.2,
            neck="collar",
            front="trucker",
            patterns=("denim",),
            roomy_arm=0.06,
        ),
        Cut(
            "blazer",
            0.95,
            0.165,
            4.05,
            0.1,
            0.6,
            neck="lapel",
            front="closed",
            patterns=("solid", "checked"),
            roomy_arm=0.05,
        ),
        Cut(
            "bomber jacket",
            0.97,
            0.15,
            3.6,
            0.15,
            0.0,
            neck="rib",
            front="zip",
            ribbed=True,
            patterns=("solid",),
            roomy_arm=0.1,
        ),
        replace(_COAT, noun="trench coat", hem=5.5, flare=0.1, fit=0.8, waist="belt", patterns=("solid",)),
        replace(
            _COAT,
            noun="cardigan",
            hem=4.0,
            neck="deep",
            ribbed=True,
            knit=True,
            patterns=("solid", "striped"),
        ),
        replace(_COAT, noun="wool coat", hem=5.2, patterns=("solid", "checked")),
    ),
    "vest": (
        Cut("tank top", neck="scoop", patterns=("solid", "striped"), fit=0.5),
        Cut(
            "knitted vest",
            neck="vee",
            ribbed=True,
            knit=True,
            hem=3.55,
            ease=0.08,
            patterns=("solid", "checked", "striped"),
        ),
        Cut("sleeveless blouse", neck="crew", fit=0.7, flare=0.1, front="buttons", masculine=False),
    ),
    "sling": (
        Cut("camisole", neck="strap", fit=0.7, flare=0.1, hem=3.6, masculine=False, drape=0.03),
        Cut("cropped cami", neck="strap", fit=0.9, hem=2.95, masculine=False),
        Cut(
            "strappy peplum top",
            neck="strap",
            fit=1.0,
            hem=3.65,
            flare=0.42,
            drape=0.06,
            waist="seam",
            masculine=False,
        ),
    ),
}
