"""A tiny data set in the layout of CCP, drawn: people of three rectangles on a plain street."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

LABELS = ["null", "hair", "t-shirt", "pants", "shoes", "bag", "watch"]


def draw_people(root: Path, count: int, *, height: int = 120, width: int = 80) -> Path:
    """Write `count` photos with masks and the labels below `root`, and return it."""
    (root / "photos").mkdir(parents=True)
    (root / "masks").mkdir()
    (root / "labels.json").write_text(json.dumps(LABELS), encoding="utf-8")
    for number in range(count):
        random = np.random.default_rng(number)
        mask = np.zeros((height, width), np.uint8)
        left = int(random.integers(15, 35))
        mask[10:20, left + 8 : left + 22] = LABELS.index("hair")
        mask[20:60, left : left + 30] = LABELS.index("t-shirt")
        mask[60:100, left + 4 : left + 26] = LABELS.index("pants")
        mask[100:108, left + 2 : left + 12] = LABELS.index("shoes")
        mask[100:108, left + 18 : left + 28] = LABELS.index("shoes")
        if number % 2:
            mask[50:70, left + 28 : left + 42] = LABELS.index("bag")
        mask[59, left] = LABELS.index("watch")
        colours = random.integers(0, 256, (len(LABELS), 3))
        name = f"{number:04}"
        Image.fromarray(colours[mask].astype(np.uint8)).save(root / "photos" / f"{name}.jpg", quality=95)
        Image.fromarray(mask).save(root / "masks" / f"{name}.png")
    return root
