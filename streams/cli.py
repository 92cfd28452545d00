"""`lookstream`: every command, its help and its exit codes.

In: arguments. Out: what the command prints. Exit codes: 0 done, 1 done in part or refused by the data, 2
wrong usage or settings, 3 a service could not be reached or started. Errors are one line on stderr, no
traceback (LOOKSTREAM_LOG_LEVEL=DEBUG shows it). Heavy imports happen inside the commands, so that --help is
quick.
"""

import dataclasses
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from streams.cli_operations import add_operations
from streams.cli_options import DataDir, Json, Kafka, Rate
from streams.cli_options import client_settings as _client_settings
from streams.cli_options import example as _example
from streams.cli_options import settings_in_force as _settings
from streams.settings import SettingsError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Streaming visual fashion recommendations: photos and clicks in, recommendation sets out.",
)
publish = typer.Typer(no_args_is_help=True, help="Publish events from files.", rich_markup_mode=None)
app.add_typer(publish, name="publish")
evaluate = typer.Typer(no_args_is_help=True, help="Measure models honestly.", rich_markup_mode=None)
app.add_typer(evaluate, name="evaluate")
train = typer.Typer(no_args_is_help=True, help="Train models on your photos.", rich_markup_mode=None)
app.add_typer(train, name="train")
datasets = typer.Typer(no_args_is_help=True, help="Read published data sets.", rich_markup_mode=None)
app.add_typer(datasets, name="datasets")
embeddings = typer.Typer(no_args_is_help=True, help="Look at embeddings.", rich_markup_mode=None)
app.add_typer(embeddings, name="embeddings")


def _until_stopped() -> threading.Event:
    """An event that SIGINT and SIGTERM set; a second one ends this process and its children at once."""
    stopped = threading.Event()

    def stop(number: int, _: object) -> None:
        stopped.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return stopped


@app.command(epilog=_example("lookstream up --data-dir ./shop"))
def up(data_dir: DataDir = None) -> None:
    """Start Kafka, Qdrant and both apps, empty, until stopped. Prints one JSON line when ready."""
    from streams.supervisor import Services

    settings = _settings(data_dir=data_dir)
    stopped = _until_stopped()
    with Services(settings, lambda line: print(line, file=sys.stderr, flush=True), stopped) as services:
        assert services.addresses is not None
        print(json.dumps(dataclasses.asdict(services.addresses)), flush=True)
        stopped.wait()


@app.command(epilog=_example("lookstream demo", "lookstream demo --photos ./photos --for 60"))
def demo(
    photos: Annotated[
        Path | None,
        typer.Option(help="A folder of photos to sell (sub-folder = category) instead of drawings."),
    ] = None,
    headless: Annotated[
        bool, typer.Option("--headless", help="No storefront; ends by itself, whoever watches.")
    ] = False,
    shoppers: Annotated[int, typer.Option(min=1, max=50, help="How many shoppers shop.")] = 3,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0.0, metavar="SECONDS", help="Shop for so long, then end.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Upload a catalogue, let shoppers with tastes shop in it, and show what they are recommended."""
    from streams.commands.demo import DemoOptions, run_demo

    if photos is not None and not photos.is_dir():
        raise SettingsError(f"--photos: got {str(photos)!r}, expected a folder")
    options = DemoOptions(photos, shoppers, seconds, headless)
    raise typer.Exit(run_demo(_settings(data_dir=data_dir), options, _until_stopped()))


@app.command(epilog=_example("lookstream broker --data-dir ./shop --port 9092"))
def broker(
    data_dir: DataDir = None,
    port: Annotated[int | None, typer.Option(help="Default: the last one, or a free one.")] = None,
) -> None:
    """Run the embedded Kafka broker alone, with lookstream's topics. Prints one JSON line when ready."""
    from streams.kafka.admin import create_topics
    from streams.kafka.broker import EmbeddedBroker
    from streams.kafka.topics import topic_specs

    settings = _settings(data_dir=data_dir)
    stopped = _until_stopped()
    with EmbeddedBroker(settings.data_dir, port=port, mirror=settings.maven_mirror) as kafka:
        create_topics(settings.kafka_client(kafka.bootstrap), topic_specs(settings))
        print(json.dumps({"kafka": kafka.bootstrap}), flush=True)
        while not stopped.wait(0.2):
            if kafka.process is None or kafka.process.poll() is not None:
                raise RuntimeError(f"the broker ended by itself; see {kafka.directory / 'broker.log'}")


@app.command(epilog=_example("lookstream vectors --data-dir ./shop"))
def vectors(data_dir: DataDir = None) -> None:
    """Run the embedded vector store alone, for all processes of this data directory."""
    from models.visions import describe
    from vectorstore.paths import socket_path
    from vectorstore.service import serve_vectors

    settings = _settings(data_dir=data_dir)
    known, path = describe(settings.vision), socket_path(settings.data_dir)
    ready = {"vectors": str(path), "model": known.embedder, "dim": known.dim}
    serve_vectors(
        settings.data_dir,
        path,
        model=known.embedder,
        dim=known.dim,
        ready=lambda: print(json.dumps(ready), flush=True),
    )


@app.command(epilog=_example("LOOKSTREAM_KAFKA=localhost:9092 lookstream worker shopper"))
def worker(
    name: Annotated[str, typer.Argument(metavar="catalogue|shopper", help="Which app to run.")],
    data_dir: DataDir = None,
) -> None:
    """Run one of the two apps against Kafka (LOOKSTREAM_KAFKA) and the vector store."""
    from streams import topology

    if name not in topology.APPS:
        raise SettingsError(f"worker: got {name!r}, expected one of {', '.join(topology.APPS)}")
    from streams.worker import run_worker

    run_worker(name, _settings(data_dir=data_dir))


@app.command(epilog=_example("LOOKSTREAM_KAFKA=localhost:9092 lookstream gateway --port 8080"))
def gateway(
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Default: the last one, or a free one.")
    ] = None,
    kafka: Kafka = None,
    data_dir: DataDir = None,
) -> None:
    """Run the HTTP gateway and storefront alone. Prints one JSON line when ready."""
    from streams.gateway.run import run_gateway

    settings = _client_settings(data_dir, kafka)
    if port is not None:
        settings = settings.model_copy(update={"gateway_port": port})
    run_gateway(settings)


@app.command(epilog=_example("lookstream token --user alice --scope subscribe --for 3600"))
def token(
    user: Annotated[str | None, typer.Option(help="The one shopper that it is for.")] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="subscribe, produce or operate; several times for several. Default: subscribe."),
    ] = None,
    seconds: Annotated[
        float, typer.Option("--for", min=1, metavar="SECONDS", help="How long it is valid.")
    ] = 3600,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Print an access token for the gateway, signed with the secret that the settings name."""
    from streams.gateway.identity import open_tokens

    signed, expires_at_s = open_tokens(_settings(data_dir=data_dir)).signed(
        user, scope or ["subscribe"], seconds
    )
    print(json.dumps({"token": signed, "expires_at_s": expires_at_s}) if as_json else signed)


@publish.command("products", epilog=_example("lookstream publish products ./photos --kafka localhost:9092"))
def publish_products_command(
    source: Annotated[
        Path, typer.Argument(help="A folder of photos (sub-folder = category), JSONL, CSV, TSV or XML.")
    ],
    kafka: Kafka = None,
    rate: Rate = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Publish a feed's products on `product-events`."""
    from streams.commands.publish import publish_products

    settings = _client_settings(data_dir, kafka)
    raise typer.Exit(publish_products(settings, source, rate=rate, as_json=as_json))


@publish.command("interactions", epilog=_example("lookstream publish interactions clicks.jsonl --rate 50"))
def publish_interactions_command(
    file: Annotated[Path, typer.Argument(help="JSON Lines: lookstream's, Segment's or GA4's shape.")],
    kafka: Kafka = None,
    rate: Rate = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Publish a file's interactions on `interactions`."""
    from streams.commands.publish import publish_interactions

    settings = _client_settings(data_dir, kafka)
    raise typer.Exit(publish_interactions(settings, file, rate=rate, as_json=as_json))


@app.command(epilog=_example("lookstream follow alice bella", "lookstream follow --json | jq .items[0]"))
def follow(
    users: Annotated[
        list[str] | None, typer.Argument(metavar="[USER]...", help="Only these shoppers.")
    ] = None,
    kafka: Kafka = None,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Begin with the newest set of each that there is.")
    ] = False,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many sets.")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Print recommendation sets as they arrive."""
    from streams.commands.follow import follow as follow_sets

    settings = _client_settings(data_dir, kafka)
    raise typer.Exit(
        follow_sets(settings, users or [], as_json=as_json, from_beginning=from_beginning, count=count)
    )


@app.command(epilog=_example("lookstream look street.jpg --k 5 --out look.png"))
def look(
    photo: Annotated[Path, typer.Argument(help="A photo: JPEG, PNG or WebP.")],
    k: Annotated[int, typer.Option("--k", min=1, max=100, help="Similar products per garment.")] = 5,
    out: Annotated[Path | None, typer.Option(help="Write a picture (PNG) of it all.")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Show the garments of a photo and similar products of each. Needs a running vector store."""
    from streams.commands.look import look as look_at

    raise typer.Exit(look_at(_settings(data_dir=data_dir), photo, k=k, out=out, as_json=as_json))


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


@app.command(epilog=_example("lookstream topology", "lookstream topology --mermaid"))
def topology(
    mermaid: Annotated[bool, typer.Option("--mermaid", help="A Mermaid flowchart.")] = False,
    as_json: Json = False,
) -> None:
    """Draw which agent reads, keeps and writes what."""
    from streams.commands.topology import draw_topology

    print(draw_topology(as_json=as_json, mermaid=mermaid))


@app.command(
    "export-schemas",
    epilog=_example("lookstream export-schemas --out docs", "lookstream export-schemas --check"),
)
def export_schemas_command(
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("docs"),
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether what is there is current.")
    ] = False,
) -> None:
    """Write the JSON Schemas of all events and the AsyncAPI 3 document."""
    from streams.commands.export import export_schemas

    raise typer.Exit(export_schemas(out, check=check))


@app.command(epilog=_example("lookstream doctor --json"))
def doctor(data_dir: DataDir = None, as_json: Json = False) -> None:
    """Check settings, services and files; exit 1 if something is broken."""
    from streams.commands.doctor import doctor as examine

    raise typer.Exit(examine(_settings(data_dir=data_dir), as_json=as_json))


add_operations(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point: runs a command and turns its errors into one line and an exit code."""
    try:
        app(args=arguments, prog_name="lookstream")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os._exit(0)
    except Exception as error:
        if logging.getLogger().isEnabledFor(logging.DEBUG):
            raise
        print(f"lookstream: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, (SettingsError, ValueError)) else 3)


if __name__ == "__main__":
    main()
