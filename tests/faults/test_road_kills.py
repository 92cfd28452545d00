"""Services of a running shop killed while events flow: nothing accepted is lost, nothing counts twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from drawn_photos import Photos
from flowing import Flow, assert_nothing_lost_or_doubled
from running_shop import RunningShop, until

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def shop(photos: Photos, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    """A shop of its own: what runs in it is killed."""
    with RunningShop(tmp_path_factory.mktemp("killed"), photos.folder) as running:
        running.upload(*map(photos.upload, photos.drawn))
        yield running


@pytest.mark.parametrize("services", ["shopper", "catalogue", "vectors", "vectors broker shopper"])
def test_killed_services_lose_nothing(shop: RunningShop, photos: Photos, services: str) -> None:
    names = services.split()
    killed = {name: shop.services()[name] for name in names}
    with Flow(shop, photos, seed=len(services)) as flow:
        flow.wait_for(25)
        for pid in killed.values():
            os.kill(pid, signal.SIGKILL)
        flow.wait_for(25)
        for name, pid in killed.items():
            until(f"{name} runs again", lambda n=name, p=pid: shop.services().get(n) not in (None, p))
        flow.wait_for(10)
    assert_nothing_lost_or_doubled(shop, flow)


def test_a_broker_killed_while_it_starts_is_started_again(shop: RunningShop, photos: Photos) -> None:
    with Flow(shop, photos, seed=99) as flow:
        flow.wait_for(20)
        first = shop.services()["broker"]
        os.kill(first, signal.SIGKILL)
        second = until("it starts", lambda: (b := shop.services().get("broker")) not in (None, first) and b)
        os.kill(second, signal.SIGKILL)
        until("it starts again", lambda: shop.services().get("broker") not in (None, first, second))
    assert_nothing_lost_or_doubled(shop, flow)


def test_workers_that_join_and_leave_a_backlog_lose_nothing(shop: RunningShop, photos: Photos) -> None:
    with Flow(shop, photos, seed=7) as flow:
        for number in (signal.SIGTERM, signal.SIGKILL):
            flow.burst(120)
            other = shop.start_command("worker", "shopper", instance="2")
            try:
                assert other.stdout is not None
                assert other.stdout.readline(), "the second worker did not become ready"
                flow.burst(120)
                flow.wait_for(20)
                other.send_signal(number)
                other.wait(20.0)
            finally:
                other.kill()
                other.wait()
                other.stdout.close()
    assert_nothing_lost_or_doubled(shop, flow)
