"""Names, private places and the one owner of a directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vectorstore import paths
from vectorstore.lock import DirectoryInUse, DirectoryLock

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@unhurried
@given(st.lists(st.tuples(st.text(max_size=80), st.integers(1, 4096)), unique=True, min_size=2, max_size=5))
def test_slugs_are_distinct_and_safe(models: list[tuple[str, int]]) -> None:
    slugs = [paths.model_slug(*model) for model in models]
    assert len(set(slugs)) == len(models)
    for slug in slugs:
        assert len(slug) <= 60
        assert slug.replace("-", "").isalnum()
        assert slug.isascii()


def test_socket_lies_in_the_data_directory_if_its_path_is_short(tmp_path: Path) -> None:
    short = Path("/srv/lookstream")
    assert paths.socket_path(short) == Path("/srv/lookstream/vectors/vectors.sock")
    long = tmp_path / ("x" * 120)
    elsewhere = paths.socket_path(long)
    assert len(os.fsencode(elsewhere)) <= paths.MAX_SOCKET_PATH_BYTES
    assert elsewhere == paths.socket_path(long / ".." / long.name)
    assert elsewhere != paths.socket_path(tmp_path / ("y" * 120))
    assert elsewhere.parent.name == f"lookstream-{os.getuid()}"


def test_private_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = paths.make_private(tmp_path / "a" / "b")
    paths.require_private(made)
    made.chmod(0o755)
    with pytest.raises(PermissionError, match="open to other users"):
        paths.require_private(made)
    paths.require_private(paths.make_private(made))
    link = tmp_path / "link"
    link.symlink_to(made)
    with pytest.raises(PermissionError, match="not a directory"):
        paths.make_private(link)
    monkeypatch.setattr(os, "getuid", lambda: made.stat().st_uid + 1)
    for check in (paths.make_private, paths.require_private):
        with pytest.raises(PermissionError, match="belongs to user"):
            check(made)


def test_a_directory_has_one_owner(tmp_path: Path) -> None:
    with DirectoryLock(tmp_path):
        with pytest.raises(DirectoryInUse) as caught:
            DirectoryLock(tmp_path).acquire()
        assert str(caught.value) == (
            f"{tmp_path} is already in use by process {os.getpid()}; stop it or choose another --data-dir"
        )
    with DirectoryLock(tmp_path) as again:
        again.release()
        again.release()
        DirectoryLock(tmp_path).acquire().release()


def test_the_owner_loads_neither_the_server_client_nor_other_packages() -> None:
    """It must start fast, and imports go one way."""
    code = (
        "import sys, vectorstore.service, vectorstore.open\n"
        "print(*sorted({'qdrant_client', 'streams', 'faust', 'torch', 'httpx'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
