"""The contract as documents: a JSON Schema per event type, and how every document is written. Pure.

In: the event types of `schemas.events`. Out: JSON objects; `as_text` writes them the same way each time.
"""

import json
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from schemas import events
from schemas.base import Record
from schemas.examples import EXAMPLES

Json = dict[str, Any]

EVENT_TYPES: Final[dict[str, type[Record]]] = {
    **events.PRODUCT_EVENTS,
    **events.INTERACTIONS,
    **events.GARMENT_EVENTS,
    **events.TASTE_REQUESTS,
    **events.RECOMMENDATIONS,
    **events.RULES,
}
JSON_SCHEMA: Final = "https://json-schema.org/draft/2020-12/schema"


class PlainFields(GenerateJsonSchema):
    """No title on every field, which would say its name again; no null as the default of what is not said.

    In `product.updated` a null clears a field, and no field leaves it as it was.
    """

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)


def as_text(document: Json) -> str:
    """The document as it is committed: sorted, two spaces, a newline at the end."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def json_schemas() -> dict[str, Json]:
    """The JSON Schema (2020-12) of the data of every event type."""
    return {name: _json_schema(name, model) for name, model in EVENT_TYPES.items()}


def _json_schema(event_type: str, model: type[Record]) -> Json:
    return model.model_json_schema(schema_generator=PlainFields) | {
        "$schema": JSON_SCHEMA,
        "$id": f"urn:lookstream:event:{event_type}",
        "title": event_type,
        "examples": [EXAMPLES[event_type]],
    }
