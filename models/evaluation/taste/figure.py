"""The figure: what each system does for each kind of shopper, as bars with their intervals.

In: rows of the replay. Out: a Pillow picture, a line of panels per catalogue. Nothing fails that has rows.
"""

from collections.abc import Sequence
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFont

_PANELS: Final = (
    ("single", "precision24", "One taste", "precision@24", 1.0),
    ("noisy", "precision24", "One taste, 20 % strays", "precision@24", 1.0),
    ("two", "balanced24", "Two tastes", "balanced precision@24", 1.0),
    ("two", "both12", "Two tastes", "both in the first 12", 1.0),
    ("drift", "half_events", "A new taste", "events until it has half of the set", 13.0),
)
_TITLES: Final = {"photos": "Photographs", "drawn": "Drawn products"}
_COLOURS: Final = {"lookstream": "#1f7a4d", "centroid of 12": "#3b6fb6"}
_OTHER, _PAPER, _INK, _GREY, _FRAME, _WHISKER = (
    "#b9bcc2",
    "#ffffff",
    "#1d1d1f",
    "#6d6f76",
    "#e6e6e3",
    "#3c3c40",
)
_SCALE: Final = 2  # drawn for screens with two pixels to the point
_NAMES, _PANEL, _BAR, _STEP, _HEAD, _GAP, _MARGIN = 150, 230, 16, 26, 82, 22, 28


def figure(rows: Sequence[dict[str, Any]]) -> Image.Image:
    """The panels of every catalogue in `rows`, one line of them each."""
    catalogues = list(dict.fromkeys(row["catalogue"] for row in rows))
    # Those in every scenario: what exploration and quotas cost is in the table.
    names = list(dict.fromkeys(row["system"] for row in rows if row["scenario"] == "drift"))
    line_px = _HEAD + _STEP * len(names) + _GAP
    width = 2 * _MARGIN + _NAMES + len(_PANELS) * (_PANEL + _GAP) - _GAP
    canvas = _Canvas(width, 2 * _MARGIN + line_px * len(catalogues))
    for number, catalogue in enumerate(catalogues):
        top = _MARGIN + number * line_px
        held = {(r["scenario"], r["system"]): r for r in rows if r["catalogue"] == catalogue}
        shoppers = held["single", names[0]]["shoppers"]
        canvas.text(_MARGIN, top, _TITLES.get(catalogue, catalogue), 17, _INK)
        canvas.text(_MARGIN, top + 26, f"{shoppers} shoppers each,", 11, _GREY)
        canvas.text(_MARGIN, top + 40, "95 % intervals", 11, _GREY)
        for place, name in enumerate(names):
            canvas.text(_MARGIN, top + _HEAD + place * _STEP, name, 13, _INK)
        for place, panel in enumerate(_PANELS):
            left = _MARGIN + _NAMES + place * (_PANEL + _GAP)
            found = [(name, held[panel[0], name]) for name in names if (panel[0], name) in held]
            _panel(canvas, left, top, panel, found)
    return canvas.image


class _Canvas:
    """Drawing in points, whatever the scale."""

    def __init__(self, width: int, height: int) -> None:
        self.image = Image.new("RGB", (width * _SCALE, height * _SCALE), _PAPER)
        self.draw = ImageDraw.Draw(self.image)

    def text(self, x: float, y: float, text: str, size: int, ink: str) -> None:
        """Text with its upper left corner at (x, y)."""
        at = (x * _SCALE, y * _SCALE)
        self.draw.text(at, text, ink, ImageFont.load_default(size * _SCALE))

    def box(self, x: float, y: float, width: float, height: float, ink: str) -> None:
        """A filled box."""
        if width > 0 and height > 0:
            corners = [x * _SCALE, y * _SCALE, (x + width) * _SCALE - 1, (y + height) * _SCALE - 1]
            self.draw.rectangle(corners, fill=ink)


def _panel(
    canvas: _Canvas,
    left: float,
    top: float,
    panel: tuple[str, str, str, str, float],
    found: Sequence[tuple[str, dict[str, Any]]],
) -> None:
    _, key, title, what, most = panel
    canvas.text(left, top, title, 14, _INK)
    better = "fewer is better" if most > 1 else "more is better"
    canvas.text(left, top + 22, what, 12, _GREY)
    canvas.text(left, top + 38, better, 11, _GREY)
    room = _PANEL - 42  # the value stands behind the longest bar
    canvas.box(left, top + _HEAD - 8, 1, _STEP * len(found), _FRAME)
    for place, (name, row) in enumerate(found):
        y = top + _HEAD + place * _STEP
        low, high = row["intervals"][key]
        canvas.box(left, y, room * min(1.0, row[key] / most), _BAR, _COLOURS.get(name, _OTHER))
        from_x, to_x = (left + room * min(1.0, value / most) for value in (low, high))
        canvas.box(from_x, y + _BAR / 2 - 0.75, to_x - from_x, 1.5, _WHISKER)
        for x in (from_x, to_x):
            canvas.box(x - 0.75, y + 4, 1.5, _BAR - 8, _WHISKER)
        never = most > 1 and row[key] >= most
        shown = "never" if never else f"{row[key]:.1f}" if most > 1 else f"{row[key]:.2f}"
        canvas.text(max(to_x, left + 2) + 6, y + 1, shown, 12, _INK)
