"""The whole of `lookstream up` stopped and killed in the middle of a flow, and started again."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from drawn_photos import Photos
from flowing import Flow, assert_nothing_lost_or_doubled
from running_shop import RunningShop, is_running, services_below, until

pytestmark = pytest.mark.broker

STOPPED_WITHIN_S = 15.0
GONE_WITHIN_S = 5.0


def end(shop: RunningShop, number: signal.Signals) -> None:
    """End `up` and see that all its services end with it."""
    services = shop.services()
    assert set(services) == {"vectors", "broker", "catalogue", "shopper"}
    shop.process.send_signal(number)
    status = shop.process.wait(STOPPED_WITHIN_S)
    assert status == (0 if number == signal.SIGTERM else -signal.SIGKILL)
    for name, pid in services.items():
        until(f"{name} is gone", lambda p=pid: not is_running(p), GONE_WITHIN_S)


def test_up_that_is_stopped_while_it_starts_ends_soon(photos: Photos, tmp_path: Path) -> None:
    shop = RunningShop(tmp_path, photos.folder)
    starting = shop.start_command("up")
    try:
        until("its services start", lambda: {"vectors", "broker"} <= set(services_below(starting.pid)))
        services = services_below(starting.pid)
        starting.send_signal(signal.SIGTERM)
        assert starting.wait(STOPPED_WITHIN_S) == 130
        assert starting.stdout is not None
        assert starting.stdout.read() == b"", "it said that it was ready"
    finally:
        starting.kill()
        starting.wait()
        starting.stdout.close()  # type: ignore[union-attr]
    assert not any(map(is_running, services.values()))


def test_up_goes_on_where_it_was_stopped_or_killed(photos: Photos, tmp_path: Path) -> None:
    newest: dict[str, int] = {}
    flows: list[Flow] = []
    with RunningShop(tmp_path, photos.folder) as shop:
        shop.upload(*map(photos.upload, photos.drawn))
        for number in (signal.SIGTERM, signal.SIGKILL):
            with Flow(shop, photos, seed=number) as flow:
                flow.wait_for(60)
                end(shop, number)
            flows.append(flow)
            for user in flow.users:
                newest[user] = max((s.revision for s in shop.observer.sets[user]), default=0)
            shop.disconnect(0.1)
            shop.start()
            for earlier in flows:
                assert_nothing_lost_or_doubled(shop, earlier)
        for user, revision in newest.items():
            assert shop.answered("shopper.arrived", user).revision > revision
        assert {product.product_id for product in photos.drawn} <= shop.observer.indexed()
        assert shop.measured("lookstream_garments_indexed", worker="worker-shopper") >= len(photos.drawn)
