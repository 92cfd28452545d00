"""The learning curve as a picture.

In: the log's rows. Out: a Pillow image: the loss and its parts, and what was measured, by epoch. Nothing
fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageDraw, ImageFont

_SIZE: Final = (900, 560)
_LEFT, _TOP, _RIGHT, _BOTTOM = 70, 40, 190, 50
_COLOURS: Final = ((32, 33, 36), (31, 119, 180), (44, 140, 70), (152, 78, 163), (214, 96, 20), (200, 40, 70))
_NOT_DRAWN: Final = ("epoch", "seconds")


def curve(rows: Sequence[dict[str, float]]) -> Image.Image:
    """A line for each number of the rows."""
    picture = Image.new("RGB", _SIZE, (255, 255, 255))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(14)
    names = list(dict.fromkeys(name for row in rows for name in row if name not in _NOT_DRAWN))
    highest = max((row[name] for row in rows for name in names if name in row), default=1.0) or 1.0
    last = max((row["epoch"] for row in rows), default=1.0)
    right, bottom = _SIZE[0] - _RIGHT, _SIZE[1] - _BOTTOM

    def at(epoch: float, value: float) -> tuple[float, float]:
        x = _LEFT + (right - _LEFT) * (epoch - 1) / max(1.0, last - 1)
        return x, bottom - (bottom - _TOP) * value / highest

    for line in range(5):
        value = highest * line / 4
        y = at(1.0, value)[1]
        draw.line([(_LEFT, y), (right, y)], fill=(225, 225, 225))
        draw.text((_LEFT - 8, y), f"{value:.2f}", (90, 90, 90), font, anchor="rm")
    draw.text((_LEFT, bottom + 14), "epoch 1", (90, 90, 90), font)
    draw.text((right, bottom + 14), f"{last:.0f}", (90, 90, 90), font, anchor="ra")
    for number, name in enumerate(names):
        colour = _COLOURS[number % len(_COLOURS)]
        points = [at(row["epoch"], row[name]) for row in rows if name in row]
        if len(points) > 1:
            draw.line(points, fill=colour, width=2)
        for x, y in points:
            draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=colour)
        value = next(row[name] for row in reversed(rows) if name in row)
        draw.text((right + 16, _TOP + 22 * number), f"{name} {value:.3f}", colour, font)
    return picture
