"""What the embedded Kafka is started with: Java's options, server.properties and the log4j2 configuration.

In: ports. Out: text. All paths are relative to the directory that Kafka is started in.
"""

from __future__ import annotations

from collections.abc import Mapping

MAX_RECORD_BYTES = 26_000_000
_MIB = 1 << 20

JAVA_OPTIONS = (
    "-XX:TieredStopAtLevel=1",  # measured: the start takes 2.5 instead of 3.7 s, work half the CPU time
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:ErrorFile=java-crash.log",
    "-Dlog4j2.configurationFile=log4j2.properties",
)

LOG4J2 = """\
rootLogger.level=INFO
rootLogger.appenderRef.file.ref=file
logger.config.name=org.apache.kafka.common.config
logger.config.level=WARN
appender.file.type=RollingFile
appender.file.name=file
appender.file.fileName=broker.log
appender.file.filePattern=broker.log.%i
appender.file.layout.type=PatternLayout
appender.file.layout.charset=UTF-8
appender.file.layout.pattern=%d{ISO8601} %p %m (%c)%n
appender.file.policies.type=Policies
appender.file.policies.size.type=SizeBasedTriggeringPolicy
appender.file.policies.size.size=5MB
appender.file.strategy.type=DefaultRolloverStrategy
appender.file.strategy.max=2
"""


def server_properties(port: int, controller_port: int, log_folder: str) -> str:
    """server.properties of a single node that is broker and controller, both on loopback only."""
    settings: Mapping[str, object] = {
        **_identity(port, controller_port),
        **_single_node(),
        **_quick_restart(),
        "log.dirs": log_folder,
        "auto.create.topics.enable": "false",
        # Latencies and lateness are judged by the broker's clock, whatever the producer claims.
        "log.message.timestamp.type": "LogAppendTime",
        # Photos travel in events: room for the largest record of any topic. Requests that together hold more
        # than the last limit wait; without it, twelve of the largest at once exhaust the heap.
        "message.max.bytes": MAX_RECORD_BYTES,
        "replica.fetch.max.bytes": MAX_RECORD_BYTES,
        "socket.request.max.bytes": 64 * _MIB,
        "queued.max.request.bytes": 96 * _MIB,
        # Of the heap of 256 MiB the cleaner would take 128 at the start; 8 hold 300,000 keys at a time.
        "log.cleaner.dedupe.buffer.size": 8 * _MIB,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _identity(port: int, controller_port: int) -> dict[str, object]:
    broker, controller = f"127.0.0.1:{port}", f"127.0.0.1:{controller_port}"
    listeners = f"PLAINTEXT://{broker},CONTROLLER://{controller}"
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.bootstrap.servers": controller,
        "listeners": listeners,
        "advertised.listeners": listeners,
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
    }


def _single_node() -> dict[str, object]:
    """Kafka's own topics have one replica, and partitions for one machine's load."""
    settings: dict[str, object] = {}
    for prefix in ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic"):
        settings[f"{prefix}.num.partitions"] = 4
        settings[f"{prefix}.replication.factor"] = 1
        if prefix != "offsets.topic":
            settings[f"{prefix}.min.isr"] = 1
    return settings


def _quick_restart() -> dict[str, object]:
    """Without the session settings a restart after SIGKILL waits 12 s for the old session to end."""
    return {
        "broker.session.timeout.ms": 2000,
        "broker.heartbeat.interval.ms": 500,
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 1000,
    }
