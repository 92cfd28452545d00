"""Which visions there are, told without loading any: names and dimensions for processes that do not look.

In: the name of a vision. Out: its `VisionInfo`. Raises ValueError for an unknown name, WeightsError where it
names a file that cannot be read. A test compares each with what `models.vision.open_vision` gives.
"""

from dataclasses import dataclass
from typing import Final

from models.published.names import DETECTORS, EMBEDDERS, parse


@dataclass(frozen=True, slots=True)
class VisionInfo:
    """Names of a vision's detector and embedder, and the length of its embeddings."""

    detector: str
    embedder: str
    dim: int


WHOLE_PHOTO: Final = "whole-photo-1"
"""The detector that takes each photo as one garment of part `whole`."""

_VISIONS: Final = {
    "lite0": VisionInfo(WHOLE_PHOTO, "lite0-pca256-1", 256),
    "whole-looks": VisionInfo(WHOLE_PHOTO, "lite0-looks-1", 256),
    "looks": VisionInfo("lite0-fcos-1", "lite0-looks-1", 256),
}


def describe(name: str) -> VisionInfo:
    """What the vision `name` calls its models."""
    if name in _VISIONS:
        return _VISIONS[name]
    published = parse(name)
    if published is None:
        raise ValueError(
            f"vision: got {name!r}, expected one of {', '.join(_VISIONS)}, or DETECTOR:FILE+EMBEDDER with a "
            f"detector of {', '.join(DETECTORS)} and an embedder of {', '.join(EMBEDDERS)}"
        )
    return VisionInfo(published.detector.version, published.embedder.version, published.dim)
