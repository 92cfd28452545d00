"""The embedded broker keeps what it acknowledged, whatever ends it, and ends with its parent."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import MessageSizeTooLargeError

from streams.kafka.admin import TopicSpec, create_topics, topic_partitions
from streams.kafka.broker import BrokerError, EmbeddedBroker
from vectorstore.lock import LOCK_NAME, DirectoryInUse, DirectoryLock

pytestmark = pytest.mark.broker
DEADLINE_S = 30.0
MIB = 1 << 20


def wait_until(condition: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, f"the condition did not come true in {deadline_s:g} s"
        time.sleep(0.02)


def publish(bootstrap: str, topic: str, values: list[bytes], **settings: Any) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", **settings)
    try:
        for sent in [producer.send(topic, value) for value in values]:
            sent.get(DEADLINE_S)
    finally:
        producer.close(5)


def read_all(bootstrap: str, topic: str) -> list[Any]:
    """Every record of `topic` up to its present end."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id=None)
    try:
        partitions = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic)]
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        records: list[Any] = []

        def complete() -> bool:
            for batch in consumer.poll(timeout_ms=200).values():
                records.extend(batch)
            return all(consumer.position(partition) >= end for partition, end in ends.items())

        wait_until(complete)
        return records
    finally:
        consumer.close()


def test_a_photo_of_20_mb_makes_the_round_trip(kafka: dict[str, str], broker: EmbeddedBroker) -> None:
    create_topics(kafka, [TopicSpec("photos", 2, configs={"max.message.bytes": str(24 * MIB)})])
    photo = bytes(range(256)) * (20 * MIB // 256)
    publish(broker.bootstrap, "photos", [b"small", photo], max_request_size=30 * MIB)
    assert sorted((record.value for record in read_all(broker.bootstrap, "photos")), key=len) == [
        b"small",
        photo,
    ]
    with pytest.raises(MessageSizeTooLargeError):
        publish(broker.bootstrap, "photos", [bytes(25 * MIB)], max_request_size=30 * MIB)


def test_many_of_the_largest_photos_at_once_do_not_exhaust_the_broker(
    kafka: dict[str, str], broker: EmbeddedBroker
) -> None:
    create_topics(kafka, [TopicSpec("burst", 12, configs={"max.message.bytes": str(24 * MIB)})])
    photo = bytes(23 * MIB)

    async def upload(partition: int) -> int:
        async with AIOKafkaProducer(**kafka, acks="all", max_request_size=24 * MIB) as producer:
            return (await producer.send_and_wait("burst", photo, partition=partition)).offset

    async def burst() -> list[int]:
        return await asyncio.gather(*(upload(partition) for partition in range(12)))

    assert asyncio.run(burst()) == [0] * 12
    assert broker.process is not None
    assert broker.process.poll() is None


def test_the_brokers_clock_stamps_every_record(kafka: dict[str, str], broker: EmbeddedBroker) -> None:
    create_topics(kafka, [TopicSpec("stamped", 1)])
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap)
    before_ms = time.time() * 1000
    producer.send("stamped", b"the producer claims 1970", timestamp_ms=1).get(DEADLINE_S)
    producer.close()
    (record,) = read_all(broker.bootstrap, "stamped")
    assert record.timestamp_type == 1  # LogAppendTime
    assert int(before_ms) <= record.timestamp <= time.time() * 1000


def test_a_second_owner_is_refused_in_one_line(broker: EmbeddedBroker) -> None:
    with pytest.raises(DirectoryInUse, match=r"^[^\n]*/kafka is already in use by process \d+; [^\n]*$"):
        EmbeddedBroker(broker.directory.parent).start()
    assert topic_partitions({"bootstrap_servers": broker.bootstrap}, []) == {}  # and the first is unharmed


def test_a_taken_port_is_named(broker: EmbeddedBroker, tmp_path: Path) -> None:
    port = int(broker.bootstrap.split(":")[1])
    with pytest.raises(BrokerError, match=f"port {port} of 127.0.0.1 is taken"):
        EmbeddedBroker(tmp_path, port=port).start()


def test_both_listeners_are_on_loopback_only(broker: EmbeddedBroker) -> None:
    lines = (broker.directory / "server.properties").read_text().splitlines()
    (listeners,) = (line.split("=", 1)[1] for line in lines if line.startswith("listeners="))
    addresses = [listener.split("://")[1].split(":") for listener in listeners.split(",")]
    assert [host for host, _ in addresses] == ["127.0.0.1", "127.0.0.1"]
    for _, port in addresses:
        with socket.socket() as elsewhere:  # fails where Java listens on every address
            elsewhere.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            elsewhere.bind(("127.0.0.2" if sys.platform == "linux" else "::1", int(port)))


def test_when_java_cannot_start_the_error_is_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JDK_JAVA_OPTIONS", "-XX:+NoSuchOption")
    with pytest.raises(BrokerError, match=r"^[^\n]*Unrecognized VM option 'NoSuchOption'[^\n]*$"):
        EmbeddedBroker(tmp_path).start()
    DirectoryLock(tmp_path / "kafka").acquire().release()  # the directory is free again


def test_a_java_home_without_java_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    with pytest.raises(BrokerError, match=r"JAVA_HOME is .*nowhere"):
        EmbeddedBroker(tmp_path).start()


def test_records_and_port_survive_a_stop_and_a_kill(tmp_path: Path) -> None:
    """One broker's life: started on an awkward path, stopped, started, killed while writing, started."""
    broker = EmbeddedBroker(tmp_path / "Jürgens Läden, 2")
    bootstrap = broker.start()
    create_topics({"bootstrap_servers": bootstrap}, [TopicSpec("kept", 4)])
    publish(bootstrap, "kept", [b"before the stop"])
    broker.stop()

    assert broker.start() == bootstrap
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=1)
    acknowledged = _kill_while_writing(broker, producer, "kept")
    broker.stop()

    started = time.monotonic()
    assert broker.start() == bootstrap
    took_s = time.monotonic() - started
    found = {record.value for record in read_all(bootstrap, "kept")}
    assert {b"before the stop"} | acknowledged <= found
    assert took_s < 15, f"the restart after SIGKILL took {took_s:.1f} s"
    producer.flush(DEADLINE_S)  # the address is the old one, so it delivers what it still held
    producer.close(DEADLINE_S)
    broker.stop()


def _kill_while_writing(broker: EmbeddedBroker, producer: KafkaProducer, topic: str) -> set[bytes]:
    """SIGKILL the broker in the middle of a stream of records; returns those acknowledged, 1,000 or more."""
    acknowledged: set[bytes] = set()
    enough = threading.Event()

    def note(value: bytes) -> None:
        acknowledged.add(value)
        if len(acknowledged) >= 1000:
            enough.set()

    number = 0
    while not enough.is_set():
        value = b"%d" % number
        producer.send(topic, value).add_callback(lambda _, value=value: note(value))
        number += 1
    assert broker.process is not None
    broker.process.kill()
    assert broker.process.wait(DEADLINE_S) == -9
    return set(acknowledged)


GRANDPARENT = """
    import sys
    from streams import guard
    guard.guarded_popen([sys.executable, "-c", sys.argv[1], sys.argv[2]], stdout=sys.stdout).wait()
"""
PARENT = """
    import sys
    from pathlib import Path
    from streams.kafka.broker import EmbeddedBroker
    broker = EmbeddedBroker(Path(sys.argv[1]))
    broker.start()
    print(broker.process.pid, flush=True)
    broker.process.wait()
"""


def test_java_ends_when_its_grandparent_is_killed(tmp_path: Path) -> None:
    """`lookstream up` starts Python children, one of which starts Java: SIGKILL at the top ends them all."""
    script, inner = textwrap.dedent(GRANDPARENT), textwrap.dedent(PARENT)
    command = [sys.executable, "-c", script, inner, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as top:
        try:
            assert top.stdout is not None
            java_pid = int(top.stdout.readline())
            with pytest.raises(DirectoryInUse):
                DirectoryLock(tmp_path / "kafka").acquire()
        finally:
            top.kill()
    assert str(java_pid) in (tmp_path / "kafka" / LOCK_NAME).read_text().split()
    wait_until(
        lambda: _is_free(tmp_path / "kafka"), deadline_s=5
    )  # Java itself holds the lock while it lives


def _is_free(directory: Path) -> bool:
    try:
        DirectoryLock(directory).acquire().release()
    except DirectoryInUse:
        return False
    return True
