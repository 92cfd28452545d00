"""The demo's shoppers: what they like and what they do next. Pure but for the random generator given.

In: a stock and the set that a shopper sees. Out: the next action. What a shopper likes decides what is
clicked; lookstream never learns it but through those clicks.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from random import Random

from streams.demo.stock import Stock

_ACTIONS = (
    ("product.viewed", 12),
    ("product.clicked", 3),
    ("product.added_to_wishlist", 2),
    ("product.added_to_cart", 2),
    ("product.purchased", 1),
)
# From Fashion Collection: Alice likes shorts, Bella florals, Cathy urban layers.
DRAWN_LIKES = ("shorts", "floral", "urban")
_NAMES = ("Alice", "Bella", "Cathy", "Dora", "Elif", "Femi", "Goro", "Hana", "Ines", "Jonas")
_PREFERRED = ("shorts", "dress", "outwear")
STRAY_SHARE = 0.08


@dataclass(slots=True)
class Persona:
    """A shopper of the demo: a name, an id, and the attribute that the shopper likes."""

    name: str
    user_id: str
    likes: str
    viewed: list[str] = field(default_factory=list)


def personas(likes: Sequence[str], count: int, run: str) -> list[Persona]:
    """The first `count` shoppers; ids end in `run`, so that each run shops with new ones."""
    made = []
    for number in range(count):
        name = _NAMES[number % len(_NAMES)] + (
            f" {number // len(_NAMES) + 1}" if number >= len(_NAMES) else ""
        )
        made.append(Persona(name, f"{name.lower().replace(' ', '-')}-{run}", likes[number % len(likes)]))
    return made


def likes_of(stock: Stock) -> list[str]:
    """What there is to like in a folder of photos: its sub-folders."""
    folders = sorted({a for known in stock.attributes.values() for a in known})
    first = [folder for folder in _PREFERRED if folder in folders]
    return (first + [folder for folder in folders if folder not in first]) or [""]


def next_action(persona: Persona, stock: Stock, shown: Sequence[str], random: Random) -> tuple[str, str]:
    """(action, product id): something liked, from the set shown or by browsing; now and then a stray."""
    seen: Collection[str] = set(persona.viewed)
    liked = [pid for pid in stock.having(persona.likes) if pid not in seen]
    offered = [pid for pid in shown if pid in set(liked)]
    action = random.choices([a for a, _ in _ACTIONS], [w for _, w in _ACTIONS])[0]
    if not liked or random.random() < STRAY_SHARE:
        return "product.viewed", random.choice([*stock.products])
    return action, random.choice(offered if offered and random.random() < 0.5 else liked)
