"""check-rules: a rule that cannot be read becomes a dead letter, once.

In: records of `rules`. Out: nothing for rules and tombstones, SchemaError for the rest. Every worker reads
the rules themselves in a view of its own (`streams.rule_book`).
"""

from schemas import events
from streams.record import Record


class CheckRules:
    """The agent."""

    async def handle(self, record: Record) -> None:
        """Raise SchemaError where the record is no rule."""
        if record.value is not None:
            events.read(events.RULES, record.headers, record.value, record.key, record.appended_at)
