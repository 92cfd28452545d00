"""`lookstream evaluate …` and `lookstream train …`: arguments in, what is measured or trained out.

Exit codes are those of `streams.cli`. Heavy imports happen inside the commands, so that --help is quick.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from streams.cli_options import DataDir, Json
from streams.cli_options import example as _example
from streams.cli_options import settings_in_force as _settings
from streams.settings import SettingsError

evaluate = typer.Typer(no_args_is_help=True, help="Measure models honestly.", rich_markup_mode=None)
train = typer.Typer(no_args_is_help=True, help="Train models on your photos.", rich_markup_mode=None)


@evaluate.command("taste", epilog=_example("lookstream evaluate taste --photos ./photos --json"))
def evaluate_taste_command(
    photos: Annotated[Path | None, typer.Option(help="A folder of photos, sub-folder = class.")] = None,
    drawn: Annotated[bool, typer.Option("--drawn", help="Also, or only, on the drawn catalogue.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write a figure (PNG).")] = None,
    shoppers: Annotated[int, typer.Option(min=1, help="Simulated shoppers per scenario.")] = 200,
    seed: Annotated[int, typer.Option(help="The same seed gives the same figures.")] = 0,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Replay simulated shoppers against the published centroid and simpler systems."""
    from streams.commands.evaluate_taste import evaluate_taste

    settings = _settings(data_dir=data_dir)
    raise typer.Exit(
        evaluate_taste(
            settings, photos=photos, drawn=drawn, as_json=as_json, out=out, shoppers=shoppers, seed=seed
        )
    )


@evaluate.command(
    "detector",
    epilog=_example(
        "lookstream evaluate detector --photos ccp/photos --masks ccp/masks --labels ccp/labels.json"
    ),
)
def evaluate_detector_command(
    photos: Annotated[Path, typer.Option(help="A folder of photos NNNN.jpg.")],
    masks: Annotated[Path, typer.Option(help="Their masks NNNN.png: a pixel's value is its label.")],
    labels: Annotated[Path, typer.Option(help="The labels' names by value, a JSON list.")],
    singles: Annotated[
        Path | None, typer.Option(help="Also on photos of single garments, in class folders.")
    ] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Another than the one shipped.")] = None,
    predictions: Annotated[Path | None, typer.Option(help="Write all detections as COCO results.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="Write a picture (PNG) of photos with boxes.")] = None,
    threads: Annotated[int, typer.Option(min=1, max=256)] = 1,
    as_json: Json = False,
) -> None:
    """Measure the detector on photos with masks, by COCO's protocol and at its thresholds."""
    from streams.commands.detector import evaluate

    raise typer.Exit(
        evaluate(
            photos,
            masks,
            labels,
            singles=singles,
            checkpoint=checkpoint,
            predictions_file=predictions,
            sheet_file=sheet,
            threads=threads,
            as_json=as_json,
        )
    )


@train.command(
    "detector",
    epilog=_example("lookstream train detector --data ./ccp --singles ./clothing/train --out ./detector"),
)
def train_detector_command(
    data: Annotated[
        list[Path],
        typer.Option(help="Photos with boxes: a folder laid out as CCP, or a COCO file; repeatable."),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the checkpoint; a stopped training goes on there.")],
    singles: Annotated[
        list[Path] | None, typer.Option(help="Photos of single garments in class folders; repeatable.")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1)] = 30,
    batch: Annotated[int, typer.Option(min=1)] = 8,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same weights.")] = 0,
    held_out: Annotated[
        int, typer.Option(min=0, help="Train on all but every such photo, measure on those; 0: train on all.")
    ] = 8,
    device: Annotated[str, typer.Option(help="cpu, or cuda for a GPU.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, max=256)] = 1,
    as_json: Json = False,
) -> None:
    """Train the detector of garments; writes checkpoint, thresholds, log and learning curve."""
    from models.training.detector import Options
    from streams.commands.detector import train

    options = Options(epochs=epochs, batch=batch, seed=seed, device=device)
    raise typer.Exit(
        train(data, singles or [], out, options, held_out=held_out, threads=threads, as_json=as_json)
    )


@evaluate.command(
    "embedder",
    epilog=_example(
        "lookstream evaluate embedder --gallery clothing/train --queries clothing/validation --json",
        "lookstream evaluate embedder --gallery clothing/train --queries clothing/validation "
        "--photos ccp/photos --masks ccp/masks --labels ccp/labels.json --sheet sheet.png",
    ),
)
def evaluate_embedder_command(
    gallery: Annotated[list[Path], typer.Option(help="Photos in class folders to search in; repeatable.")],
    queries: Annotated[Path, typer.Option(help="Photos in class folders to search with.")],
    photos: Annotated[Path | None, typer.Option(help="A folder of street photos NNNN.jpg.")] = None,
    masks: Annotated[Path | None, typer.Option(help="Their masks NNNN.png.")] = None,
    labels: Annotated[Path | None, typer.Option(help="The labels' names by value, a JSON list.")] = None,
    embedder: Annotated[str, typer.Option(help="lite0-looks-1 or lite0-pca256-1.")] = "lite0-looks-1",
    checkpoint: Annotated[Path | None, typer.Option(help="One of `train embedder` instead.")] = None,
    embeddings: Annotated[Path | None, typer.Option(help="Write paths and embeddings (npz).")] = None,
    sheet: Annotated[Path | None, typer.Option(help="Write queries and neighbours (PNG).")] = None,
    threads: Annotated[int, typer.Option(min=1, max=256)] = 1,
    as_json: Json = False,
) -> None:
    """Measure an embedder: same class, same garment, other half, colour, street to shop."""
    from models.evaluation.embedder import StreetFolders
    from streams.commands.embedder import evaluate

    street = None
    if photos is not None and masks is not None and labels is not None:
        street = StreetFolders(photos, masks, labels)
    elif (photos, masks, labels) != (None, None, None):
        raise SettingsError("--photos, --masks, --labels: got some of them, expected all three or none")
    raise typer.Exit(
        evaluate(
            gallery,
            queries,
            street,
            embedder=embedder,
            checkpoint=checkpoint,
            embeddings=embeddings,
            sheet=sheet,
            threads=threads,
            as_json=as_json,
        )
    )


@train.command(
    "embedder",
    epilog=_example("lookstream train embedder --data ./ccp --data ./clothing/train --out ./embedder"),
)
def train_embedder_command(
    data: Annotated[
        list[Path],
        typer.Option(help="A folder laid out as CCP, or class folders of single garments; repeatable."),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the checkpoint; a stopped training goes on there.")],
    loss: Annotated[
        str, typer.Option(help="looks: kinds, contrast and categories; triplet: batch-hard triplets.")
    ] = "looks",
    steps: Annotated[int, typer.Option(min=1)] = 500,
    batch: Annotated[int, typer.Option(min=2, help="Garments a step, two views each.")] = 48,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same weights.")] = 0,
    device: Annotated[str, typer.Option(help="cpu, or cuda for a GPU.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, max=256)] = 1,
    as_json: Json = False,
) -> None:
    """Train the embedder of garments; writes checkpoint, log and learning curve."""
    if loss not in ("looks", "triplet"):
        raise SettingsError(f"--loss: got {loss!r}, expected looks or triplet")
    from models.training.embedder import Options
    from streams.commands.embedder import train

    chosen: Literal["looks", "triplet"] = "triplet" if loss == "triplet" else "looks"
    options = Options(steps=steps, batch=batch, seed=seed, loss=chosen, device=device)
    raise typer.Exit(train(data, out, options, threads=threads, as_json=as_json))
