"""Child processes that end when their parent ends.

In: a command line. Out: a `subprocess.Popen` whose process the operating system kills when its parent is
gone, however that ended. What can fail: the command is not there (OSError).

The guard is a launcher, this file run as a script, that ties the process to its parent and then becomes the
command by `exec`: the pid of the `Popen` is the command's own. On Linux the tie is PR_SET_PDEATHSIG, which
survives exec. Elsewhere a watcher process waits for the end of a pipe that only the parent holds open.
The signal is SIGKILL: a child that could outlive its parent for as long as it likes is not guarded.
"""

from __future__ import annotations

import functools
import os
import queue
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Any

_KERNEL_TIES = sys.platform == "linux"
_PR_SET_PDEATHSIG = 1
_POLL_S = 0.5


def guarded_popen(
    args: Sequence[str | os.PathLike[str]],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdout: int | IO[Any] | None = None,
    stderr: int | IO[Any] | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start `args` so that it is killed when this process ends, even by SIGKILL; callable from any thread.

    The child has a session of its own: Ctrl-C reaches this process alone, which then ends its children in
    the order it likes. stdin is empty. `pass_fds` stay open in the child.
    """
    command = [os.fspath(arg) for arg in args]
    if shutil.which(command[0]) is None:  # else the launcher would report it, too late and elsewhere
        raise FileNotFoundError(f"no such command: {command[0]}")
    lifeline = () if _KERNEL_TIES else (_lifeline(),)
    launcher = [
        sys.executable,
        "-I",
        "-S",
        str(Path(__file__).resolve()),
        str(os.getpid()),
        ",".join(map(str, lifeline)),
    ]
    return _from_lasting_thread(
        lambda: subprocess.Popen(  # noqa: S603
            [*launcher, *command],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            pass_fds=(*pass_fds, *lifeline),
            start_new_session=True,
        )
    )


def end_with_parent(parent_pid: int) -> None:
    """Make this process end when process `parent_pid`, which must be its parent, ends.

    For a Python child that was not started by `guarded_popen`. Call it in the first lines of the child, on
    whatever thread; if the parent has ended already the process exits here.
    """
    if _KERNEL_TIES:
        import ctypes

        if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    else:
        threading.Thread(target=_end_when_adopted, args=(parent_pid,), daemon=True).start()
    if os.getppid() != parent_pid:  # it ended before the tie was made
        os._exit(1)


def stop(process: subprocess.Popen[bytes], timeout_s: float) -> int:
    """SIGTERM, and SIGKILL if `process` has not ended `timeout_s` later; returns its status."""
    if process.poll() is None:
        process.terminate()
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def _end_when_adopted(parent_pid: int) -> None:
    while os.getppid() == parent_pid:
        time.sleep(_POLL_S)
    os._exit(1)


# PDEATHSIG fires when the *thread* that forked ends, so all forks come from one thread that never does.
_Job = tuple[Callable[[], subprocess.Popen[bytes]], Future[subprocess.Popen[bytes]]]
_jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
_starter: threading.Thread | None = None
_starter_lock = threading.Lock()


def _from_lasting_thread(start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    global _starter
    with _starter_lock:
        if _starter is None or not _starter.is_alive():  # not alive: this process is a fork
            _starter = threading.Thread(target=_start_forever, name="guard", daemon=True)
            _starter.start()
    result: Future[subprocess.Popen[bytes]] = Future()
    _jobs.put((start, result))
    return result.result()


def _start_forever() -> None:
    while True:
        start, result = _jobs.get()
        try:
            result.set_result(start())
        except BaseException as error:
            result.set_exception(error)


@functools.cache
def _lifeline_of(pid: int) -> tuple[int, int]:
    return os.pipe()


def _lifeline() -> int:
    """The read end of a pipe that no one writes to and that this process alone holds open until it ends."""
    return _lifeline_of(os.getpid())[0]


def _launch(parent_pid: str, lifeline: str, *command: str) -> None:
    """Tie this process to its parent, then become `command`."""
    if lifeline:
        _watch(int(lifeline))
    else:
        end_with_parent(int(parent_pid))
    os.execvp(command[0], command)  # noqa: S606


def _watch(lifeline: int) -> None:
    """Fork a watcher that kills this process when the pipe `lifeline` ends, and ends when this one does."""
    guarded_pid = os.getpid()
    if os.fork() != 0:
        os.close(lifeline)
        return
    os.closerange(0, lifeline)  # what the guarded process was handed, a lock perhaps, is not the watcher's
    os.closerange(lifeline + 1, 4096)
    while os.getppid() == guarded_pid:
        if select.select([lifeline], [], [], _POLL_S)[0]:
            os.kill(guarded_pid, signal.SIGKILL)
            break
    os._exit(0)


if __name__ == "__main__":
    _launch(*sys.argv[1:])
