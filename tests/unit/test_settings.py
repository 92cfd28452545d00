"""Settings: from where, in which order, what is refused, and what is never shown."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.settings import SECRETS, Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of ours, and a working directory without a file."""
    import os

    for name in list(os.environ):
        if name.upper().startswith("LOOKSTREAM_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def write(text: str, name: str = "lookstream.toml") -> Path:
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_need_nothing() -> None:
    found = load_settings()
    assert found.data_dir == Path.cwd() / ".lookstream"
    assert found.media_dir == found.data_dir / "media"
    assert found.partitions == 8
    assert found.kafka is None


def test_arguments_go_before_environment_before_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write("partitions = 2\nset_length = 12\nbind = '0.0.0.0'")
    monkeypatch.setenv("LOOKSTREAM_PARTITIONS", "3")
    monkeypatch.setenv("LOOKSTREAM_SET_LENGTH", "13")
    found = load_settings(set_length=14, data_dir=None)
    assert (found.bind, found.partitions, found.set_length) == ("0.0.0.0", 3, 14)


def test_the_file_may_have_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    write("partitions = 2")
    write("partitions = 5", "other.toml")
    monkeypatch.setenv("LOOKSTREAM_CONFIG", "other.toml")
    assert load_settings().partitions == 5
    monkeypatch.setenv("LOOKSTREAM_CONFIG", "missing.toml")
    with pytest.raises(SettingsError, match=r"LOOKSTREAM_CONFIG: got 'missing\.toml'"):
        load_settings()


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAFKA", "QDRANT", "PARTITIONS", "ALLOWED_HOSTS"):
        monkeypatch.setenv(f"LOOKSTREAM_{name}", "")
    assert load_settings() == load_settings(partitions=8)


@pytest.mark.parametrize("name", ["LOOKSTREAM_PARTITION", "LOOKSTREAM_KAFKA_URL", "LOOKSTREAM_"])
def test_an_unknown_variable_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(SettingsError, match=f"^{name}: no such setting; there are .*PARTITIONS"):
        load_settings()


def test_variables_of_tests_and_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKSTREAM_TEST_QDRANT", "http://localhost:6333")
    monkeypatch.setenv("OTHER_PARTITIONS", "x")
    assert load_settings().partitions == 8


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("partition = 2", "partition:"),
        ("[kafka]\nserver = 'a'", "kafka:"),
        ("partitions = 'many'", "partitions: got 'many'"),
        ("partitions = 0", "partitions: got '0'"),
        ("half_life_s = nan", "half_life_s"),
        ("log_level = 'LOUD'", "log_level: got 'LOUD'"),
        ("allowed_hosts = 3", "allowed_hosts"),
        ("allowed_hosts = [1]", "allowed_hosts"),
        ("partitions =", "lookstream.toml"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(text: str, named: str) -> None:
    write(text)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert named in str(caught.value)


def test_every_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKSTREAM_PARTITIONS", "x")
    monkeypatch.setenv("LOOKSTREAM_METRICS_PORT", "70000")
    with pytest.raises(SettingsError, match=r"partitions: got 'x'.*metrics_port: got '70000'"):
        load_settings()


def test_a_file_that_is_no_text_is_a_settings_error() -> None:
    Path("lookstream.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match=r"lookstream\.toml"):
        load_settings()


@pytest.mark.parametrize("secret", sorted(SECRETS))
@pytest.mark.parametrize("line", ["{} = 'x'", "{}='x'", '"{}" = "x"', "  {}  = 'x' # why not", "'{}'='x'"])
def test_a_secret_in_the_file_is_refused(secret: str, line: str) -> None:
    write("partitions = 4\n" + line.format(secret))
    with pytest.raises(
        SettingsError, match=f"{secret} is a secret, expected in LOOKSTREAM_{secret.upper()}"
    ) as caught:
        load_settings()
    assert "'x'" not in str(caught.value)


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for secret in SECRETS:
        monkeypatch.setenv(f"LOOKSTREAM_{secret.upper()}", "hunter2" * 5)
    found = load_settings()
    assert all(found.shown()[secret] == "***" for secret in SECRETS)
    assert "hunter2" not in repr(found) + str(found) + str(found.shown()) + found.model_dump_json()
    assert {
        name for name in Settings.model_fields if "SecretStr" in str(Settings.model_fields[name])
    } == SECRETS


def test_a_secret_that_is_refused_is_not_shown_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKSTREAM_GATEWAY_SECRET", "hunter2")
    with pytest.raises(SettingsError, match=r"gateway_secret.*32 bytes") as raised:
        load_settings()
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("origin", ["shop.example", "https://shop.example/", "*", "https://a b", "null"])
def test_origins_are_origins(origin: str) -> None:
    with pytest.raises(SettingsError, match="gateway_origins"):
        load_settings(gateway_origins=origin)
    assert load_settings(gateway_origins="https://Shop.example").gateway_origins == {"https://shop.example"}


def test_what_is_shown_is_everything_and_the_same_each_time() -> None:
    found = load_settings(allowed_hosts="b.example,a.example")
    assert set(found.shown()) == set(Settings.model_fields)
    assert found.shown()["allowed_hosts"] == ["a.example", "b.example"]
    assert found.shown()["kafka_password"] is None


@pytest.mark.parametrize("hosts", ['"A.Example, b.example,"', '["a.example", " B.EXAMPLE "]'])
def test_hosts_are_a_list_or_separated_by_commas_in_any_case(hosts: str) -> None:
    write(f"allowed_hosts = {hosts}")
    assert load_settings().allowed_hosts == {"a.example", "b.example"}


def test_a_data_directory_at_home_is_found() -> None:
    assert load_settings(data_dir=Path("~/shop")).data_dir == Path.home() / "shop"


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "kafka": st.sampled_from(["localhost:9092", "a:1,b:2"]),
    "kafka_security_protocol": st.sampled_from(["PLAINTEXT", "SASL_SSL"]),
    "kafka_username": st.text("abcü =,", min_size=1, max_size=8),
    "kafka_password": st.text("abc'\"$ ü=,*", min_size=1, max_size=8),
    "qdrant_api_key": st.text("abc", min_size=1, max_size=8),
    "media_root": st.sampled_from([Path("photos"), Path("/srv/photo s")]),
    "allowed_hosts": st.frozensets(st.sampled_from(["a.example", "b.example"]), min_size=1),
    "partitions": st.integers(1, 1000),
    "half_life_s": st.floats(1e-3, 1e12) | st.just(float("inf")),
    "metrics_port": st.integers(0, 65535),
}


@given(given_=st.fixed_dictionaries({}, optional=VALUES))
@settings(max_examples=60, deadline=None)
def test_a_child_process_gets_the_same_settings(given_: dict[str, Any]) -> None:
    found = load_settings(**given_)
    with pytest.MonkeyPatch.context() as child:
        for name, text in found.environment().items():
            child.setenv(name, text)
        again = load_settings()
    assert again == found
    assert again.environment() == found.environment()


def test_kafka_clients_get_addresses_and_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="LOOKSTREAM_KAFKA"):
        load_settings().kafka_client()
    assert load_settings().kafka_client("a:1, b:2")["bootstrap_servers"] == ["a:1", "b:2"]
    monkeypatch.setenv("LOOKSTREAM_KAFKA_PASSWORD", "hunter2")
    secured = load_settings(
        kafka="a:1", kafka_security_protocol="SASL_SSL", kafka_username="me", kafka_ca_file=Path("ca.pem")
    )
    assert secured.kafka_client() == {
        "bootstrap_servers": ["a:1"],
        "security_protocol": "SASL_SSL",
        "ssl_cafile": "ca.pem",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "me",
        "sasl_plain_password": "hunter2",
    }
