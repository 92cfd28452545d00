"""Merchants' rules: what is blocked, boosted or pinned, whatever the taste says. Pure.

In: rules by id. Out: answers about a candidate's payload. A rule names a product, a brand or a category (each
that it names must match); names are compared without case.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; `factor` is for boosts, `position` (1-based) for pins."""

    action: str
    product_id: str | None = None
    brand: str | None = None
    category: str | None = None
    factor: float = 1.0
    position: int | None = None

    def matches(self, product_id: str, payload: Mapping[str, Any]) -> bool:
        """Whether it speaks of this garment; a rule that names nothing speaks of none."""
        wanted = (
            (self.product_id, (product_id,)),
            (self.brand, (payload.get("brand"),)),
            (self.category, (payload.get("category"), payload.get("product_category"))),
        )
        named = [(want, have) for want, have in wanted if want is not None]
        return bool(named) and all(
            any(value is not None and str(value).casefold() == want.casefold() for value in have)
            for want, have in named
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules in force, by id."""

    by_id: Mapping[str, Rule] = field(default_factory=dict)
    _by_action: Mapping[str, list[tuple[str, Rule]]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_action: dict[str, list[tuple[str, Rule]]] = {}
        for rule_id in sorted(self.by_id):
            by_action.setdefault(self.by_id[rule_id].action, []).append((rule_id, self.by_id[rule_id]))
        object.__setattr__(self, "_by_action", by_action)  # asked for every candidate of every set

    def _of(self, action: str) -> Sequence[tuple[str, Rule]]:
        return self._by_action.get(action, ())

    def blocks(self, product_id: str, payload: Mapping[str, Any]) -> bool:
        """Whether a garment must not be shown."""
        return any(rule.matches(product_id, payload) for _, rule in self._of("block"))

    def factor(self, product_id: str, payload: Mapping[str, Any]) -> float:
        """What a garment's score is multiplied by."""
        product = 1.0
        for _, rule in self._of("boost"):
            if rule.matches(product_id, payload):
                product *= rule.factor
        return product

    def pins(self) -> list[tuple[int, Rule]]:
        """(position, rule) of the pins, by position, then id; without a position it is the first place."""
        return [
            (rule.position or 1, rule)
            for _, rule in sorted(self._of("pin"), key=lambda r: (r[1].position or 1, r[0]))
        ]
