"""Settings: one object, from `LOOKSTREAM_*` variables and `lookstream.toml`, validated at the start.

In: the environment (first), the TOML file in the working directory or named by LOOKSTREAM_CONFIG. Out: a
frozen `Settings`. Fails with SettingsError naming each wrong setting. Secrets come from the environment only.
"""

import contextlib
import os
import re
import secrets
import tomllib
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

SECRETS = frozenset({"kafka_password", "qdrant_api_key", "erasure_key", "gateway_secret", "shopify_secret"})


class SettingsError(ValueError):
    """A setting is wrong; the message names it, what it was and what was expected."""


class Settings(BaseSettings):
    """Everything that can be set. Each field is `LOOKSTREAM_<NAME>` in the environment."""

    model_config = SettingsConfigDict(
        env_prefix="LOOKSTREAM_", extra="forbid", frozen=True, env_ignore_empty=True
    )
    config_file: ClassVar[Path | None] = None

    data_dir: Path = Path(".lookstream")
    """Where embedded Kafka and Qdrant, table stores, inline photos and logs are kept."""
    kafka: str | None = None
    """host:port[,host:port] of an external Kafka; none starts the embedded one."""
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    kafka_username: str | None = None
    kafka_password: SecretStr | None = None
    kafka_ca_file: Path | None = None
    maven_mirror: str | None = None
    """Where the Kafka jars come from instead of Maven Central: a base address or a folder."""
    qdrant: str | None = None
    """URL of a Qdrant server; none uses the embedded engine."""
    qdrant_api_key: SecretStr | None = None
    media_root: Path | None = None
    """Folder that a relative image_link is below; default <data_dir>/media."""
    allowed_hosts: Annotated[frozenset[str], NoDecode] = frozenset()
    """Hosts from which https image_links may be fetched, comma separated; none by default."""
    instance: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")] = "1"
    """This worker's name among several workers of one app with the same data directory."""
    partitions: Annotated[int, Field(ge=1, le=1000)] = 8
    replication: Annotated[int, Field(ge=1, le=9)] = 1
    vision: str = "lite0"
    vision_threads: Annotated[int, Field(ge=1, le=256)] = 1
    vision_batch: Annotated[int, Field(ge=1, le=256)] = 16
    detection_score: Annotated[float, Field(ge=0, le=1)] = 0.5
    """How sure the detector must be of a garment; 0.5 is the threshold that each kind is shipped with."""
    pose_gate: Literal["off", "annotate", "require"] = "annotate"
    """What is done about how a person stands: nothing, say it with the garments, or take garments only from
    full shots that face the camera (of other photos only the whole is indexed)."""
    pose_model: Literal["light", "keypoint-rcnn"] = "light"
    pose_weights: Path | None = None
    """Weights of keypoint-rcnn; none takes torchvision's own, fetched once."""
    set_length: Annotated[int, Field(ge=1, le=200)] = 24
    exploration: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of a set's places for garments indexed lately."""
    half_life_s: Annotated[float, Field(gt=0)] = 7 * 86_400.0
    contributions: Annotated[int, Field(ge=1, le=1000)] = 64
    waiting_retention_s: Annotated[float, Field(gt=0)] = 7 * 86_400.0
    """How long an interaction waits for its product before it becomes a dead letter."""
    erasure_key: SecretStr | None = None
    """Hashes the markers of erased users, the same for all workers; none makes one in the data directory."""
    erasure_marker_s: Annotated[float, Field(gt=0)] = 30 * 86_400.0
    """How long a marker stays; longer than anything that could replay the user's events."""
    retention_s: Annotated[float, Field(gt=0)] = 7 * 86_400.0
    """How long the topics that are not compacted keep their records."""
    bind: str = "127.0.0.1"
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Port of /metrics; 0 takes a free one."""
    metrics_urls: Annotated[frozenset[str], NoDecode] = frozenset()
    """Where the operator's page reads the workers' /metrics, comma separated; `up` sets its own."""
    gateway_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Port of the gateway; 0 takes the one that it had last in this data directory, or a free one."""
    gateway_secret: SecretStr | None = None
    """Signs access tokens (HS256), at least 32 bytes; none makes one in the data directory."""
    gateway_public_key: Path | None = None
    """PEM of the key that verifies access tokens which are signed elsewhere (RS256, ES256 or EdDSA)."""
    gateway_origins: Annotated[frozenset[str], NoDecode] = frozenset()
    """Origins of other sites whose pages may use the gateway (https://shop.example), comma separated."""
    gateway_proxies: Annotated[frozenset[str], NoDecode] = frozenset()
    """Addresses of reverse proxies whose X-Forwarded-For is believed, comma separated; none by default."""
    gateway_demo: bool = False
    """Gives access tokens to whoever asks; only while bound to a loopback address."""
    shopify_secret: SecretStr | None = None
    """Verifies Shopify's webhooks; without it they are refused."""
    shopify_currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    """The shop's currency, which Shopify's webhooks do not say; without it their products have no price."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "WARNING"

    @field_validator("allowed_hosts", "gateway_origins", "gateway_proxies", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        hosts = value.split(",") if isinstance(value, str) else value
        if not isinstance(hosts, (list, tuple, set, frozenset)) or not all(isinstance(h, str) for h in hosts):
            raise ValueError("expected names, as a list or separated by commas")
        return frozenset(host.strip().lower() for host in hosts if host.strip())

    @field_validator("gateway_origins")
    @classmethod
    def _are_origins(cls, origins: frozenset[str]) -> frozenset[str]:
        for origin in origins:
            if not re.fullmatch(r"https?://[^/\s?#@]+", origin):
                raise ValueError(f"expected origins such as https://shop.example, not {origin[:60]!r}")
        return origins

    @field_validator("metrics_urls", mode="before")
    @classmethod
    def _are_addresses(cls, value: Any) -> Any:
        addresses = [one.strip() for one in value.split(",")] if isinstance(value, str) else value
        if not all(re.fullmatch(r"https?://[^/\s?#@]+/\S*", str(address)) for address in addresses):
            raise ValueError("expected addresses such as http://worker:9100/metrics, separated by commas")
        return frozenset(addresses)

    @field_validator("gateway_secret")
    @classmethod
    def _is_long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value().encode()) < 32:
            raise ValueError("expected at least 32 bytes")
        return secret

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then the TOML file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, cls.config_file)

    @property
    def media_dir(self) -> Path:
        """The folder below which relative image_links lie."""
        return self.media_root or self.data_dir / "media"

    @property
    def inline_dir(self) -> Path:
        """Where photos that came inside events are kept."""
        return self.data_dir / "inline"

    @property
    def demo_shoppers(self) -> Path:
        """Where a demo says who shops in it: a JSON list of {"user_id", "name", "likes"}."""
        return self.data_dir / "demo" / "shoppers.json"

    def kafka_client(self, bootstrap: str | None = None) -> dict[str, Any]:
        """Keyword arguments for kafka-python clients (bootstrap_servers and credentials)."""
        servers = bootstrap or self.kafka
        if servers is None:
            raise SettingsError(
                "kafka: got nothing, expected host:port of a running Kafka (LOOKSTREAM_KAFKA)"
            )
        config: dict[str, Any] = {
            "bootstrap_servers": [server.strip() for server in servers.split(",")],
            "security_protocol": self.kafka_security_protocol,
        }
        if self.kafka_ca_file is not None:
            config["ssl_cafile"] = str(self.kafka_ca_file)
        if self.kafka_security_protocol.startswith("SASL"):
            config["sasl_mechanism"] = self.kafka_sasl_mechanism
            config["sasl_plain_username"] = self.kafka_username
            config["sasl_plain_password"] = (
                self.kafka_password.get_secret_value() if self.kafka_password else None
            )
        return config

    def shown(self) -> dict[str, Any]:
        """All settings for printing, secrets as '***'."""
        values = self.model_dump(mode="json")
        for name in ("allowed_hosts", "gateway_origins", "gateway_proxies", "metrics_urls"):
            values[name] = sorted(getattr(self, name))
        return {name: "***" if name in SECRETS and value else value for name, value in values.items()}

    def environment(self) -> dict[str, str]:
        """These settings as variables for a child process."""
        variables = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, SecretStr):
                value = value.get_secret_value()
            text = ",".join(sorted(value)) if isinstance(value, frozenset) else str(value)
            variables[f"LOOKSTREAM_{name.upper()}"] = text
        return variables


def load_settings(**given: Any) -> Settings:
    """The settings in force; `given` are arguments of a command, None meaning not given.

    Raises:
        SettingsError: a value is wrong or a name unknown, or the file named by LOOKSTREAM_CONFIG is not TOML.
    """
    named = os.environ.get("LOOKSTREAM_CONFIG")
    path = Path(named) if named else Path("lookstream.toml")
    if named and not path.is_file():
        raise SettingsError(f"LOOKSTREAM_CONFIG: got {named!r}, expected a TOML file")
    _no_secrets_in(path)
    _known_variables()
    Settings.config_file = path
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, e['loc']))}: got {_seen(e)}, {e['msg']}"
            for e in error.errors(include_url=False)
        ]
        raise SettingsError("settings: " + "; ".join(lines)) from None
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from None
    return settings.model_copy(update={"data_dir": settings.data_dir.expanduser().resolve()})


def _seen(error: Any) -> str:
    """What a setting was, where that may be said."""
    return "***" if SECRETS & set(error["loc"]) else repr(str(error["input"])[:60])


def erasure_key(settings: Settings) -> bytes:
    """The key for the markers of erased users: the setting, or one that this data directory keeps."""
    return _secret(settings.erasure_key, settings.data_dir / "erasure.key")


def gateway_secret(settings: Settings) -> bytes:
    """The secret that signs access tokens: the setting, or one that this data directory keeps."""
    return _secret(settings.gateway_secret, settings.data_dir / "gateway.key")


def _secret(given: SecretStr | None, path: Path) -> bytes:
    if given is not None:
        return given.get_secret_value().encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file():
        part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
        try:
            with contextlib.suppress(FileExistsError):  # another process was quicker: its key counts
                path.hardlink_to(part)
        finally:
            part.unlink()
    return path.read_bytes()


def _no_secrets_in(path: Path) -> None:
    if not path.is_file():
        return
    try:
        names = {name.lower() for name in tomllib.loads(path.read_text(encoding="utf-8"))}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: {error}") from None
    for secret in sorted(SECRETS & names):
        raise SettingsError(f"{path}: {secret} is a secret, expected in LOOKSTREAM_{secret.upper()} only")


def _known_variables() -> None:
    own = {"CONFIG"}  # how the file is named
    known = {name.upper() for name in Settings.model_fields} | own
    for variable in os.environ:
        name = variable.removeprefix("LOOKSTREAM_")
        if variable != name and name not in known and not name.startswith("TEST_"):
            raise SettingsError(f"{variable}: no such setting; there are {', '.join(sorted(known))}")
