"""What the detector looks for: kinds, their parts, and the categories within them. Pure data.

In: the label names of data sets. Out: the kind and category that each stands for. A kind is a part, except
that what is worn above the waist has two, because a coat and the shirt under it are two garments of one part
that share most of their box. Labels that are in no table mean nothing to the detector (skin, hair, tights).
"""

from typing import Final

from schemas.parts import Part

KINDS: Final = (
    "inner", "outer", "lower", "full_body", "footwear", "bag", "headwear", "accessory",
)  # fmt: skip
PART_OF_KIND: Final[dict[str, Part]] = {
    "inner": "upper", "outer": "upper", "lower": "lower", "full_body": "full_body", "footwear": "footwear",
    "bag": "bag", "headwear": "headwear", "accessory": "accessory",
}  # fmt: skip
PARTS_MEASURED: Final[tuple[Part, ...]] = ("upper", "lower", "full_body", "footwear", "bag", "headwear")
# Each place of the picture answers for three boxes at once, so that garments worn over each other, which
# share their middle, do not have to share an answer.
SLOT_OF_KIND: Final = (0, 1, 0, 0, 2, 2, 2, 2)
SLOTS: Final = 3

CATEGORIES: Final[dict[str, tuple[str, ...]]] = {
    "inner": ("top", "t-shirt", "blouse", "shirt", "sweater", "sweatshirt", "hoodie", "jumper", "longsleeve"),
    "outer": ("cardigan", "jacket", "blazer", "coat", "vest", "cape", "outwear"),
    "lower": ("pants", "jeans", "shorts", "skirt", "leggings"),
    "full_body": ("dress", "romper", "bodysuit", "suit"),
    "footwear": (
        "shoes", "boots", "heels", "pumps", "flats", "sneakers", "sandals", "wedges", "clogs", "loafers",
    ),
    "bag": ("bag", "purse", "wallet"),
    "headwear": ("hat",),
    "accessory": ("glasses", "sunglasses", "belt", "scarf", "tie"),
}  # fmt: skip
CATEGORY_NAMES: Final = tuple(name for names in CATEGORIES.values() for name in names)
KIND_OF_CATEGORY: Final = {name: kind for kind, names in CATEGORIES.items() for name in names}
_OF_WORD: Final = {
    "trousers": "pants", "chinos": "pants", "joggers": "pants", "sling": "top", "tank": "top",
    "tee": "t-shirt", "pullover": "sweater", "parka": "coat", "anorak": "jacket", "jumpsuit": "romper",
    "shoe": "shoes", "handbag": "bag", "backpack": "bag", "cap": "hat", "outerwear": "outwear",
}  # fmt: skip
_BROAD: Final = {"upper": "inner"}


def kind_and_category(name: str, part: Part | None) -> tuple[str, str | None] | None:
    """What a data set's label `name` of `part` is to the detector; the category is None where it has no word.

    The last word that is known decides ("short sleeve top" is a top); None where even the part is unknown.
    """
    for word in reversed(name.strip().lower().replace("_", " ").replace(",", " ").split()):
        category = _OF_WORD.get(word, word)
        if category in KIND_OF_CATEGORY:
            return KIND_OF_CATEGORY[category], category
    if part is None or part == "whole":
        return None
    return _BROAD.get(part, part), None
