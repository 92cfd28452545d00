"""One embedded broker for the whole session; tests that kill theirs start another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streams.kafka.broker import EmbeddedBroker


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """A running broker, shared: a test takes topics of its own."""
    with EmbeddedBroker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture
def kafka(broker: EmbeddedBroker) -> dict[str, str]:
    """The shared broker as client settings."""
    return {"bootstrap_servers": broker.bootstrap}
