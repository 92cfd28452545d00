"""What every process opens the same way: the vector store, Kafka clients' settings, addresses.

In: settings. Out: opened services. Fails with the service's own clear error.
"""

import ssl
from typing import Any

from models.visions import describe
from streams.settings import Settings
from vectorstore.base import VectorStore
from vectorstore.open import open_store
from vectorstore.paths import socket_path


async def open_configured_store(settings: Settings) -> VectorStore:
    """The vector store that the settings name: a Qdrant server, or the embedded owner's socket."""
    known = describe(settings.vision)
    return await open_store(
        url=settings.qdrant,
        api_key=settings.qdrant_api_key.get_secret_value() if settings.qdrant_api_key else None,
        socket_path=None if settings.qdrant else socket_path(settings.data_dir),
        model=known.embedder,
        dim=known.dim,
    )


def aiokafka_config(settings: Settings) -> dict[str, Any]:
    """Keyword arguments for aiokafka clients."""
    config: dict[str, Any] = {
        "bootstrap_servers": settings.kafka,
        "security_protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_security_protocol.endswith("SSL"):
        config["ssl_context"] = ssl.create_default_context(cafile=settings.kafka_ca_file)
    if settings.kafka_security_protocol.startswith("SASL"):
        password = settings.kafka_password
        config |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": password.get_secret_value() if password else None,
        }
    return config
