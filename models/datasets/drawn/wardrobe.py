"""The cuts of dresses, and of all that is worn on the torso together.

Pure data; lengths in heads, see `body`.
"""

from __future__ import annotations

from dataclasses import replace

from models.datasets.drawn.cuts import TOP_CUTS, Cut

_DRESS = Cut("dress", hem=5.6, fit=1.0, flare=0.22, drape=0.06, masculine=False, waist="seam")

DRESS_CUTS: dict[str, tuple[Cut, ...]] = {
    "short_sleeve_dress": (
        replace(_DRESS, noun="wrap dress", sleeve=0.33, cuff=0.25, neck="vee", front="wrap", waist="tie"),
        replace(
            _DRESS,
            noun="T-shirt dress",
            sleeve=0.32,
            cuff=0.24,
            hem=5.2,
            fit=0.3,
            flare=0.08,
            waist="",
            patterns=("solid", "striped"),
        ),
        replace(
            _DRESS,
            noun="shirt dress",
            sleeve=0.35,
            cuff=0.24,
            neck="collar",
            front="buttons",
            waist="belt",
            patterns=("checked", "striped", "denim"),
        ),
    ),
    "long_sleeve_dress": (
        replace(_DRESS, noun="midi dress", sleeve=0.95, cuff=0.13, hem=6.3, flare=0.18),
        replace(_DRESS, noun="wrap dress", sleeve=0.92, cuff=0.16, neck="vee", front="wrap", waist="tie"),
        replace(
            _DRESS,
            noun="jumper dress",
            sleeve=0.98,
            cuff=0.13,
            hem=5.2,
            fit=0.5,
            flare=0.02,
            neck="roll",
            knit=True,
            ribbed=True,
            drape=0.0,
            waist="",
            patterns=("solid", "striped"),
        ),
    ),
    "vest_dress": (
        replace(_DRESS, noun="sleeveless dress", neck="scoop"),
        replace(
            _DRESS,
            noun="shift dress",
            neck="crew",
            hem=5.2,
            fit=0.5,
            flare=0.06,
            drape=0.0,
            waist="",
            patterns=("solid", "checked", "striped"),
        ),
        replace(_DRESS, noun="maxi dress", neck="vee", hem=7.0, flare=0.16, tiers=2),
    ),
    "sling_dress": (
        replace(
            _DRESS,
            noun="slip dress",
            neck="strap",
            hem=6.3,
            fit=0.85,
            flare=0.06,
            drape=0.04,
            waist="",
            patterns=("solid", "dotted"),
        ),
        replace(_DRESS, noun="sundress", neck="strap", hem=5.4, flare=0.3),
        replace(_DRESS, noun="tiered sundress", neck="strap", hem=6.5, flare=0.2, tiers=3),
    ),
}

CUTS = {**TOP_CUTS, **DRESS_CUTS}
