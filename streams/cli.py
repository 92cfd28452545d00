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
from typing import Annotated, Any

import typer

from streams.settings import Settings, SettingsError, load_settings

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

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Where everything is kept. Default: .lookstream")
]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]

Kafka = Annotated[
    str | None, typer.Option("--kafka", help="host:port. Default: LOOKSTREAM_KAFKA, or the one of `up`.")
]
Rate = Annotated[float | None, typer.Option(min=0.001, help="At most so many events a second.")]


def _example(*lines: str) -> str:
    return "Example:\n\n\b\n" + "\n".join(f"  {line}" for line in lines)


def _settings(**given: Any) -> Settings:
    settings = load_settings(**given)
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("kafka").setLevel("CRITICAL")  # what it says, the errors say in one line
    if settings.log_level == "INFO":
        for chatty in ("aiokafka", "faust", "mode", "httpx"):
            logging.getLogger(chatty).setLevel("WARNING")
    return settings


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
    headless: Annotated[bool, typer.Option("--headless", help="End by itself, whoever watches.")] = False,
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


def _client_settings(data_dir: Path | None, kafka: str | None) -> Settings:
    """Settings of a command that talks to Kafka: the named one, or the one that `up` runs."""
    settings = _settings(data_dir=data_dir, kafka=kafka)
    if settings.kafka is not None:
        return settings
    port = settings.data_dir / "kafka" / "port"
    if not port.is_file():
        raise SettingsError(
            "kafka: got nothing, expected --kafka host:port, or a running `lookstream up` in "
            f"{settings.data_dir}"
        )
    return settings.model_copy(update={"kafka": f"127.0.0.1:{port.read_text().strip()}"})


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
