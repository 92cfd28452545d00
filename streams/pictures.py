"""Pictures for people: photos with boxes, and sheets of thumbnails with captions.

In: photos as pixels (H, W, 3) uint8 RGB, boxes in their pixels, texts. Out: Pillow images. Nothing fails that
was given pixels; a photo that could not be had is a tile without one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from schemas.parts import Part

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

PART_COLOURS: Final[dict[Part, Colour]] = {
    "upper": (31, 119, 180),
    "lower": (44, 140, 70),
    "full_body": (152, 78, 163),
    "footwear": (214, 96, 20),
    "bag": (200, 40, 70),
    "headwear": (0, 140, 150),
    "accessory": (150, 110, 20),
    "whole": (90, 90, 100),
}
_PAPER: Final[Colour] = (247, 246, 243)
_CARD: Final[Colour] = (255, 255, 255)
_INK: Final[Colour] = (32, 33, 36)
_FAINT: Final[Colour] = (120, 122, 128)
_EMPTY: Final[Colour] = (228, 227, 223)
_GAP_PX: Final = 14
_MARGIN_PX: Final = 28
_RADIUS_PX: Final = 10
_TEXT_PX: Final = 14
_NOTE_PX: Final = 12
_HEADING_PX: Final = 18
_TITLE_PX: Final = 26
_MOST_CROPPED: Final = 1.25  # a thumbnail is enlarged by at most this over showing the whole photo


@dataclass(frozen=True, eq=False)
class Tile:
    """A thumbnail: the photo (None: a grey card), up to two lines of caption, a fainter note below.

    `frame` is the colour of a frame around the photo, None for none.
    """

    photo: Pixels | None
    caption: str = ""
    note: str = ""
    frame: Colour | None = None


@dataclass(frozen=True, eq=False)
class Row:
    """Tiles under a heading; too many for one line go on in the next."""

    heading: str
    tiles: Sequence[Tile]
    colour: Colour = _INK


@dataclass(frozen=True)
class Box:
    """A box x1 y1 x2 y2 in pixels of the photo it is drawn on, and what to write on it."""

    box_xyxy: tuple[float, float, float, float]
    label: str
    colour: Colour


def grid(
    title: str, rows: Sequence[Row], *, columns: int = 8, tile_px: tuple[int, int] = (132, 168)
) -> Image.Image:
    """A sheet: the title, then each row's heading and tiles, `columns` in a line of (width, height) each."""
    width_px = 2 * _MARGIN_PX + columns * (tile_px[0] + _GAP_PX) - _GAP_PX
    head_px = _MARGIN_PX + _TITLE_PX + 2 * _GAP_PX
    heights = [_HEADING_PX + _GAP_PX + -(-len(row.tiles) // columns) * _line_px(row, tile_px) for row in rows]
    sheet = Image.new("RGB", (width_px, head_px + sum(heights) + _GAP_PX), _PAPER)
    draw = ImageDraw.Draw(sheet)
    _text(draw, (_MARGIN_PX, _MARGIN_PX - 4), title, _TITLE_PX, _INK, width_px - 2 * _MARGIN_PX)
    top = head_px
    for row, height in zip(rows, heights, strict=True):
        _text(draw, (_MARGIN_PX, top), row.heading, _HEADING_PX, row.colour, width_px - 2 * _MARGIN_PX)
        for number, tile in enumerate(row.tiles):
            line, column = divmod(number, columns)
            left = _MARGIN_PX + column * (tile_px[0] + _GAP_PX)
            below = top + _HEADING_PX + _GAP_PX + line * _line_px(row, tile_px)
            _draw_tile(sheet, tile, (left, below), tile_px)
        top += height
    return sheet


def boxes(photo: Pixels, found: Sequence[Box], *, height_px: int = 720) -> Image.Image:
    """The photo with the boxes drawn in, a label in each one's upper left corner, or below another label.

    It becomes `height_px` high, or less where it would be more than twice as wide.
    """
    scale = min(height_px / photo.shape[0], 2 * height_px / photo.shape[1])
    size = (max(1, round(photo.shape[1] * scale)), max(1, round(photo.shape[0] * scale)))
    picture = Image.fromarray(photo).resize(size, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(picture)
    for box in found:
        x1, y1, x2, y2 = (round(side * scale) for side in box.box_xyxy)
        draw.rounded_rectangle(_inside((x1, y1, x2, y2), size), _RADIUS_PX // 2, outline=box.colour, width=3)
    taken: list[tuple[int, int, int, int]] = []
    for box in found:
        label = _label_place(box, scale, size, taken)
        taken.append(label)
        draw.rounded_rectangle(label, 5, fill=box.colour)
        draw.text((label[0] + 7, label[1] + 4), box.label, _CARD, _font(_TEXT_PX))
    return picture


def beside(left: Image.Image, right: Image.Image) -> Image.Image:
    """Two pictures side by side on one sheet, the left one framed like a card."""
    width = 2 * _MARGIN_PX + left.width + right.width - _MARGIN_PX
    sheet = Image.new("RGB", (width, max(left.height + 2 * _MARGIN_PX, right.height)), _PAPER)
    sheet.paste(left, (_MARGIN_PX, _MARGIN_PX), _rounded(left.size))
    sheet.paste(right, (width - right.width, 0))
    return sheet


def crop(photo: Pixels, box_xyxy: tuple[float, float, float, float]) -> Pixels:
    """The pixels inside a box, at least one."""
    height, width = photo.shape[:2]
    x1, y1 = (
        min(max(0, int(low)), limit - 1) for low, limit in zip(box_xyxy[:2], (width, height), strict=True)
    )
    x2, y2 = max(x1 + 1, round(box_xyxy[2])), max(y1 + 1, round(box_xyxy[3]))
    return photo[y1:y2, x1:x2]


def _line_px(row: Row, tile_px: tuple[int, int]) -> int:
    """The height of a line of tiles: as much room for text as the fullest of them needs."""
    captions = max((len(_wrapped(tile.caption, tile_px[0], _TEXT_PX, 2)) for tile in row.tiles), default=0)
    notes = any(tile.note for tile in row.tiles)
    return tile_px[1] + 6 + captions * (_TEXT_PX + 3) + notes * (_NOTE_PX + 3) + _GAP_PX + 4


def _draw_tile(sheet: Image.Image, tile: Tile, at: tuple[int, int], size: tuple[int, int]) -> None:
    draw, mask = ImageDraw.Draw(sheet), _rounded(size)
    left, top = at
    sheet.paste(
        _EMPTY if tile.photo is None else _fitted(tile.photo, size),
        (left, top, left + size[0], top + size[1]),
        mask,
    )
    if tile.photo is None:
        middle = (left + size[0] // 2, top + size[1] // 2)
        draw.text(middle, "no photo", _FAINT, _font(_NOTE_PX), anchor="mm")
    if tile.frame is not None:
        edge = (left - 2, top - 2, left + size[0] + 1, top + size[1] + 1)
        draw.rounded_rectangle(edge, _RADIUS_PX + 2, outline=tile.frame, width=3)
    y = top + size[1] + 6
    for line in _wrapped(tile.caption, size[0], _TEXT_PX, 2):
        draw.text((left, y), line, _INK, _font(_TEXT_PX))
        y += _TEXT_PX + 3
    _text(draw, (left, y), tile.note, _NOTE_PX, _FAINT, size[0])


def _fitted(photo: Pixels, size: tuple[int, int]) -> Image.Image:
    """The photo filling `size` where little is lost, else whole on a white card."""
    image = Image.fromarray(photo)
    ratios = (size[0] / image.width, size[1] / image.height)
    scale = min(max(ratios), min(ratios) * _MOST_CROPPED)
    scaled = image.resize(
        (max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.LANCZOS
    )
    card = Image.new("RGB", size, _CARD)
    card.paste(scaled, ((size[0] - scaled.width) // 2, (size[1] - scaled.height) // 2))
    return card


@lru_cache(maxsize=16)
def _rounded(size: tuple[int, int]) -> Image.Image:
    """A mask with round corners, drawn four times as large so that they are smooth."""
    large = Image.new("L", (4 * size[0], 4 * size[1]), 0)
    edge = (0, 0, large.width - 1, large.height - 1)
    ImageDraw.Draw(large).rounded_rectangle(edge, 4 * _RADIUS_PX, fill=255)
    return large.resize(size, Image.Resampling.BOX)


@lru_cache(maxsize=16)
def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)


def _text(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, size_px: int, colour: Colour, width_px: int
) -> None:
    for line in _wrapped(text, width_px, size_px, 1):
        draw.text(at, line, colour, _font(size_px))


def _wrapped(text: str, width_px: int, size_px: int, most: int) -> list[str]:
    """The text in at most `most` lines of at most `width_px`; what is left over becomes an ellipsis."""
    lines: list[str] = []
    words = text.split()
    while words and len(lines) < most:
        taken = 1
        while taken < len(words) and _width(" ".join(words[: taken + 1]), size_px) <= width_px:
            taken += 1
        last = len(lines) == most - 1
        line = " ".join(words if last else words[:taken])
        lines.append(_shortened(line, width_px, size_px))
        words = [] if last else words[taken:]
    return lines


def _shortened(text: str, width_px: int, size_px: int) -> str:
    if _width(text, size_px) <= width_px:
        return text
    while text and _width(text + "…", size_px) > width_px:
        text = text[:-1]
    return text.rstrip() + "…"


def _width(text: str, size_px: int) -> float:
    return float(_font(size_px).getlength(text))


def _inside(box: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    x1, y1 = max(0, min(box[0], size[0] - 2)), max(0, min(box[1], size[1] - 2))
    return x1, y1, max(x1 + 1, min(box[2], size[0] - 1)), max(y1 + 1, min(box[3], size[1] - 1))


def _label_place(
    box: Box, scale: float, size: tuple[int, int], taken: Sequence[tuple[int, int, int, int]]
) -> tuple[int, int, int, int]:
    """Where a label goes: in the box's upper left corner, or the next free place below."""
    width, height = round(_width(box.label, _TEXT_PX)) + 14, _TEXT_PX + 11
    left = max(0, min(round(box.box_xyxy[0] * scale), size[0] - width))
    top = max(0, min(round(box.box_xyxy[1] * scale), size[1] - height))
    place = (left, top, left + width, top + height)
    while any(_overlap(place, other) for other in taken) and place[3] + height + 2 <= size[1]:
        place = (left, place[1] + height + 2, left + width, place[3] + height + 2)
    return place


def _overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
