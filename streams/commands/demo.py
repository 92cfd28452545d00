"""`lookstream demo`: everything at once, in front of the reader.

In: settings and options. Out: the storefront's address first, then events and sets live on the terminal, a
picture per shopper, a closing table. Returns 0 if every shopper was served, 1 if not.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Never
from uuid import uuid4

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from schemas.recommendations import RecommendationSet
from streams.demo.personas import DRAWN_LIKES, likes_of, personas
from streams.demo.report import outcome, save_pictures
from streams.demo.shopping import ACTS, Shopping, Visit, milliseconds, upload
from streams.demo.stock import Stock, drawn_stock, photo_stock
from streams.demo.watching import Watcher
from streams.kafka.producer import InteractionPublisher, ProductPublisher
from streams.settings import Settings
from streams.supervisor import Services

_UPLOAD_TIMEOUT_S = 900.0
_PACE_S = 2.0  # slowly enough to watch


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command was given; `seconds` None: as long as the reader watches, or one round without one."""

    photos: Path | None = None
    shoppers: int = 3
    seconds: float | None = None
    headless: bool = False
    seed: int = 7


def run_demo(settings: Settings, options: DemoOptions, stopped: threading.Event) -> int:
    """Start everything, draw or read a catalogue, upload it, shop in it, report."""
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 150)
    steps = Console(highlight=False, soft_wrap=True, stderr=True)
    photos = photo_stock(options.photos.resolve()) if options.photos else None
    root = photos.media_root if photos else settings.data_dir / "demo" / "catalogue"
    root.mkdir(parents=True, exist_ok=True)
    likes = likes_of(photos) if photos else DRAWN_LIKES
    visits = [Visit(persona) for persona in personas(likes, options.shoppers, uuid4().hex[:6])]
    shown = not options.headless
    running = settings.model_copy(update={"media_root": root.resolve(), "gateway_demo": shown})
    if shown:
        _introduce(settings, visits)
    with Services(running, lambda line: steps.print(f"[dim]{line}[/dim]"), stopped) as services:
        assert services.addresses is not None
        if shown:
            console.print(f"Storefront: [bold]{services.addresses.gateway}[/bold]")
        console.print(f"Kafka at {services.addresses.kafka}, metrics at {services.addresses.metrics}")
        stock = photos or _drawn(root, console, stopped)
        return _shop(running, services.addresses.kafka, stock, visits, options, stopped, console)


def _introduce(settings: Settings, visits: Sequence[Visit]) -> None:
    """Let the storefront know who shops here."""
    shoppers = [
        {"user_id": visit.persona.user_id, "name": visit.persona.name, "likes": visit.persona.likes}
        for visit in visits
    ]
    settings.demo_shoppers.parent.mkdir(parents=True, exist_ok=True)
    settings.demo_shoppers.write_text(json.dumps(shoppers), encoding="utf-8")


def _drawn(folder: Path, console: Console, stopped: threading.Event) -> Stock:
    with _bar("drawing the catalogue", 0) as bar:

        def progress(done: int, count: int) -> None:
            _go_on(stopped)
            bar.total = count
            bar.update(done - bar.n)

        stock = drawn_stock(folder, progress)
    console.print(f"A catalogue of {len(stock.products)} drawn products in {folder}")
    return stock


def _go_on(stopped: threading.Event) -> None:
    if stopped.is_set():
        raise KeyboardInterrupt


def _shop(
    settings: Settings,
    bootstrap: str,
    stock: Stock,
    visits: Sequence[Visit],
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
        searchable = _stocked(stock, products, watcher, console, stopped)
        shopping = Shopping(stock, interactions, watcher, Random(options.seed), _teller(console, stock))  # noqa: S311
        _go_shopping(shopping, visits, options, stopped)
        _report(settings, visits, stock, searchable, console)
        if sys.stdout.isatty() and options.seconds is None and not options.headless:
            console.print("[bold]The shoppers go on, slowly. Ctrl-C ends the demo.[/bold]")
            _linger(shopping, visits, _PACE_S, None, stopped)
    return 0 if visits and all(visit.served for visit in visits) else 1


def _stocked(
    stock: Stock,
    products: ProductPublisher,
    watcher: Watcher,
    console: Console,
    stopped: threading.Event,
) -> list[float]:
    """Upload everything; returns seconds from upload to searchable."""
    started_s = time.monotonic()
    with _bar("uploading and indexing", len(stock.products)) as bar:

        def moved(done: int) -> None:
            _go_on(stopped)
            bar.update(done - bar.n)

        searchable = upload(stock, products, watcher, moved, _UPLOAD_TIMEOUT_S)
    took_s = time.monotonic() - started_s
    console.print(f"{len(searchable)} of {len(stock.products)} products searchable after {took_s:.1f} s")
    return searchable


def _go_shopping(
    shopping: Shopping, visits: Sequence[Visit], options: DemoOptions, stopped: threading.Event
) -> None:
    """Every shopper arrives, then they act in turn: one round at once, or slowly for `seconds`."""
    for visit in visits:
        shopping.arrive(visit)
    if options.seconds is not None:
        pause_s = min(_PACE_S, options.seconds / (ACTS * max(1, len(visits))))
        _linger(shopping, visits, pause_s, time.monotonic() + options.seconds, stopped)
        return
    for _ in range(ACTS):
        for visit in visits:
            if stopped.is_set():
                return
            shopping.act(visit)


def _linger(
    shopping: Shopping,
    visits: Sequence[Visit],
    pause_s: float,
    until_s: float | None,
    stopped: threading.Event,
) -> None:
    """Act in turn with pauses until a monotonic time, or until stopped."""
    for visit in cycle(visits):
        left_s = pause_s if until_s is None else min(pause_s, until_s - time.monotonic())
        if stopped.wait(max(0.0, left_s)) or (until_s is not None and time.monotonic() >= until_s):
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
