"""The embedding map as one HTML file that needs nothing else: no network, no other file.

In: places (N, 2) between 0 and 1, what is there, and how the map was made. Out: the page as text: a canvas
with a point or picture each, thumbnails under pointer and keyboard, classes to switch, light and dark. All
text is data in a script of type JSON, so that no name can become code.
"""

from __future__ import annotations

import base64
import io
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.projector import Mapped

_PAGE: Final = Path(__file__).with_name("projector_map.html")
_JPEG_QUALITY: Final = 82


def page(title: str, places: NDArray[np.float64], things: Sequence[Mapped], about: Mapping[str, str]) -> str:
    """The page; `about` is shown as names and values under the map."""
    kinds = [kind for kind, _ in Counter(thing.kind for thing in things).most_common()]
    data = {
        "title": title,
        "about": dict(about),
        "kinds": kinds,
        "columns": _columns(len(things)),
        "side": int(things[0].thumbnail.shape[0]),
        "points": [
            [round(float(x), 4), round(float(y), 4), kinds.index(thing.kind), thing.name]
            for (x, y), thing in zip(places, things, strict=True)
        ],
    }
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True).replace("<", "\\u003c")
    html = _PAGE.read_text(encoding="utf-8")
    return html.replace("/*DATA*/", text).replace("/*SPRITE*/", _sprite(things))


def _columns(count: int) -> int:
    return math.ceil(math.sqrt(count))


def _sprite(things: Sequence[Mapped]) -> str:
    """All thumbnails on one picture, row by row, as a data: URI."""
    columns, side = _columns(len(things)), int(things[0].thumbnail.shape[0])
    rows = -(-len(things) // columns)
    sheet = np.full((rows * side, columns * side, 3), 255, np.uint8)
    for at, thing in enumerate(things):
        top, left = at // columns * side, at % columns * side
        sheet[top : top + side, left : left + side] = thing.thumbnail
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
