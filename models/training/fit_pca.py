"""Fits the projection of Lite0's features (1280 -> 256) and measures what it costs.

In: a folder of photos in sub-folders by class, and a second one whose photos ask the questions. Out: the
checkpoint, its SHA-256 (for `models.weights`) and a table of retrieval figures. Classes are used for
measuring only. The same photos on the same machine give the same file. Fails with OSError for a folder that
is not there, ValueError for too few photos, PhotoError for one that is damaged.

    python -m models.training.fit_pca --train DIR --validation DIR --out FILE
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import safetensors.numpy
import torch
from numpy.typing import NDArray

from models.datasets.drawn import DrawnProduct, draw_catalogue, draw_photo
from models.lite0 import SIDE_PX, Lite0, fast_bf16
from models.photo import decode_photo
from models.vision import square_picture

DIM = 256
FIT_SEED, FIT_DRAWN = 1_000_003, 320  # the drawn pictures that are fitted on
MEASURE_SEED, MEASURE_DRAWN = 1, 640  # and those that are measured on
QUERY_PHOTOS = 12  # make a centroid
TRIALS = 200  # centroids a class
Array: TypeAlias = NDArray[np.float64]
Labels: TypeAlias = NDArray[np.str_]
Mask: TypeAlias = NDArray[np.bool_]
Picture: TypeAlias = NDArray[np.uint8]


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


def fit(photos: Array, drawn: Array, dim: int) -> Projection:
    """Return the `dim` directions of largest variance within photos and within drawn pictures alike.

    The direction in which the two kinds lie apart is left out: it says only how a picture was made, and an
    embedding that keeps it ranks pictures by that. Each component's largest entry is positive.
    """
    mean = photos.mean(axis=0)
    apart = unit(drawn.mean(axis=0) - mean)
    others = np.eye(len(mean)) - np.outer(apart, apart)
    spread = (np.cov(photos, rowvar=False) + np.cov(drawn, rowvar=False)) / 2
    return Projection(mean, *_principal(others @ spread @ others, dim))


def fit_plain(photos: Array, dim: int, *, centred: bool) -> Projection:
    """Return the ordinary principal components of photos: what `fit` is compared with."""
    mean = photos.mean(axis=0) if centred else np.zeros(photos.shape[1])
    return Projection(mean, *_principal((photos - mean).T @ (photos - mean), dim))


def _principal(spread: Array, dim: int) -> tuple[Array, float]:
    variances, directions = np.linalg.eigh(spread)  # ascending
    components = directions.T[::-1][:dim]
    largest = np.abs(components).argmax(axis=1)
    signs = np.sign(components[np.arange(dim), largest])
    return components * signs[:, None], float(variances[::-1][:dim].sum() / variances.sum())


def write(projection: Projection, about: dict[str, float], out: Path) -> str:
    """Write the checkpoint in half precision, `about` in its header, and return its SHA-256."""
    tensors = {
        "components": np.ascontiguousarray(projection.components, dtype=np.float16),
        "mean": projection.mean.astype(np.float16),
    }
    data = safetensors.numpy.save(tensors, metadata={"about": json.dumps(about, sort_keys=True)})
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def embed(net: Lite0, pictures: Iterable[Picture]) -> Array:
    """Return unit features (N, 1280) of pictures (H, W, 3) RGB of any size."""
    rows = []
    squares = (square_picture(picture, SIDE_PX) for picture in pictures)
    while batch := [square for _, square in zip(range(16), squares, strict=False)]:
        with torch.inference_mode():
            rows.append(net(torch.from_numpy(np.stack(batch))).double().numpy())
    return unit(np.concatenate(rows))


def photo_paths(folder: Path) -> list[Path]:
    """Return the photos in a folder of class folders. Raises ValueError when there are fewer than 256."""
    paths = sorted(p for p in folder.glob("*/*") if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"))
    if len(paths) < DIM:
        raise ValueError(f"{folder}: {len(paths)} photos, expected at least {DIM}")
    return paths


def read_photos(folder: Path) -> Iterable[Picture]:
    """Yield the pixels of `photo_paths(folder)`."""
    return (decode_photo(path.read_bytes()).pixels for path in photo_paths(folder))


def drawn_pictures(products: Iterable[DrawnProduct], seed: int) -> Iterable[Picture]:
    """Yield the pixels of drawn products of the catalogue `seed`."""
    return (np.asarray(draw_photo(product, seed)) for product in products)


def same_class(
    gallery: Array, gallery_labels: Labels, queries: Array, query_labels: Labels
) -> tuple[float, float]:
    """Return mAP and P@10 of finding pictures of the query's class."""
    order = np.argsort(-(queries @ gallery.T), axis=1, kind="stable")
    same = gallery_labels[order] == query_labels[:, None]
    precision = same.cumsum(axis=1) / np.arange(1, same.shape[1] + 1)
    average = (precision * same).sum(axis=1) / same.sum(axis=1)
    return float(average.mean()), float(same[:, :10].mean())


def centroid_share(
    gallery: Array, wanted: Mask, queries: Array, first: int, *, within: bool = False
) -> float:
    """Return the mean share of `wanted` (N,) among the `first` results for centroids of 12 of the queries.

    `within`: the queries are the wanted rows of the gallery themselves, and those of a centroid are left out.
    """
    random, rows, shares = np.random.default_rng(0), np.flatnonzero(wanted), []
    for _ in range(TRIALS):
        chosen = random.choice(len(queries), QUERY_PHOTOS, replace=False)
        scores = gallery @ queries[chosen].mean(axis=0)
        if within:
            scores[rows[chosen]] = -np.inf
        shares.append(wanted[np.argsort(-scores, kind="stable")[:first]].mean())
    return float(np.mean(shares))


@dataclass(frozen=True)
class Measured:
    """Unit features (N, 1280) of all that is measured on, with what is known of it."""

    train: Array
    train_labels: Labels
    queries: Array
    query_labels: Labels
    drawn: Array
    tastes: dict[str, Mask]

    @classmethod
    def read(cls, net: Lite0, train: Path, validation: Path) -> Measured:
        """Embed the photos of both folders and the drawn pictures."""
        products = list(draw_catalogue(MEASURE_SEED, MEASURE_DRAWN))
        tastes = {
            "shorts": np.array([product.sold_garment.category == "shorts" for product in products]),
            "floral": np.array([product.sold_garment.pattern == "floral" for product in products]),
            "urban": np.array(["urban" in product.styles for product in products]),
        }
        return cls(
            embed(net, read_photos(train)),
            np.array([path.parent.name for path in photo_paths(train)]),
            embed(net, read_photos(validation)),
            np.array([path.parent.name for path in photo_paths(validation)]),
            embed(net, drawn_pictures(products, MEASURE_SEED)),
            tastes,
        )

    def print_row(self, name: str, project: Callable[[Array], Array]) -> None:
        """Print the figures of one embedding."""
        gallery, queries, drawn = project(self.train), project(self.queries), project(self.drawn)
        mean_ap, p10 = same_class(gallery, self.train_labels, queries, self.query_labels)
        of_class = [
            centroid_share(
                gallery, self.train_labels == label, queries[self.query_labels == label], QUERY_PHOTOS
            )
            for label in np.unique(self.query_labels)
        ]
        of_taste = [
            centroid_share(drawn, mask, drawn[mask], 24, within=True) for mask in self.tastes.values()
        ]
        figures = (mean_ap, p10, float(np.mean(of_class)), *of_taste)
        print(f"{name:28s}" + "".join(f"{figure:8.3f}" for figure in figures))


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, write the checkpoint, print its SHA-256 and the figures of this and other projections."""
    parser = argparse.ArgumentParser(prog="fit_pca", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--train", type=Path, required=True, help="photos in class folders to fit on and search in"
    )
    parser.add_argument(
        "--validation", type=Path, required=True, help="photos in class folders to query with"
    )
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint to write")
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    net = Lite0()
    measured = Measured.read(net, args.train, args.validation)
    photos = measured.train
    drawn = embed(net, drawn_pictures(draw_catalogue(FIT_SEED, FIT_DRAWN), FIT_SEED))
    shipped = fit(photos, drawn, DIM)
    about = {"photos": len(photos), "drawn": FIT_DRAWN, "explained_variance": round(shipped.explained, 4)}
    print(f"{args.out}: SHA-256 {write(shipped, about, args.out)}, {about}")
    titles = ("mAP", "P@10", "class", *measured.tastes)
    print(f"{'embedding':28s}" + "".join(f"{title:>8s}" for title in titles))
    measured.print_row("1280 as they are", unit)
    measured.print_row("1280 centred", lambda features: unit(features - shipped.mean))
    measured.print_row("256 of photos, not centred", fit_plain(photos, DIM, centred=False))
    measured.print_row("256 of photos, centred", fit_plain(photos, DIM, centred=True))
    measured.print_row("128 as shipped", fit(photos, drawn, 128))
    measured.print_row("256 shipped", shipped)
    if fast_bf16():
        net.to(torch.bfloat16)
        Measured.read(net, args.train, args.validation).print_row("256 shipped, in bfloat16", shipped)
    return 0


if __name__ == "__main__":
    sys.exit(main())
