"""A directory with one owner: an engine's or a broker's files must never be opened by two processes.

In: a directory. Out: a lock that lasts as long as any process that was handed it, however that ends.
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
    """Exclusive ownership of a directory, for as long as a process that holds `fd` lives.

    Hand `fd` to a child (`pass_fds`) and `name` it, and the directory stays taken should the child outlive
    this process. The directory is made if need be.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._fd: int | None = None

    @property
    def fd(self) -> int:
        """The open lock file; RuntimeError unless acquired."""
        if self._fd is None:
            raise RuntimeError(f"the lock of {self.directory} is not held")
        return self._fd

    def acquire(self) -> DirectoryLock:
        """Take the directory, or raise DirectoryInUse naming the process that has it."""
        self.directory.mkdir(parents=True, exist_ok=True)
        fd = os.open(self.directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _living_holder(os.pread(fd, 4096, 0))
            os.close(fd)
            raise DirectoryInUse(
                f"{self.directory} is already in use by {holder}; stop it or choose another --data-dir"
            ) from None
        self._fd = fd
        self.name(os.getpid())
        return self

    def name(self, *pids: int) -> None:
        """Write who holds the directory, most worth stopping first."""
        content = "".join(f"{pid}\n" for pid in pids).encode()
        os.pwrite(self.fd, content, 0)
        os.ftruncate(self.fd, len(content))

    def release(self) -> None:
        """Give up this process's share; a child that was handed `fd` keeps its own."""
        if self._fd is not None:
            os.close(self._fd)  # no LOCK_UN: that would take the lock from the child too
            self._fd = None

    def __enter__(self) -> DirectoryLock:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _living_holder(content: bytes) -> str:
    for word in content.split():
        if word.isdigit() and _is_alive(int(word)):
            return f"process {int(word)}"
    return "another process"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:  # another user's
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return pid > 0
