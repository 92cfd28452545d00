"""Fits the projection of Lite0's features (1280 -> 256) and measures what it costs.

In: a folder of photos in sub-folders by class, and a second one whose photos ask the questions. Out: the
checkpoint, its SHA-256 (for `models.weights`) and a table of retrieval figures. The classes are used for
measuring only. The same photos on the same machine give the same file. Fails with OSError for a folder that
is not there, ValueError for too few photos, PhotoError for one that is damaged.

    python -m models.training.fit_pca --train DIR --validation DIR --out FILE
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import safetensors.numpy
import torch
from numpy.typing import NDArray

from models.lite0 import FEATURES, SIDE_PX, Lite0, fast_bf16
from models.photo import decode_photo
from models.vision import square_picture

DIM = 256
QUERY_PHOTOS = 12  # of one class make a shopper's centroid; as many results are looked at
TRIALS = 200  # centroids a class
Array: TypeAlias = NDArray[np.float64]
Labels: TypeAlias = NDArray[np.str_]


@dataclass(frozen=True)
class Projection:
    """A mean (1280,), components (D, 1280) with orthonormal rows, and the share of variance they explain."""

    mean: Array
    components: Array
    explained: float

    def __call__(self, features: Array) -> Array:
        """Return unit embeddings (N, D) of unit features (N, 1280)."""
        return unit((features - self.mean) @ self.components.T)


def unit(rows: Array) -> Array:
    """Return the rows at length 1."""
    normed: Array = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    return normed


def read_features(folder: Path, net: Lite0) -> tuple[Array, Labels]:
    """Return unit features (N, 1280) of the photos in a folder of class folders, and the classes (N,)."""
    paths = sorted(
        path for path in folder.glob("*/*") if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp")
    )
    if len(paths) < DIM:
        raise ValueError(f"{folder}: {len(paths)} photos, expected at least {DIM}")
    batches = []
    for start in range(0, len(paths), 16):
        photos = [decode_photo(path.read_bytes()) for path in paths[start : start + 16]]
        pictures = np.stack([square_picture(photo.pixels, SIDE_PX) for photo in photos])
        with torch.inference_mode():
            batches.append(net(torch.from_numpy(pictures)).double().numpy())
    return unit(np.concatenate(batches)), np.array([path.parent.name for path in paths])


def fit(features: Array, dim: int, *, centred: bool) -> Projection:
    """Return the `dim` directions of largest variance; each one's largest component is positive."""
    mean = features.mean(axis=0) if centred else np.zeros(FEATURES)
    shifted = features - mean
    variances, directions = np.linalg.eigh(shifted.T @ shifted)  # ascending
    components = directions.T[::-1][:dim]
    largest = np.abs(components).argmax(axis=1)
    components = components * np.sign(components[np.arange(dim), largest])[:, None]
    return Projection(mean, components, float(variances[::-1][:dim].sum() / variances.sum()))


def write(projection: Projection, photos: int, out: Path) -> str:
    """Write the checkpoint in half precision and return its SHA-256."""
    tensors = {
        "components": np.ascontiguousarray(projection.components, dtype=np.float16),
        "mean": projection.mean.astype(np.float16),
    }
    about = {
        "input": "unit Lite0 features",
        "photos": photos,
        "explained_variance": round(projection.explained, 4),
    }
    data = safetensors.numpy.save(tensors, metadata={"about": json.dumps(about, sort_keys=True)})
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def figures(
    gallery: Array, gallery_labels: Labels, queries: Array, query_labels: Labels
) -> tuple[float, ...]:
    """Return same-class mAP, same-class P@10, and the share of `centroid_share`."""
    order = np.argsort(-(queries @ gallery.T), axis=1, kind="stable")
    same = gallery_labels[order] == query_labels[:, None]
    precision = same.cumsum(axis=1) / np.arange(1, same.shape[1] + 1)
    average = ((precision * same).sum(axis=1) / same.sum(axis=1)).mean()
    share = centroid_share(gallery, gallery_labels, queries, query_labels)
    return float(average), float(same[:, :10].mean()), share


def centroid_share(gallery: Array, gallery_labels: Labels, queries: Array, query_labels: Labels) -> float:
    """Return the mean share of a class among the first 12 for the centroid of 12 of its photos."""
    random = np.random.default_rng(0)
    shares = []
    for label in np.unique(query_labels):
        of_class = np.flatnonzero(query_labels == label)
        for _ in range(TRIALS):
            chosen = random.choice(of_class, min(QUERY_PHOTOS, len(of_class)), replace=False)
            first = np.argsort(-(gallery @ queries[chosen].mean(axis=0)), kind="stable")[:QUERY_PHOTOS]
            shares.append((gallery_labels[first] == label).mean())
    return float(np.mean(shares))


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit on --train, write --out, print its SHA-256 and the figures of --validation's photos as queries."""
    parser = argparse.ArgumentParser(prog="fit_pca", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--train", type=Path, required=True, help="folder of class folders to fit on and to search in"
    )
    parser.add_argument(
        "--validation", type=Path, required=True, help="folder of class folders to query with"
    )
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint to write")
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    net = Lite0()
    train, labels = read_features(args.train, net)
    centred = fit(train, DIM, centred=True)
    print(f"{args.out}: SHA-256 {write(centred, len(train), args.out)}")
    rows: dict[str, Callable[[Array], Array]] = {
        "1280 raw": unit,
        "1280 centred": lambda features: unit(features - centred.mean),
        f"{DIM} not centred": fit(train, DIM, centred=False),
        f"{DIM} centred": centred,
    }
    print_table(rows, train, labels, *read_features(args.validation, net))
    if fast_bf16():
        net.to(torch.bfloat16)
        train, labels = read_features(args.train, net)
        print_table({f"{DIM} centred, bf16": centred}, train, labels, *read_features(args.validation, net))
    return 0


def print_table(
    rows: dict[str, Callable[[Array], Array]],
    train: Array,
    labels: Labels,
    queries: Array,
    query_labels: Labels,
) -> None:
    """Print one line of figures per row."""
    print(f"{'embedding':24s}   mAP  P@10  centroid of 12")
    for name, embed in rows.items():
        mean_ap, p10, share = figures(embed(train), labels, embed(queries), query_labels)
        print(f"{name:24s} {mean_ap:5.3f} {p10:5.3f}  {share:5.3f}")


if __name__ == "__main__":
    sys.exit(main())
