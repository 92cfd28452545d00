"""Clusters of embeddings, and the turn that a shopper has taken. Pure.

In: unit embeddings (N, D) of the products or garments that a shopper liked. Out: groups of rows with the
weights of their centroids, or how many of the newest rows are something new. Every limit is relative to how
alike the given rows are to each other, so none has to be tuned to an embedder.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MAX_TURN: Final = 12  # more of the newest products than these are no turn, but a taste
MIN_BEFORE: Final = 4  # products before a turn: how alike fewer are says little
MOST_LOG_ODDS: Final = 50.0  # beyond, they are as good as certain
TURN_ODDS: Final = (0.54, -13.0, 1.6, 0.7)
"""Coefficients of `_log_odds`: likeness among the new, rank, number, constant. Fitted with equal priors to
shoppers with and without a turn, simulated on photographs (`clothing/train`) and drawn catalogues (7, 23)."""


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


def turn(alike: Floats, least: float) -> tuple[int, float]:
    """How many of the newest rows are something new, and the odds of that, given how alike rows are (N, N).

    The rows come the oldest first. The newest r are a turn where the log odds are `least` or more; of several
    r the likeliest. (0, 0.0) where there is none.
    """
    count = len(alike)
    best, found = least, 0
    apart = alike.copy()
    np.fill_diagonal(apart, -np.inf)
    for newest in range(2, min(MAX_TURN, count // 2, count - MIN_BEFORE) + 1):
        log_odds = _log_odds(alike, apart, count - newest)
        if log_odds is not None and log_odds >= best:
            best, found = log_odds, newest
    return (found, math.exp(min(best, MOST_LOG_ODDS))) if found else (0, 0.0)


def _log_odds(alike: Floats, apart: Floats, before: int) -> float | None:
    """The log odds that rows from `before` on are new; None where they are no more alike than like the rest.

    A logistic regression of three things: how much more alike the new rows are to one another than to the
    rows before, in standard deviations of how alike those are; how the new rows' likeness to the rows before
    ranks among those rows' own, on average and the nearest only (Mann and Whitney 1947: 0.5 if they are of
    one kind); and how many they are, for few tell little.
    """
    newest = len(alike) - before
    old, to_old = apart[:before, :before], alike[before:, :before]
    pairs = alike[:before, :before][~np.eye(before, dtype=bool)]
    among = alike[before:, before:]
    together = float(among.sum() - np.trace(among)) / (newest * (newest - 1)) - float(to_old.mean())
    if together <= 1e-6:
        return None
    together /= max(float(pairs.std()), 1e-6)
    usual = pairs.reshape(before, before - 1).mean(axis=1)
    rank = (_rank(to_old.mean(axis=1), usual) + _rank(to_old.max(axis=0), old.max(axis=1))) / 2
    together_odds, rank_odds, number_odds, constant = TURN_ODDS
    size = math.sqrt(newest)
    return together_odds * size * together + rank_odds * rank + number_odds * math.log(newest) + constant


def _rank(values: Floats, among: Floats) -> float:
    """The chance that one of `values` is greater than one of `among`; ties count half."""
    greater = np.round(values[:, None] - among[None, :], 6)
    return float((1.0 + np.sign(greater)).mean()) / 2
