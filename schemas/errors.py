"""SchemaError: what was wrong with an event, in words its producer can act on.

In: anything that failed validation. Out: one line naming the field, the value's shape (never a long
value itself: it may be a photo or somebody's secret) and what was expected.
"""

from typing import Any, Final

from pydantic import ValidationError

# pydantic's messages are sentences; ours go on after "expected".
_BEGINNINGS: Final = {
    "Input should be ": "",
    "Input should have ": "a value with ",
    "Value error, ": "",
    "String should have ": "a string of ",
    "String should match ": "a string that matches ",
    "List should have ": "a list of ",
}


class SchemaError(ValueError):
    """An event does not fit its contract.

    Attributes:
        field: dotted path of the first offending field ("price.value", "ce_type").
        problems: every problem found, one line each.
    """

    def __init__(
        self, field: str, got: str, expected: str, where: str = "", more: tuple[str, ...] = ()
    ) -> None:
        self.field = field
        self.problems = (f"field '{field}': got {got}, expected {expected}", *more)
        prefix = f"{where}: " if where else ""
        super().__init__(prefix + "; ".join(self.problems))


def shape(value: Any) -> str:
    """The shape of a value in words: its type and size, and the value itself when it is short.

    >>> shape("abc"), shape([1, 2]), shape(None), shape({"a": 1})
    ("string 'abc'", 'list of 2', 'null', "object with 'a'")
    """
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() | float():
            text = repr(value)
            return f"number {text}" if len(text) <= 24 else f"number of {len(text)} digits"
        case str():
            return f"string {value!r}" if len(value) <= 40 else f"string of {len(value)} characters"
        case bytes():
            return f"{len(value)} bytes"
        case list() | tuple():
            return f"list of {len(value)}"
        case dict():
            keys = ", ".join(repr(str(key)[:24]) for key in list(value)[:5])
            return f"object with {keys}{', …' if len(value) > 5 else ''}" if value else "empty object"
        case _:
            return type(value).__name__


def from_validation_error(error: ValidationError, where: str) -> SchemaError:
    """The SchemaError that says what pydantic found."""
    lines: list[tuple[str, str, str]] = []
    for problem in error.errors(include_url=False, include_context=False)[:5]:
        field = ".".join(str(step) for step in problem["loc"]) or "data"
        got = "nothing" if problem["type"] == "missing" else shape(problem["input"])
        lines.append((field, got, _expected(problem["type"], problem["msg"])))
    more = tuple(f"field '{field}': got {got}, expected {expected}" for field, got, expected in lines[1:])
    return SchemaError(*lines[0], where=where, more=more)


def _expected(kind: str, message: str) -> str:
    match kind:
        case "missing":
            return "a value"
        case "model_type":
            return "a JSON object"
    for beginning, rest in _BEGINNINGS.items():
        if message.startswith(beginning):
            return rest + message.removeprefix(beginning)
    return message
