"""Which part each data set's kinds of garment belong to.

In: a category's name as the data set writes it. Out: the part, None for what is none of ours (a sleeve, a
zip). The same word means the same part in every data set.
"""

from __future__ import annotations

import re
from typing import Final

from schemas.parts import PARTS, Part

_WORDS: Final[dict[Part, str]] = {
    "upper": "anorak blazer blouse bomber button-down cape cardigan coat flannel halter henley hoodie jacket "
    "jersey jumper longsleeve outwear parka peacoat poncho pullover shirt sling sweater sweatshirt t-shirt "
    "tank tee top turtleneck vest",
    "lower": "capris chinos culottes cutoffs gauchos jeans jeggings jodhpurs joggers leggings pants sarong "
    "shorts skirt sweatpants sweatshorts trouser trousers trunks",
    "full_body": "bodysuit caftan coverup dress jumpsuit kaftan kimono nightdress onesie robe romper "
    "shirtdress suit sundress",
    "footwear": "boot boots clogs flats heels loafers pumps sandal sandals shoe shoes sneaker sneakers "
    "wedges",
    "bag": "backpack bag handbag purse wallet",
    "headwear": "cap hat headband",
    "accessory": "belt glasses glove gloves scarf sock socks stockings sunglasses tie tights umbrella warmer "
    "watch",
}
_PART_OF_WORD: Final[dict[str, Part]] = {
    word: part for part in PARTS for word in _WORDS.get(part, "").split()
}
_PART_OF_NAME: Final[dict[str, Part]] = {"headband, head covering, hair accessory": "headwear"}


def part_of(category: str) -> Part | None:
    """The part of a category: by its name as a whole, else by its last word ("sling dress" is a dress)."""
    name = category.strip().lower()
    for part in PARTS:
        if name.replace(" ", "_") == part:
            return part
    return _PART_OF_NAME.get(name) or _PART_OF_WORD.get(re.split(r"[ ,/_]+", name)[-1])
