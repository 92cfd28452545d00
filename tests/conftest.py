"""Shared by all tests: drawn photographs, made once a session."""

from __future__ import annotations

import hypothesis
import pytest
from drawn_photos import Photos

from models.datasets.drawn import write_catalogue

DRAWN = 72


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Photos:
    """The first 72 products of a drawn catalogue (3 s)."""
    folder = tmp_path_factory.mktemp("photos")
    return Photos(folder, write_catalogue(folder, 7, DRAWN))


# A busy machine draws slowly and runs late; neither says anything about the code.
hypothesis.settings.register_profile(
    "busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy")
