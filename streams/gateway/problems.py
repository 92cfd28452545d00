"""Problem details for HTTP (RFC 9457): every refusal says what was wrong, with what, and what was expected.

In: a `Problem` raised by a handler, or an error of the framework or the schemas. Out: an
application/problem+json answer.
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import pydantic_core
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from schemas.errors import SchemaError, shape

MEDIA_TYPE: Final = "application/problem+json"
_SENTENCE: Final = re.compile(
    r"field '(?P<field>.*?)': got (?P<got>.*), expected (?P<expected>.*)", re.DOTALL
)


class Problem(Exception):  # noqa: N818 (the RFC's name)
    """A request that is refused.

    Args:
        name: a short name that programs go by; the problem's type is /problems/NAME.
        more: further members of the answer (`field`, `got`, `expected`, `entry`).
    """

    def __init__(
        self,
        status: int,
        detail: str,
        name: str | None = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.name = status, detail, name
        self.headers, self.more = dict(headers or {}), more

    def response(self) -> Response:
        """The answer."""
        content = {
            "type": f"/problems/{self.name}" if self.name else "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.more,
        }
        headers = {"cache-control": "no-store"} | self.headers
        return Response(pydantic_core.to_json(content), self.status, headers, MEDIA_TYPE)


def invalid(error: SchemaError, entry: int | None = None) -> Problem:
    """The problem that an event's SchemaError is; `entry` is its place in the list that was sent."""
    said = _SENTENCE.fullmatch(error.problems[0])
    more: dict[str, Any] = said.groupdict() if said else {"field": error.field}
    place = "" if entry is None else f"entry {entry}: "
    if entry is not None:
        more["entry"] = entry
    return Problem(422, f"{place}{error}", "invalid-event", **more)


def wrong(field: str, got: Any, expected: str) -> Problem:
    """A field of a request that is not as it should be."""
    text = shape(got)
    detail = f"field '{field}': got {text}, expected {expected}"
    return Problem(422, detail, "invalid-request", field=field, got=text, expected=expected)


async def on_problem(_: Request, error: Exception) -> Response:
    """The answer to a Problem."""
    assert isinstance(error, Problem)
    return error.response()


async def on_schema_error(_: Request, error: Exception) -> Response:
    """The answer to a SchemaError outside a list."""
    assert isinstance(error, SchemaError)
    return invalid(error).response()


async def on_http_error(_: Request, error: Exception) -> Response:
    """The answer to the framework's own refusals: no such address, no such method."""
    assert isinstance(error, HTTPException)
    return Problem(error.status_code, str(error.detail), headers=error.headers or {}).response()


async def on_invalid_request(_: Request, error: Exception) -> Response:
    """The answer to parameters of the address or the query that are not as declared."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = [str(step) for step in first["loc"] if step not in ("query", "path", "body", "header")]
    expected = str(first["msg"]).removeprefix("Input should be ").removeprefix("Value error, ")
    field = ".".join(where) or "body"
    if first["type"] == "missing":
        return wrong(field, None, "a value").response()
    return wrong(field, first.get("input"), expected).response()


def unavailable(what: str, retry_after_s: int = 1) -> Problem:
    """Something behind the gateway does not answer; trying again later may help."""
    return Problem(503, what, "unavailable", {"retry-after": str(retry_after_s)})
