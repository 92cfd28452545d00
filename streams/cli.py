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
from typing import Annotated

import typer

from streams.cli_datasets import datasets, embeddings
from streams.cli_operations import add_operations
from streams.cli_options import DataDir, Json, Kafka, Rate
from streams.cli_options import client_settings as _client_settings
from streams.cli_options import example as _example
from streams.cli_options import settings_in_force as _settings
from streams.cli_training import evaluate, train
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
app.add_typer(evaluate, name="evaluate")
app.add_typer(train, name="train")
app.add_typer(datasets, name="datasets")
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
