"""Clusters of embeddings, and the turn that a shopper has taken. Pure.

In: unit embeddings (N, D) of the products or garments that a shopper liked. Out: groups of rows with the
weights of their centroids, or how many of the newest rows are something new. Every limit is relative to how
alike the given rows are to each other, so none has to be tuned to an embedder.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MAX_TURN: Final = 12  # more of the newest products than these are no turn, but a taste
MIN_BEFORE: Final = 4  # products before a turn: how alike fewer are says little
TOGETHER: Final = 0.25


@dataclass(frozen=True, slots=True)
class Cluster:
    """Some of N rows: their indices, ascending, and the weights (N,) of all rows in the centroid, sum 1."""

    rows: tuple[int, ...]
    mix: Floats


def unit(summed: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """A sum of embeddings (D,) at length 1; None where they cancel."""
    length = float(np.linalg.norm(summed))
    return (summed / length).astype(np.float32) if length > 1e-6 else None


def similarities(embeddings: NDArray[np.float32]) -> Floats:
    """The cosines (N, N) of unit embeddings (N, D)."""
    return (embeddings @ embeddings.T).astype(np.float64)


def clusters(alike: Floats, weights: Floats, pull: float) -> list[Cluster]:
    """The groups into which rows fall, given how alike they are (N, N) and what each weighs (N,).

    The rows are joined by average linkage (Sokal and Michener 1958). Downwards from all of them, a group
    falls in two where its halves are less alike than two rows are on average. A group's mean is drawn to the
    mean of the group it fell out of as though that were `pull` of all the rows (James and Stein 1961): the
    mean of few rows says little, and a group that fell out by chance then still points where all rows do.
    """
    count = len(weights)
    halves, linked = _joined(alike)
    average = (alike.sum() - np.trace(alike)) / max(1, count * (count - 1))
    found: list[Cluster] = []
    pending: list[tuple[int, Floats | None]] = [(count - 1 + len(halves), None)]
    while pending:
        node, above = pending.pop()
        rows = _rows(node, count, halves)
        own = np.zeros(count)
        own[rows] = weights[rows] / weights[rows].sum()
        worth = 1.0 / float((own**2).sum())  # rows' worth: as many as N equal ones
        mix = own if above is None else (worth * own + pull * count * above) / (worth + pull * count)
        if node < count or linked[node - count] > average + 1e-6:
            found.append(Cluster(tuple(rows), mix))
        else:
            pending += [(half, mix) for half in halves[node - count]]
    return sorted(found, key=lambda cluster: cluster.rows)


def _joined(alike: Floats) -> tuple[list[tuple[int, int]], list[float]]:
    """Average linkage: the two nodes that each step joins into node N + step, and how alike they are."""
    linked = alike.copy()
    np.fill_diagonal(linked, -np.inf)
    node, sizes = list(range(len(linked))), np.ones(len(linked))
    halves: list[tuple[int, int]] = []
    heights: list[float] = []
    for step in range(len(linked) - 1):
        one, other = sorted(divmod(int(linked.argmax()), len(linked)))
        halves.append((node[one], node[other]))
        heights.append(float(linked[one, other]))
        merged = (sizes[one] * linked[one] + sizes[other] * linked[other]) / (sizes[one] + sizes[other])
        linked[one], linked[:, one] = merged, merged
        linked[one, one] = -np.inf
        linked[other], linked[:, other] = -np.inf, -np.inf
        sizes[one] += sizes[other]
        node[one] = len(node) + step
    return halves, heights


def _rows(node: int, count: int, halves: list[tuple[int, int]]) -> list[int]:
    pending, rows = [node], []
    while pending:
        at = pending.pop()
        if at < count:
            rows.append(at)
        else:
            pending += halves[at - count]
    return sorted(rows)


def turn(alike: Floats, least: float) -> int:
    """How many of the newest rows are something new, given how alike rows are (N, N), the oldest first.

    The newest r are a turn where they are more like one another than like the rows before, and less like
    those than those are like one another, by `least` / √r of their standard deviations; how much more alike
    they are counts too, a quarter as much, being told by few pairs. 0 where there is none, else the r that is
    farthest from the rows before it.
    """
    count, best, found = len(alike), 0.0, 0
    summed = alike.cumsum(axis=1)
    for newest in range(2, min(MAX_TURN, count // 2, count - MIN_BEFORE) + 1):
        before = count - newest
        usual = (summed[:before, before - 1] - alike.diagonal()[:before]) / (before - 1)
        to_before = float(summed[before:, before - 1].mean()) / before
        among = (summed[before:, -1] - summed[before:, before - 1]).sum() - alike.diagonal()[before:].sum()
        away = float(usual.mean()) - to_before
        together = float(among) / (newest * (newest - 1)) - to_before
        stands_out = (away + TOGETHER * together) / max(float(usual.std()), 1e-6)
        if away > best and together > 0.0 and stands_out * newest**0.5 >= least:
            best, found = away, newest
    return found
