"""What every process opens the same way: the vector store, the vision, Kafka clients' settings.

In: settings. Out: opened services. Fails with the service's own clear error.
"""

import ssl
from typing import Any

from models.pose_gate import gated
from models.vision import Vision, open_look_vision, open_vision
from models.visions import WHOLE_PHOTO, describe
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


def open_configured_vision(settings: Settings, *, with_gate: bool) -> Vision:
    """The vision that the settings name; the pose gate judges photos of products, not those of shoppers."""
    vision = open_vision(
        settings.vision, threads=settings.vision_threads, least_score=settings.detection_score
    )
    return gated(
        vision, settings.pose_gate if with_gate else "off", settings.pose_model, settings.pose_weights
    )


def open_configured_look_vision(settings: Settings, *, with_pose: bool = False) -> Vision:
    """The vision for shoppers' photos; it finds garments also where the catalogue is taken whole."""
    vision = open_look_vision(
        settings.vision, threads=settings.vision_threads, least_score=settings.detection_score
    )
    said = with_pose and settings.pose_gate != "off"
    return gated(vision, "annotate" if said else "off", settings.pose_model, settings.pose_weights)


def indexed_part(settings: Settings, part: str) -> str:
    """The part to look among for garments like one of that part: `whole` where photos are indexed whole."""
    return "whole" if describe(settings.vision).detector == WHOLE_PHOTO else part


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
