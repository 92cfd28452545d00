"""What the demo leaves behind: a picture per shopper, and a table of what came of each taste.

In: visits and the stock. Out: a PNG of what was viewed beside what was recommended; rows for the table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from streams.demo.shopping import Visit, milliseconds
from streams.demo.stock import Stock

_THUMB = (132, 168)
_GAP, _MARGIN, _HEAD, _CAPTION = 14, 32, 92, 34
_INK, _GREY, _LIKED, _PAPER, _CARD = "#1d1d1f", "#7a7a80", "#2f7d4f", "#faf9f7", "#ffffff"
SHOWN_VIEWED, SHOWN_SET = 12, 24


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one shopper's taste: its share of the set's first 24 against its share of the shop."""

    name: str
    likes: str
    in_set: int
    of: int
    catalogue_share: float
    p50_ms: float
    p99_ms: float
    served: bool

    @property
    def set_share(self) -> float:
        """The share of the set's first 24 that has the liked attribute."""
        return self.in_set / self.of if self.of else 0.0


def outcome(visit: Visit, stock: Stock) -> Outcome:
    """Count it."""
    likes = visit.persona.likes
    first = [item.product_id for item in visit.newest.items[:SHOWN_SET]] if visit.newest else []
    p50_ms, p99_ms = milliseconds(visit.answered_s)
    return Outcome(
        visit.persona.name,
        likes,
        sum(likes in stock.attributes.get(product_id, ()) for product_id in first),
        len(first),
        stock.share(likes),
        p50_ms,
        p99_ms,
        visit.served,
    )


def picture(visit: Visit, stock: Stock) -> Image.Image:
    """What the shopper viewed, left, and the newest set, right; liked items are marked."""
    viewed = list(dict.fromkeys(reversed(visit.persona.viewed)))[:SHOWN_VIEWED]
    items = visit.newest.items[:SHOWN_SET] if visit.newest else []
    left = [(pid, _title(stock, pid), "") for pid in viewed]
    right = [
        (item.product_id, _title(stock, item.product_id), _why(stock, item.because, item.slot))
        for item in items
    ]
    cell = (_THUMB[0] + _GAP, _THUMB[1] + _CAPTION + _GAP)
    columns, rows = 3 + 6, 4
    width = 2 * _MARGIN + columns * cell[0] + 2 * _GAP
    canvas = Image.new("RGB", (width, _HEAD + rows * cell[1] + _MARGIN), _PAPER)
    draw = ImageDraw.Draw(canvas)
    found = outcome(visit, stock)
    _text(draw, (_MARGIN, 22), f"{visit.persona.name} likes {visit.persona.likes}", 26, _INK)
    _text(draw, (_MARGIN, 62), "viewed, newest first", 15, _GREY)
    offset = _MARGIN + 3 * cell[0] + 2 * _GAP
    share = (
        f"{found.in_set} of {found.of} have it ({found.set_share:.0%}; the shop: {found.catalogue_share:.0%})"
    )
    _text(draw, (offset, 62), f"recommended · {share}", 15, _GREY)
    for placed, x0, across in ((left, _MARGIN, 3), (right, offset, 6)):
        for number, card in enumerate(placed):
            corner = (x0 + number % across * cell[0], _HEAD + number // across * cell[1])
            _card(canvas, draw, corner, card, stock, visit.persona.likes)
    return canvas


def _card(
    canvas: Image.Image,
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    card: tuple[str, str, str],
    stock: Stock,
    likes: str,
) -> None:
    product_id, title, why = card
    x, y = corner
    liked = likes in stock.attributes.get(product_id, ())
    box = (x - 3, y - 3, x + _THUMB[0] + 3, y + _THUMB[1] + 3)
    draw.rounded_rectangle(box, 8, fill=_CARD, outline=_LIKED if liked else "#e3e1dc", width=2)
    thumb = _thumbnail(stock, product_id)
    canvas.paste(thumb, (x + (_THUMB[0] - thumb.width) // 2, y + (_THUMB[1] - thumb.height) // 2))
    _text(draw, (x, y + _THUMB[1] + 6), title, 12, _INK, _THUMB[0])
    _text(draw, (x, y + _THUMB[1] + 21), why, 11, _GREY, _THUMB[0])


def _thumbnail(stock: Stock, product_id: str) -> Image.Image:
    link = stock.products[product_id].image_link
    try:
        with Image.open(stock.media_root / link) as opened:
            return ImageOps.contain(opened.convert("RGB"), _THUMB)
    except OSError:  # an inline photo, or one that has gone since
        return Image.new("RGB", _THUMB, "#eeeeee")


def _title(stock: Stock, product_id: str) -> str:
    product = stock.products.get(product_id)
    return (product.title or product.category or product_id) if product else product_id


def _why(stock: Stock, because: object, slot: str) -> str:
    product_id = getattr(because, "product_id", None)
    return slot if product_id is None else f"for {_title(stock, product_id)}"


def _text(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    text: str,
    size: int,
    ink: str,
    width: int | None = None,
) -> None:
    font = ImageFont.load_default(size)
    if width is not None and draw.textlength(text, font) > width:
        while text and draw.textlength(text + "…", font) > width:
            text = text[:-1]
        text = text.rstrip() + "…"
    draw.text(corner, text, ink, font)


def save_pictures(visits: Sequence[Visit], stock: Stock, folder: Path) -> list[Path]:
    """One PNG per visit in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for visit in visits:
        path = folder / f"{visit.persona.name.lower().replace(' ', '-')}.png"
        picture(visit, stock).save(path)
        paths.append(path)
    return paths
