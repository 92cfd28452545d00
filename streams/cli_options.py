"""What the commands share: options, examples in their help, and the settings that they run with.

In: what was typed and the environment. Out: option types for typer, `Settings`. Raises SettingsError.
"""

import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from streams.settings import Settings, SettingsError, load_settings

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Where everything is kept. Default: .lookstream")
]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
Kafka = Annotated[
    str | None, typer.Option("--kafka", help="host:port. Default: LOOKSTREAM_KAFKA, or the one of `up`.")
]
Rate = Annotated[float | None, typer.Option(min=0.001, help="At most so many events a second.")]


def example(*lines: str) -> str:
    """The end of a command's help."""
    return "Example:\n\n\b\n" + "\n".join(f"  {line}" for line in lines)


def settings_in_force(**given: Any) -> Settings:
    """The settings with these arguments of a command, and logging as they say."""
    settings = load_settings(**given)
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("kafka").setLevel("CRITICAL")  # what it says, the errors say in one line
    if settings.log_level == "INFO":
        for chatty in ("aiokafka", "faust", "mode", "httpx"):
            logging.getLogger(chatty).setLevel("WARNING")
    return settings


def client_settings(data_dir: Path | None, kafka: str | None) -> Settings:
    """Settings of a command that talks to Kafka: the named one, or the one that `up` runs."""
    settings = settings_in_force(data_dir=data_dir, kafka=kafka)
    if settings.kafka is not None:
        return settings
    port = settings.data_dir / "kafka" / "port"
    if not port.is_file():
        raise SettingsError(
            "kafka: got nothing, expected --kafka host:port, or a running `lookstream up` in "
            f"{settings.data_dir}"
        )
    return settings.model_copy(update={"kafka": f"127.0.0.1:{port.read_text().strip()}"})
