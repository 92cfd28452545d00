"""A drawn fashion catalogue: pictures made by this package, with the truth about each beside it.

In: a seed. Out: products (`draw_catalogue`), their photographs (`draw_photo`), or both in a folder
(`write_catalogue`). Nothing is downloaded; the same seed gives the same pictures.
"""

from models.datasets.drawn.catalogue import draw_catalogue, photo_name, read_truth, write_catalogue
from models.datasets.drawn.photo import draw_photo
from models.datasets.drawn.truth import CATEGORIES, PART_OF, DrawnGarment, DrawnProduct

__all__ = [
    "CATEGORIES",
    "PART_OF",
    "DrawnGarment",
    "DrawnProduct",
    "draw_catalogue",
    "draw_photo",
    "photo_name",
    "read_truth",
    "write_catalogue",
]
