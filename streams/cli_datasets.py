"""`lookstream datasets`, `lookstream embeddings` and `lookstream train published`: formats, models, maps.

Exit codes are those of `streams.cli`. Heavy imports happen inside the commands, so that --help is quick.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from streams.cli_options import DataDir, Json
from streams.cli_options import example as _example
from streams.cli_options import settings_in_force as _settings
from streams.cli_training import train
from streams.settings import SettingsError

datasets = typer.Typer(no_args_is_help=True, help="Read published data sets.", rich_markup_mode=None)
embeddings = typer.Typer(no_args_is_help=True, help="Look at embeddings.", rich_markup_mode=None)


@embeddings.command(
    "project",
    epilog=_example(
        "lookstream embeddings project --out ./map --photos ./photos",
        "lookstream embeddings project --out ./map --fashion-mnist ./fashion-mnist",
        "lookstream embeddings project --out ./map --data-dir ./shop",
    ),
)
def embeddings_project(
    out: Annotated[Path, typer.Option(help="Folder of map.html and the TensorBoard log projector/.")],
    fashion_mnist: Annotated[
        Path | None, typer.Option(help="A folder with FashionMNIST's IDX files.")
    ] = None,
    photos: Annotated[Path | None, typer.Option(help="A folder of photos, sub-folder = class.")] = None,
    limit: Annotated[int, typer.Option(min=3, max=10_000, help="Map at most so many.")] = 2000,
    method: Annotated[str, typer.Option(help="tsne or pca.")] = "tsne",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same map.")] = 0,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Map embeddings of FashionMNIST, of photos, or with neither of the indexed catalogue."""
    if fashion_mnist is not None and photos is not None:
        raise SettingsError("--photos: got a folder beside --fashion-mnist, expected one of the two")
    if photos is not None and not photos.is_dir():
        raise SettingsError(f"--photos: got {str(photos)!r}, expected a folder")
    if method not in ("tsne", "pca"):
        raise SettingsError(f"--method: got {method!r}, expected tsne or pca")
    from streams.commands.embeddings import Source, project

    chosen: Literal["tsne", "pca"] = "pca" if method == "pca" else "tsne"
    source = Source(fashion_mnist, photos)
    settings = _settings(data_dir=data_dir)
    raise typer.Exit(project(settings, source, out, limit=limit, method=chosen, seed=seed, as_json=as_json))


DatasetFormat = Annotated[
    str,
    typer.Argument(
        metavar="FORMAT",
        help="deepfashion, deepfashion2, imaterialist, fashion-mnist, class-folders or coco.",
    ),
]
DatasetRoot = Annotated[Path, typer.Argument(metavar="DIR", help="Its folder; for coco the JSON file.")]
DatasetSplit = Annotated[str | None, typer.Option("--split", help="Which of its splits, by its own name.")]


@train.command(
    "published",
    epilog=_example(
        "lookstream train published faster-rcnn deepfashion2 ./df2 --split train --out garments.safetensors",
        "lookstream train published densenet121 class-folders ./photos --task triplet --out a.safetensors",
    ),
)
def train_published_command(
    kind: Annotated[
        str, typer.Argument(metavar="MODEL", help="faster-rcnn, mask-rcnn, resnet50 or densenet121.")
    ],
    name: DatasetFormat,
    root: DatasetRoot,
    out: Annotated[Path, typer.Option(help="The safetensors file to write.")],
    split: DatasetSplit = None,
    start: Annotated[
        str, typer.Option("--from", help="torchvision (fetched once), nothing, or a file of this command's.")
    ] = "torchvision",
    steps: Annotated[int, typer.Option(min=1, help="Of a detector.")] = 1500,
    epochs: Annotated[int, typer.Option(min=1, help="Of an embedder.")] = 120,
    batch: Annotated[
        int | None, typer.Option(min=2, help="Default: 4 for a detector, 32 for an embedder.")
    ] = None,
    task: Annotated[str, typer.Option(help="Of an embedder: multi-task or triplet.")] = "multi-task",
    distance: Annotated[str, typer.Option(help="Of triplets: euclidean or cosine.")] = "euclidean",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    threads: Annotated[int, typer.Option(min=1, max=256)] = 1,
    as_json: Json = False,
) -> None:
    """Fine-tune a model of the published systems; a GPU is used when there is one."""
    from streams.commands.train_published import TRAINED_DETECTORS, kinds, train_published

    for option, value, known in (
        ("MODEL", kind, kinds()),
        ("--task", task, ("multi-task", "triplet")),
        ("--distance", distance, ("euclidean", "cosine")),
    ):
        if value not in known:
            raise SettingsError(f"{option}: got {value!r}, expected one of {', '.join(known)}")
    from models.published.train_detector import DetectorSchedule
    from models.published.train_embedder import EmbedderSchedule

    schedule: DetectorSchedule | EmbedderSchedule
    if kind in TRAINED_DETECTORS:
        schedule = DetectorSchedule(steps=steps, batch=batch or 4, seed=seed)
    else:
        schedule = EmbedderSchedule(
            task="triplet" if task == "triplet" else "multi-task",
            epochs=epochs,
            batch=batch or 32,
            distance="cosine" if distance == "cosine" else "euclidean",
            seed=seed,
        )
    data = (name, root, split)
    raise typer.Exit(
        train_published(kind, data, start, out, schedule=schedule, threads=threads, as_json=as_json)
    )


@datasets.command("inspect", epilog=_example("lookstream datasets inspect deepfashion2 ./df2 --split train"))
def datasets_inspect(
    name: DatasetFormat, root: DatasetRoot, split: DatasetSplit = None, as_json: Json = False
) -> None:
    """Count photos and garments by category; exit 1 if entries are malformed, each named on stderr."""
    from streams.commands.datasets import inspect

    raise typer.Exit(inspect(name, root, split=split, as_json=as_json))


@datasets.command(
    "convert",
    epilog=_example("lookstream datasets convert deepfashion2 ./df2 --split train --out train.json"),
)
def datasets_convert(
    name: DatasetFormat,
    root: DatasetRoot,
    out: Annotated[Path, typer.Option(help="COCO JSON to write; for fashion-mnist a folder.")],
    split: DatasetSplit = None,
    as_json: Json = False,
) -> None:
    """Write a data set as COCO JSON, or FashionMNIST as class folders of pictures."""
    from streams.commands.datasets import convert

    raise typer.Exit(convert(name, root, split=split, out=out, as_json=as_json))
