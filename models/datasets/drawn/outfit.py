"""What a figure wears together with the garment that is sold.

In: a `Plan` and a `random.Random`. Out: an `Outfit`. Calm colours go with the sold garment, so that it
stays the one that is looked at. Pure, cannot fail.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from models.datasets.drawn.cuts import Cut
from models.datasets.drawn.lower_cuts import LOWER_CUTS, RIPPED, LowerCut
from models.datasets.drawn.plan import Item, Plan, choose_item
from models.datasets.drawn.wardrobe import CUTS

CALM = ("ivory", "black", "charcoal", "navy", "camel", "sky", "blush", "sage")
LEATHERS = ("black", "camel", "ivory", "charcoal", "navy")


@dataclass
class Outfit:
    """The garments of one figure; `upper` is a top or a dress. `bag_side` is the hand that may hold a bag."""

    sold: Item
    upper: Item | None = None
    lower: Item | None = None
    outer: Item | None = None
    shoes: Item | None = None
    bag: Item | None = None
    hat: Item | None = None
    tucked: bool = False
    opened: bool = True
    boots_over: bool = False
    bag_side: int = 1

    def items(self) -> list[Item]:
        """All garments that are worn."""
        every = (self.upper, self.lower, self.outer, self.shoes, self.bag, self.hat)
        return [item for item in every if item is not None]


def make_outfit(plan: Plan, rng: random.Random) -> Outfit:
    """An outfit around the plan's garment."""
    outfit = Outfit(plan.item, bag_side=rng.randrange(2))
    place = _place(plan.item)
    setattr(outfit, place, plan.item)
    if plan.urban:
        _urban(outfit, plan.masculine, rng)
    else:
        _everyday(outfit, plan.masculine, rng)
    _settle(outfit, rng)
    return outfit


def _place(item: Item) -> str:
    if item.category.endswith("outwear"):
        return "outer"
    return {
        "upper": "upper",
        "full_body": "upper",
        "lower": "lower",
        "footwear": "shoes",
        "bag": "bag",
        "headwear": "hat",
    }[item.part]


def _calm(
    category: str, cut: Cut | LowerCut | str, rng: random.Random, taken: set[str], pattern: str = "solid"
) -> Item:
    calm = LEATHERS if category in ("shoes", "bag") else CALM
    colours = [c for c in calm if c not in taken]
    colour = rng.choice(("navy", "sky", "black") if pattern == "denim" else colours)
    taken.add(colour)
    return Item(category, cut, pattern, colour)


def _everyday(outfit: Outfit, masculine: bool, rng: random.Random) -> None:
    taken = {outfit.sold.colour}
    if outfit.upper is None:
        dress_below = outfit.outer is not None and not masculine and rng.random() < 0.2
        outfit.upper = _dress(rng, taken) if dress_below else _plain_top(rng, masculine, taken, outfit)
    dressed = outfit.upper.part == "full_body"
    if outfit.lower is None and not dressed:
        outfit.lower = _plain_lower(rng, masculine, taken)
    if outfit.shoes is None:
        kinds = (
            ("sneakers", "boots")
            if masculine
            else (("heels", "sandals", "sneakers") if dressed else ("sneakers", "heels", "boots"))
        )
        outfit.shoes = _calm("shoes", rng.choice(kinds), rng, set())
    if outfit.bag is None and rng.random() < 0.3:
        outfit.bag = _calm("bag", "tote" if masculine else rng.choice(("handbag", "tote")), rng, set())
    if outfit.hat is None and rng.random() < 0.15:
        outfit.hat = _calm("hat", "cap" if masculine else "wide_brim", rng, set())


def _plain_top(rng: random.Random, masculine: bool, taken: set[str], outfit: Outfit) -> Item:
    names = (
        ["T-shirt", "V-neck T-shirt"]
        if outfit.outer or rng.random() < 0.6
        else ["shirt", "jumper", "roll-neck", "tank top"]
    )
    if not masculine and not outfit.outer:
        names.append("camisole")
    options = [(category, cut) for category, cuts in CUTS.items() for cut in cuts if cut.noun in names]
    category, cut = rng.choice(options)
    pattern = (
        "striped"
        if "striped" in cut.patterns and outfit.sold.pattern == "solid" and rng.random() < 0.25
        else "solid"
    )
    return _calm(category, cut, rng, taken, pattern)


def _plain_lower(rng: random.Random, masculine: bool, taken: set[str]) -> Item:
    names = ["slim jeans", "straight jeans", "chinos"]
    if not masculine:
        names += ["wide-leg trousers", "A-line skirt", "pleated midi skirt", "pencil skirt", "shorts"]
    options = [(category, cut) for category, cuts in LOWER_CUTS.items() for cut in cuts if cut.noun in names]
    category, cut = rng.choice(options)
    return _calm(
        category, cut, rng, taken, "denim" if "jeans" in cut.noun or cut.noun == "shorts" else "solid"
    )


def _dress(rng: random.Random, taken: set[str]) -> Item:
    category = rng.choice(("sling_dress", "vest_dress"))
    return _calm(category, CUTS[category][0], rng, taken)


def _urban(outfit: Outfit, masculine: bool, rng: random.Random) -> None:
    """Ripped jeans, boots, a patterned T-shirt under an open jacket, often a beanie or a backpack."""
    if outfit.upper is None:
        outfit.upper = choose_item("short_sleeve_top", rng, masculine, False, True)
    if outfit.lower is None:
        outfit.lower = Item("trousers", RIPPED, "denim", rng.choice(("navy", "sky", "black")))
    if outfit.outer is None:
        outfit.outer = choose_item("long_sleeve_outwear", rng, masculine, False, True)
    if outfit.shoes is None:
        outfit.shoes = choose_item("shoes", rng, masculine, False, True)
    if outfit.hat is None and rng.random() < 0.65:
        outfit.hat = choose_item("hat", rng, masculine, False, True)
    if outfit.bag is None and rng.random() < 0.45:
        outfit.bag = choose_item("bag", rng, masculine, False, True)


def _settle(outfit: Outfit, rng: random.Random) -> None:
    """What goes over what."""
    upper, lower = outfit.upper, outfit.lower
    long_top = (
        isinstance(upper, Item) and isinstance(upper.cut, Cut) and (upper.cut.ribbed or upper.cut.flare > 0)
    )
    skirt = isinstance(lower, Item) and isinstance(lower.cut, LowerCut) and lower.cut.kind == "skirt"
    high = (
        isinstance(lower, Item)
        and isinstance(lower.cut, LowerCut)
        and lower.cut.waistband in ("plain", "paperbag")
    )
    sold_lower = lower is outfit.sold
    outfit.tucked = (
        lower is not None and not long_top and (skirt or high or sold_lower or rng.random() < 0.35)
    )
    slim = (
        isinstance(lower, Item)
        and isinstance(lower.cut, LowerCut)
        and lower.cut.kind == "legs"
        and max(lower.cut.ease) <= 0.07
    )
    boots = outfit.shoes is not None and outfit.shoes.cut == "boots"
    outfit.boots_over = boots and slim
    outfit.opened = rng.random() < 0.8 if outfit.outer is outfit.sold else True
