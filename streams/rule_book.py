"""The merchants' rules in force, as the compacted topic `rules` says them.

In: records of the topic, a `rule.set` each or a tombstone. Out: `Rules`. A record that is no rule leaves the
rule of that id as it was and is told to `refused`.
"""

from collections.abc import Callable

from models.taste.rules import Rule, Rules
from schemas import events
from schemas.errors import SchemaError
from schemas.recommendations import RuleSet
from streams.record import Record

Refused = Callable[[Record, Exception], None]


class RuleBook:
    """Rules by id, the newest record of each."""

    def __init__(self, refused: Refused = lambda record, error: None) -> None:
        self._rules: dict[str, Rule] = {}
        self._refused = refused
        self.current = Rules()

    def read(self, record: Record) -> None:
        """Take in a record of the topic."""
        rule_id = (record.key or b"").decode("utf-8", "replace")
        if record.value is None:
            self._rules.pop(rule_id, None)
        else:
            try:
                _, data = events.read(
                    events.RULES, record.headers, record.value, record.key, record.appended_at
                )
            except SchemaError as error:
                self._refused(record, error)
                return
            self._rules[rule_id] = _rule(data)
        self.current = Rules(dict(self._rules))


def _rule(data: RuleSet) -> Rule:
    return Rule(data.action, data.product_id, data.brand, data.category, data.factor, data.position)
