"""A directory with one owner: the engine's files must never be opened by two processes.

In: a directory. Out: a lock that lasts until `release` or the end of the process, however it ends.
What can fail: another process has it (`DirectoryInUse`), the directory cannot be made (OSError).
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Final

LOCK_NAME: Final = "owner.lock"


class DirectoryInUse(RuntimeError):  # noqa: N818 (reads as the state it reports)
    """Another process owns the directory."""


class DirectoryLock:
    """Exclusive ownership of `directory`, which must exist."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._fd: int | None = None

    def acquire(self) -> DirectoryLock:
        """Take the directory, or raise DirectoryInUse naming the process that has it."""
        fd = os.open(self.directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(fd, 32, 0).strip()
            os.close(fd)
            owner = f"process {pid.decode()}" if pid.isdigit() else "another process"
            raise DirectoryInUse(
                f"{self.directory} is already in use by {owner}; stop it or choose another --data-dir"
            ) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd
        return self

    def release(self) -> None:
        """Give the directory up; may be called again."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> DirectoryLock:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
