"""Which visions there are, told without loading any: names and dimensions for processes that do not look.

In: the name of a vision. Out: its `VisionInfo`. Raises ValueError for an unknown name. A test compares each
with what `models.vision.open_vision` gives.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class VisionInfo:
    """Names of a vision's detector and embedder, and the length of its embeddings."""

    detector: str
    embedder: str
    dim: int


_VISIONS: Final = {"lite0": VisionInfo("whole-photo-1", "lite0-pca256-1", 256)}


def describe(name: str) -> VisionInfo:
    """What the vision `name` calls its models."""
    try:
        return _VISIONS[name]
    except KeyError:
        raise ValueError(f"vision: got {name!r}, expected one of {', '.join(_VISIONS)}") from None
