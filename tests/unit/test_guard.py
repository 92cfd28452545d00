"""Children end with their parent, whatever ends it; a directory has one owner."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams import guard
from vectorstore.lock import DirectoryInUse, DirectoryLock

DEADLINE_S = 10.0
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


def is_free(directory: Path) -> bool:
    """Whether no process holds the directory: how a test learns that a child which held it is gone."""
    lock = DirectoryLock(directory)
    try:
        lock.acquire()
    except DirectoryInUse:
        return False
    lock.release()
    return True


@pytest.fixture
def children() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


PARENT = """
    import sys
    from pathlib import Path
    from streams import guard
    from vectorstore.lock import DirectoryLock

    if sys.argv[2] == "watcher":
        guard._KERNEL_TIES = False
    lock = DirectoryLock(Path(sys.argv[1])).acquire()
    command = ["sh", "-c", "echo ready; exec sleep 600"]
    child = guard.guarded_popen(command, stdout=sys.stdout, pass_fds=(lock.fd,))
    lock.release()
    child.wait()
"""


@pytest.mark.parametrize("tie", [pytest.param("kernel", marks=LINUX), "watcher"])
@pytest.mark.parametrize("how", ["kill", "terminate"])
def test_a_child_ends_with_its_killed_parent(
    tmp_path: Path, tie: str, how: str, children: list[subprocess.Popen[bytes]]
) -> None:
    script = [sys.executable, "-c", textwrap.dedent(PARENT), str(tmp_path), tie]
    parent = subprocess.Popen(script, stdout=subprocess.PIPE)
    children.append(parent)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"ready\n"
    assert not is_free(tmp_path)
    getattr(parent, how)()
    parent.wait(DEADLINE_S)
    wait_until(lambda: is_free(tmp_path))


@pytest.mark.parametrize("kernel_ties", [pytest.param(True, marks=LINUX), False])
def test_a_child_outlives_the_thread_that_started_it(
    tmp_path: Path,
    kernel_ties: bool,
    children: list[subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guard, "_KERNEL_TIES", kernel_ties)
    os.mkfifo(tmp_path / "go")
    command = ["sh", "-c", "echo ready; read word < go; echo $word"]
    thread_ids: list[int] = []

    def start() -> None:
        thread_ids.append(threading.get_native_id())
        child = guard.guarded_popen(command, cwd=tmp_path, stdout=subprocess.PIPE)
        children.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    wait_until(lambda: not Path(f"/proc/self/task/{thread_ids[0]}").exists())
    out = children[0].stdout
    assert out is not None
    assert children[0].poll() is None
    (tmp_path / "go").write_text("alive\n")
    assert out.readline() == b"alive\n"
    assert children[0].wait(DEADLINE_S) == 0


def test_the_process_is_the_command_in_a_session_of_its_own(children: list[subprocess.Popen[bytes]]) -> None:
    child = guard.guarded_popen(["sh", "-c", "echo $$; exec sleep 600"], stdout=subprocess.PIPE)
    children.append(child)
    assert child.stdout is not None
    assert int(child.stdout.readline()) == child.pid
    assert os.getsid(child.pid) == child.pid  # so Ctrl-C in the terminal does not reach it


def test_a_missing_command_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="no-such-command"):
        guard.guarded_popen(["no-such-command", "--help"])


def test_a_child_whose_parent_is_gone_already_ends_at_once() -> None:
    orphan = f"from streams import guard; guard.end_with_parent({os.getpid()} + 1); print('still here')"
    result = subprocess.run([sys.executable, "-c", orphan], capture_output=True, check=False)
    assert (result.returncode, result.stdout) == (1, b"")


@pytest.mark.parametrize(("reaction", "status"), [("exit 3", 3), ("", -9)])
def test_stop_asks_first_and_kills_what_does_not_listen(
    reaction: str, status: int, children: list[subprocess.Popen[bytes]]
) -> None:
    script = f"trap '{reaction}' TERM; echo ready; while :; do sleep 0.05; done"
    child = guard.guarded_popen(["sh", "-c", script], stdout=subprocess.PIPE)
    children.append(child)
    assert child.stdout is not None
    child.stdout.readline()
    assert guard.stop(child, timeout_s=0.5 if status < 0 else DEADLINE_S) == status
    assert guard.stop(child, timeout_s=0) == status  # once more does no harm


def test_a_second_owner_is_refused_in_one_line(tmp_path: Path) -> None:
    with DirectoryLock(tmp_path / "new" / "folder") as lock:
        with pytest.raises(DirectoryInUse) as caught:
            DirectoryLock(lock.directory).acquire()
        reason = f"already in use by process {os.getpid()}; stop it or choose another --data-dir"
        assert str(caught.value) == f"{lock.directory} is {reason}"
    assert is_free(lock.directory)


def test_a_child_that_was_handed_the_lock_keeps_it(
    tmp_path: Path, children: list[subprocess.Popen[bytes]]
) -> None:
    lock = DirectoryLock(tmp_path).acquire()
    child = guard.guarded_popen(["sleep", "600"], pass_fds=(lock.fd,))
    children.append(child)
    lock.name(2**40, child.pid)  # the first named is gone
    lock.release()
    with pytest.raises(DirectoryInUse, match=f"by process {child.pid};"):
        DirectoryLock(tmp_path).acquire()
    child.kill()
    wait_until(lambda: is_free(tmp_path))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(content=st.binary(max_size=64) | st.integers(0, 10**30).map(lambda n: str(n).encode()))
def test_whatever_the_lock_file_says_the_refusal_is_one_line(tmp_path: Path, content: bytes) -> None:
    with DirectoryLock(tmp_path) as lock:
        os.ftruncate(lock.fd, 0)
        os.pwrite(lock.fd, content, 0)
        with pytest.raises(DirectoryInUse) as caught:
            DirectoryLock(tmp_path).acquire()
    assert "\n" not in str(caught.value)


def test_the_lock_is_only_readable_once_held(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    with pytest.raises(RuntimeError, match="not held"):
        _ = lock.fd
    with contextlib.closing(os.fdopen(os.dup(lock.acquire().fd))):
        lock.release()
        lock.release()  # once more does no harm
        assert not is_free(tmp_path)
    assert is_free(tmp_path)
