"""Retrieval figures of embeddings: plain numpy, no pictures.

In: unit embeddings (N, D) and what is known of each row. Out: figures between 0 and 1, and the neighbours
they were counted from. Raises ValueError where nothing can be counted. Equal similarities keep the order of
the rows.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Embeddings: TypeAlias = NDArray[np.floating]
Labels: TypeAlias = NDArray[np.str_]
Ranks: TypeAlias = NDArray[np.intp]
NEIGHBOURS = 5
"""How many neighbours the colour ratio and the part agreement look at."""


def nearest(queries: Embeddings, gallery: Embeddings) -> Ranks:
    """Rows of the gallery (Q, N), most similar first."""
    return np.argsort(-(queries @ gallery.T), axis=1, kind="stable")


def same_class(ranks: Ranks, gallery_labels: Labels, query_labels: Labels) -> tuple[float, float]:
    """Return mAP and P@10 of finding rows of the query's label.

    Average precision is the mean of the precisions at each relevant row (no interpolation). Queries whose
    label the gallery lacks are left out.
    """
    same = gallery_labels[ranks] == query_labels[:, None]
    same = same[same.any(axis=1)]
    if not len(same):
        raise ValueError("same class: got no query whose class is in the gallery, expected some")
    precision = same.cumsum(axis=1) / np.arange(1, same.shape[1] + 1)
    average = (precision * same).sum(axis=1) / same.sum(axis=1)
    return float(average.mean()), float(same[:, :10].mean())


def leave_one_out(embeddings: Embeddings, labels: Labels) -> float:
    """Return the mAP of finding the other rows of each row's own label among all other rows."""
    ranks = nearest(embeddings, embeddings)
    others = ranks[ranks != np.arange(len(ranks))[:, None]].reshape(len(ranks), -1)
    return same_class(others, labels, labels)[0]


def recall1(queries: Embeddings, gallery: Embeddings) -> float:
    """Return the share of queries whose most similar gallery row is the one of the same number.

    Rows that are equally similar to the query count as found before it.
    """
    similar = queries @ gallery.T
    own = np.diag(similar)[:, None]
    return float(((similar >= own).sum(axis=1) == 1).mean())


def colour_ratio(
    ranks: Ranks,
    gallery_labels: Labels,
    query_labels: Labels,
    gallery_colours: Embeddings,
    query_colours: Embeddings,
) -> float:
    """Return how near in colour the nearest rows of the query's label are, 1 being no nearer than chance.

    Mean Lab distance to the first `NEIGHBOURS` rows of the query's label over that to all of its label.
    Colours are (N, 3) in CIELAB.
    """
    near, chance = [], []
    for ranked, label, colour in zip(ranks, query_labels, query_colours, strict=True):
        same = ranked[gallery_labels[ranked] == label]
        if len(same) > NEIGHBOURS:
            away = np.linalg.norm(gallery_colours[same] - colour, axis=1)
            near.append(away[:NEIGHBOURS].mean())
            chance.append(away.mean())
    if not near:
        raise ValueError(f"colour ratio: got no class of more than {NEIGHBOURS} photos in the gallery")
    return float(np.sum(near) / np.sum(chance))


def agreement(
    ranks: Ranks, gallery_parts: Labels, query_parts: Labels, query_categories: Labels
) -> dict[str, dict[str, float | int]]:
    """Return by category (and as `all`) the share of the first neighbours that are of the query's part.

    Queries of a part that the gallery lacks are left out.
    """
    counted = np.isin(query_parts, gallery_parts)
    hits = (gallery_parts[ranks[:, :NEIGHBOURS]] == query_parts[:, None]).mean(axis=1)
    found: dict[str, dict[str, float | int]] = {}
    for name in ("all", *sorted(set(query_categories[counted].tolist()))):
        rows = counted if name == "all" else counted & (query_categories == name)
        if rows.any():
            found[name] = {"agreement5": float(hits[rows].mean()), "queries": int(rows.sum())}
    return found
