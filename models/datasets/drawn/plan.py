"""What product `index` of a catalogue is: category, cut, fabric, view, title, price.

In: a seed and an index. Out: a `Plan`, the same whatever the size of the catalogue: products are dealt
from shuffled decks of `DECK` cards that hold every category in fixed shares. Pure, cannot fail.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import lru_cache

from models.datasets.drawn.bags import BAGS
from models.datasets.drawn.colour import COLOURS, DENIM
from models.datasets.drawn.cuts import Cut
from models.datasets.drawn.footwear import SHOES
from models.datasets.drawn.hats import HATS
from models.datasets.drawn.lower_cuts import LOWER_CUTS, RIPPED, LowerCut
from models.datasets.drawn.noise import seeded
from models.datasets.drawn.truth import PART_OF
from models.datasets.drawn.wardrobe import CUTS

DECK = 64
IN_DECK = {
    "shorts": 7,
    "trousers": 6,
    "skirt": 5,
    "short_sleeve_top": 6,
    "long_sleeve_top": 5,
    "short_sleeve_outwear": 2,
    "long_sleeve_outwear": 5,
    "vest": 3,
    "sling": 3,
    "short_sleeve_dress": 4,
    "long_sleeve_dress": 3,
    "vest_dress": 3,
    "sling_dress": 4,
    "shoes": 3,
    "bag": 3,
    "hat": 2,
}
FLORAL_IN_DECK = {
    "short_sleeve_dress": 2,
    "long_sleeve_dress": 1,
    "vest_dress": 1,
    "sling_dress": 2,
    "skirt": 2,
    "short_sleeve_top": 1,
    "sling": 1,
    "shorts": 1,
}
URBAN_IN_DECK = {
    "trousers": 2,
    "short_sleeve_top": 2,
    "long_sleeve_outwear": 2,
    "shoes": 1,
    "bag": 1,
    "hat": 1,
}
WORN_OTHERS_IN_DECK = 17
BRANDS = ("Maison Loriot", "Calder Row", "Tansy & Thread", "Fennwick", "Brack & Bower", "Luma Atelier")
PRICES = {
    "upper": (18, 60),
    "lower": (25, 80),
    "full_body": (39, 120),
    "footwear": (45, 140),
    "bag": (35, 130),
    "headwear": (15, 45),
}


@dataclass(frozen=True)
class Card:
    """A place in the deck."""

    category: str
    floral: bool
    urban: bool
    worn: bool


@dataclass(frozen=True)
class Item:
    """A garment to be drawn: its category, cut (or kind of shoes, bag, hat), pattern and colour."""

    category: str
    cut: Cut | LowerCut | str
    pattern: str
    colour: str

    @property
    def part(self) -> str:
        return PART_OF[self.category]

    @property
    def noun(self) -> str:
        """What a shop calls it."""
        if isinstance(self.cut, str):
            return {**SHOES, **BAGS, **HATS}[self.cut]
        return self.cut.noun


@dataclass(frozen=True)
class Plan:
    """What a product is, before anything is drawn."""

    index: int
    item: Item
    worn: bool
    urban: bool
    gender: str
    masculine: bool
    title: str
    brand: str
    price_eur: float


@lru_cache(maxsize=256)
def _deck(seed: int, number: int) -> tuple[Card, ...]:
    rng = seeded(seed, "deck", number)
    cards: list[Card] = []
    for category, count in IN_DECK.items():
        floral, urban = FLORAL_IN_DECK.get(category, 0), URBAN_IN_DECK.get(category, 0)
        cards += [
            Card(category, i < floral, floral <= i < floral + urban, floral <= i < floral + urban)
            for i in range(count)
        ]
    rng.shuffle(cards)
    left = WORN_OTHERS_IN_DECK
    for i, card in enumerate(cards):
        if not card.urban and left:
            cards[i] = replace(card, worn=True)
            left -= 1
    rng.shuffle(cards)
    return tuple(cards)


def make_plan(seed: int, index: int) -> Plan:
    """What product `index` of the catalogue `seed` is."""
    card = _deck(seed, index // DECK)[index % DECK]
    rng = seeded(seed, "plan", index)
    masculine = rng.random() < (0.45 if card.urban else 0.3)
    item = choose_item(card.category, rng, masculine, card.floral, card.urban)
    if (isinstance(item.cut, Cut | LowerCut) and not item.cut.masculine) or item.pattern == "floral":
        masculine = False
    if item.cut in ("heels", "handbag", "wide_brim"):
        masculine = False
    neutral = item.part in ("footwear", "bag", "headwear") and item.cut not in ("heels", "handbag")
    low, high = PRICES[item.part]
    return Plan(
        index=index,
        item=item,
        worn=card.worn,
        urban=card.urban,
        gender="unisex" if neutral else ("male" if masculine else "female"),
        masculine=masculine,
        title=title_of(item),
        brand=rng.choice(BRANDS),
        price_eur=round(rng.randrange(low, high) + rng.choice((0.0, 0.5, 0.9, 0.95)), 2),
    )


def title_of(item: Item) -> str:
    """Such as 'Coral floral wrap dress'."""
    known = item.pattern == "solid" or (item.pattern == "denim" and "jeans" in item.noun)
    words = [item.colour.capitalize(), *([] if known else [item.pattern]), item.noun]
    return " ".join(words)


def choose_item(category: str, rng: random.Random, masculine: bool, floral: bool, urban: bool) -> Item:
    """A garment of the category; `urban` keeps to what layered street looks are made of."""
    if category in ("shoes", "bag", "hat"):
        return _accessory(category, rng, masculine, urban)
    cuts: list[Cut | LowerCut] = [*CUTS.get(category, ()), *LOWER_CUTS.get(category, ())]
    if floral:
        cuts = [
            c
            for c in cuts
            if not getattr(c, "knit", False)
            and getattr(c, "waistband", "plain") in ("plain", "drawstring", "paperbag")
        ]
    if masculine and any(c.masculine for c in cuts):
        cuts = [c for c in cuts if c.masculine]
    cut = rng.choice(cuts)
    if urban:
        cut = urban_cut(category, cut, rng)
    pattern = "floral" if floral else rng.choice(cut.patterns)
    if urban and category == "short_sleeve_top":
        pattern = rng.choice(("striped", "checked", "dotted"))
    return Item(category, cut, pattern, choose_colour(pattern, category, rng, urban))


def urban_cut(category: str, cut: Cut | LowerCut, rng: random.Random) -> Cut | LowerCut:
    """The street version of a category."""
    if category == "trousers":
        return RIPPED
    if category == "short_sleeve_top":
        return CUTS[category][0]
    return rng.choice([c for c in CUTS[category] if c.noun in ("trucker jacket", "bomber jacket")])


def choose_colour(pattern: str, category: str, rng: random.Random, urban: bool = False) -> str:
    """A colour that the pattern comes in."""
    if pattern == "denim":
        return rng.choice(list(DENIM))
    if pattern == "floral":
        return rng.choice(
            ("ivory", "navy", "coral", "blush", "sage", "teal", "lavender", "mustard", "sky", "black", "red")
        )
    if urban:
        return rng.choice(("black", "charcoal", "ivory", "red", "mustard", "sage", "navy"))
    return rng.choice(list(COLOURS))


def _accessory(category: str, rng: random.Random, masculine: bool, urban: bool) -> Item:
    kinds = {"shoes": list(SHOES), "bag": list(BAGS), "hat": list(HATS)}[category]
    if urban:
        kinds = {"shoes": ["boots"], "bag": ["backpack"], "hat": ["beanie"]}[category]
    elif masculine:
        kinds = [k for k in kinds if k not in ("heels", "handbag", "wide_brim")]
    kind = rng.choice(kinds)
    patterns = {
        "tote": ("solid", "striped", "checked"),
        "backpack": ("solid", "solid", "checked"),
        "beanie": ("solid", "striped"),
    }
    pattern = rng.choice(patterns.get(kind, ("solid",)))
    colours = (
        ("black", "camel", "charcoal", "navy", "red", "ivory")
        if kind in ("boots", "heels", "handbag")
        else tuple(COLOURS)
    )
    if urban and kind == "boots":
        colours = ("black", "camel", "charcoal")
    return Item(category, kind, pattern, rng.choice(colours))
