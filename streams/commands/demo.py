"""`lookstream demo`: everything at once, in front of the reader.

In: settings and options. Out: events and sets live on the terminal, a picture per shopper, a closing table.
Returns 0 if every shopper was served, 1 if not.
"""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Never
from uuid import uuid4

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from schemas.recommendations import RecommendationSet
from streams.demo.personas import personas
from streams.demo.report import outcome, save_pictures
from streams.demo.shopping import ACTS, Shopping, Visit, milliseconds, upload
from streams.demo.stock import Stock, drawn_stock, photo_stock
from streams.demo.watching import Watcher
from streams.kafka.producer import InteractionPublisher, ProductPublisher
from streams.settings import Settings
from streams.supervisor import Services

_UPLOAD_TIMEOUT_S = 900.0
_PACE_S = 2.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command was given; `seconds` None: as long as the reader watches, or one round without one."""

    photos: Path | None = None
    shoppers: int = 3
    seconds: float | None = None
    headless: bool = False
    seed: int = 7


def run_demo(settings: Settings, options: DemoOptions, stopped: threading.Event) -> int:
    """Draw or read a catalogue, start everything, upload, shop, report."""
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 150)
    stock = _stock(settings, options, console)
    running = settings.model_copy(update={"media_root": stock.media_root.resolve()})
    with Services(running, lambda line: console.print(f"[dim]{line}[/dim]"), stopped) as services:
        assert services.addresses is not None
        console.print(
            f"Kafka at [bold]{services.addresses.kafka}[/bold], metrics at {services.addresses.metrics}"
        )
        return _shop(running, services.addresses.kafka, stock, options, stopped, console)


def _stock(settings: Settings, options: DemoOptions, console: Console) -> Stock:
    if options.photos is not None:
        return photo_stock(options.photos.resolve())
    folder = settings.data_dir / "demo" / "catalogue"
    with _bar("drawing the catalogue", 0) as bar:

        def progress(done: int, count: int) -> None:
            bar.total = count
            bar.update(done - bar.n)

        stock = drawn_stock(folder, progress)
    console.print(f"A catalogue of {len(stock.products)} drawn products in {folder}")
    return stock


def _shop(
    settings: Settings,
    bootstrap: str,
    stock: Stock,
    options: DemoOptions,
    stopped: threading.Event,
    console: Console,
) -> int:
    client = settings.kafka_client(bootstrap)
    security = {name: value for name, value in client.items() if name != "bootstrap_servers"}
    with (
        Watcher(client) as watcher,
        ProductPublisher(bootstrap, source="lookstream/demo", **security) as products,
        InteractionPublisher(bootstrap, source="lookstream/demo", linger_ms=0, **security) as interactions,
    ):
        started_s = time.monotonic()
        with _bar("uploading and indexing", len(stock.products)) as bar:

            def moved(done: int) -> None:
                bar.update(done - bar.n)

            searchable = upload(stock, products, watcher, moved, _UPLOAD_TIMEOUT_S)
        took_s = time.monotonic() - started_s
        console.print(f"{len(searchable)} of {len(stock.products)} products searchable after {took_s:.1f} s")
        visits = [Visit(persona) for persona in personas(stock, options.shoppers, uuid4().hex[:6])]
        shopping = Shopping(stock, interactions, watcher, Random(options.seed), _teller(console, stock))  # noqa: S311
        _go_shopping(shopping, visits, options, stopped)
        _report(settings, visits, stock, searchable, console)
        _linger(shopping, visits, options, stopped, console)
    return 0 if visits and all(visit.served for visit in visits) else 1


def _go_shopping(
    shopping: Shopping, visits: Sequence[Visit], options: DemoOptions, stopped: threading.Event
) -> None:
    """Every shopper arrives, then they act in turn; `seconds` stretches the round to that length."""
    for visit in visits:
        shopping.arrive(visit)
    acts = ACTS * max(1, len(visits))
    pause_s = options.seconds / acts if options.seconds else 0.0
    for _ in range(ACTS):
        for visit in visits:
            if stopped.wait(pause_s):
                return
            shopping.act(visit)


def _linger(
    shopping: Shopping,
    visits: Sequence[Visit],
    options: DemoOptions,
    stopped: threading.Event,
    console: Console,
) -> None:
    """With somebody watching, go on slowly until interrupted."""
    if not sys.stdout.isatty() or options.seconds is not None or options.headless:
        return
    console.print("[bold]The shoppers go on, slowly. Ctrl-C ends the demo.[/bold]")
    while not stopped.is_set():
        for visit in visits:
            if stopped.wait(_PACE_S):
                return
            shopping.act(visit)


def _teller(
    console: Console, stock: Stock
) -> Callable[[Visit, str, str | None, RecommendationSet | None, float], None]:
    def tell(
        visit: Visit, action: str, product_id: str | None, answer: RecommendationSet | None, ms: float
    ) -> None:
        product = stock.products.get(product_id) if product_id else None
        what = f"{action.partition('.')[2]:<18} {(product.title or product.id) if product else '':<34.34}"
        if answer is None:
            console.print(f"[red]{visit.persona.name:<8} {what} no answer within {ms / 1000:.0f} s[/red]")
            return
        likes = sum(visit.persona.likes in stock.attributes.get(i.product_id, ()) for i in answer.items)
        first = answer.items[0] if answer.items else None
        top = stock.products.get(first.product_id) if first else None
        console.print(
            f"[bold]{visit.persona.name:<8}[/bold] {what} → {ms:4.0f} ms  set {answer.revision:<3} "
            f"{answer.strategy:<15} {likes:>2}/{len(answer.items)} {visit.persona.likes:<9} "
            f"[dim]first: {(top.title or top.id) if top else '-'}[/dim]"
        )

    return tell


def _report(
    settings: Settings, visits: Sequence[Visit], stock: Stock, searchable: Sequence[float], console: Console
) -> None:
    table = Table(title="What came of each taste (nobody told lookstream of it)")
    for column in (
        "shopper",
        "likes",
        "of the first 24",
        "share of the shop",
        "click → set p50",
        "p99",
        "served",
    ):
        table.add_column(column, justify="left" if column in ("shopper", "likes") else "right")
    for visit in visits:
        found = outcome(visit, stock)
        table.add_row(
            found.name,
            found.likes,
            f"{found.in_set} of {found.of} ({found.set_share:.0%})",
            f"{found.catalogue_share:.0%}",
            f"{found.p50_ms:.0f} ms",
            f"{found.p99_ms:.0f} ms",
            "yes" if found.served else f"no ({visit.unanswered} unanswered)",
        )
    console.print(table)
    if searchable:
        p50_ms, p99_ms = milliseconds(searchable)
        console.print(
            f"Upload → searchable in one burst of {len(searchable)}: p50 {p50_ms:.0f} ms, p99 {p99_ms:.0f} ms"
        )
    for path in save_pictures(visits, stock, settings.data_dir / "demo"):
        console.print(f"Viewed beside recommended: {path}")


def _bar(what: str, total: int) -> "tqdm[Never]":
    return tqdm(desc=what, total=total, disable=not sys.stderr.isatty(), file=sys.stderr, leave=False)
