"""Where the embedded vector store keeps its files and its socket.

In: the data directory, a model's name and dimension. Out: paths, and private directories (0700, ours).
What can fail: a directory that belongs to somebody else, or that others can write to (PermissionError).
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from pathlib import Path
from typing import Final

SOCKET_NAME: Final = "vectors.sock"
MAX_SOCKET_PATH_BYTES: Final = 100  # the kernel's limit is 108 on Linux, 104 on BSD and macOS, with a NUL


def vectors_directory(data_dir: Path) -> Path:
    """The directory that one owner process has: `<data_dir>/vectors`."""
    return data_dir.resolve() / "vectors"


def model_slug(model: str, dim: int) -> str:
    """A name for files and collections, distinct for every (model, dim).

    >>> model_slug("EfficientNet-Lite0/ImageNet", 1280)
    'efficientnet-lite0-imagenet-1280-ad3abea2'
    """
    readable = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")[:40].strip("-")
    digest = hashlib.sha256(model.encode()).hexdigest()[:8]
    return "-".join(filter(None, (readable, str(dim), digest)))


def socket_path(data_dir: Path) -> Path:
    """The socket of the data directory's owner: inside it, or, where that is too long a path for a socket,
    in a private directory under the system's temporary one. Does not touch the disk.
    """
    inside = vectors_directory(data_dir) / SOCKET_NAME
    if len(os.fsencode(inside)) <= MAX_SOCKET_PATH_BYTES:
        return inside
    digest = hashlib.sha256(os.fsencode(inside)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"lookstream-{os.getuid()}" / f"{digest}.sock"


def make_private(directory: Path) -> Path:
    """Make `directory` if need be and take others' rights from it; PermissionError if it is not ours."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _require_owner(directory)
    if directory.lstat().st_mode & 0o077:
        directory.chmod(0o700)
    return directory


def require_private(directory: Path) -> None:
    """PermissionError unless `directory` is ours alone (else somebody else's socket may be in it)."""
    _require_owner(directory)
    if directory.lstat().st_mode & 0o077:
        raise PermissionError(f"{directory} is open to other users, expected mode 0700")


def _require_owner(directory: Path) -> None:
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise PermissionError(f"{directory} is not a directory")
    if status.st_uid != os.getuid():
        raise PermissionError(f"{directory} belongs to user {status.st_uid}, expected {os.getuid()}")
