"""What the embedded store's owner does for each operation of the wire.

In: an operation's name and its arguments as msgpack gave them. Out: a result that msgpack takes.
What can fail: arguments that are not this protocol's or do not pass the checks (`InvalidRequest`); anything
else is the engine's failure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from vectorstore import checks, wire
from vectorstore.base import GarmentFilter, GarmentQuery, InvalidRequest, ModelMismatch, TastePoint
from vectorstore.engine import Engine
from vectorstore.payloads import text

Arguments = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Operation:
    read: Callable[[Arguments, int], tuple[Any, ...]]  # (arguments, dim) -> checked arguments
    act: Callable[..., Any]  # (engine, *checked arguments) -> result
    is_work: bool = True  # whether the owner counts as busy for it


def perform(engine: Engine, operation: str, arguments: Arguments) -> Any:
    """The result of an operation, ready for msgpack."""
    known = _OPERATIONS.get(operation)
    if known is None:
        raise InvalidRequest(f"unknown operation {operation[:60]!r}")
    try:
        checked = known.read(arguments, engine.dim)
    except InvalidRequest:
        raise
    except Exception as error:
        raise InvalidRequest(f"{operation}: malformed arguments, {type(error).__name__}: {error}") from None
    return known.act(engine, *checked)


def is_work(operation: str) -> bool:
    """False for what merely asks how the store is: a monitor must not keep it from its maintenance."""
    known = _OPERATIONS.get(operation)
    return known is not None and known.is_work


def _read_hello(arguments: Arguments, dim: int) -> tuple[Any, ...]:
    if arguments["protocol"] != wire.PROTOCOL:
        raise InvalidRequest(f"protocol {arguments['protocol']!r}, expected {wire.PROTOCOL}")
    return arguments["model"], arguments["dim"]


def _hello(engine: Engine, model: str, dim: int) -> None:
    if (model, dim) != (engine.model, engine.dim):
        raise ModelMismatch(
            f"the vector store holds embeddings of {engine.model!r} with {engine.dim} dimensions, "
            f"expected {model!r} with {dim}"
        )


def _read_replace(arguments: Arguments, dim: int) -> tuple[Any, ...]:
    product_id = arguments["product_id"]
    return product_id, checks.garments(product_id, wire.unpack_garments(arguments["garments"], dim), dim)


def _read_query(arguments: Arguments, dim: int) -> tuple[Any, ...]:
    queries = [wire.unpack_query(packed, dim) for packed in arguments["queries"]]
    return [checks.garment_query(query, dim) for query in queries], bool(arguments["with_embeddings"])


def _query(engine: Engine, queries: list[GarmentQuery], with_embeddings: bool) -> Any:
    return [wire.pack_hits(engine.query(query, with_embeddings)) for query in queries]


def _read_newest(arguments: Arguments, dim: int) -> tuple[Any, ...]:
    wanted = GarmentFilter(**wire.unpack_filter(arguments["filter"]))
    checks.garment_filter(wanted)
    return checks.count_wanted(arguments["k"]), wanted


def _read_update(arguments: Arguments, dim: int) -> tuple[Any, ...]:
    product_id = arguments["product_id"]
    return product_id, checks.changes(product_id, arguments["changes"])


def _read_nearest(arguments: Arguments, dim: int) -> tuple[Any, ...]:
    embedding = checks.embedding(wire.embedding_of(arguments["embedding"], dim), dim, "query")
    parts = arguments["parts"]
    allowed = None if parts is None else frozenset(checks.texts(parts, "parts"))
    checks.narrowing(allowed, "parts")
    return embedding, checks.count_wanted(arguments["k"]), allowed


def _read_products(arguments: Arguments, dim: int) -> tuple[Any, ...]:
    return (checks.texts(arguments["product_ids"], "product_ids"),)


def _read_tastes(arguments: Arguments, dim: int) -> tuple[Any, ...]:
    tastes: dict[str, list[TastePoint]] = {user_id: [] for user_id in arguments["user_ids"]}
    for point in wire.unpack_tastes(arguments["tastes"], dim):
        tastes[point.user_id].append(point)
    return (checks.tastes(tastes, dim),)


def _nothing(arguments: Arguments, dim: int) -> tuple[Any, ...]:
    return ()


_OPERATIONS: Final[dict[str, _Operation]] = {
    "hello": _Operation(_read_hello, _hello, is_work=False),
    "replace_product": _Operation(_read_replace, Engine.replace_product),
    "fetch_products": _Operation(
        _read_products, lambda engine, ids: wire.pack_garments(engine.fetch_products(ids))
    ),
    "query": _Operation(_read_query, _query),
    "newest": _Operation(_read_newest, lambda engine, k, wanted: wire.pack_hits(engine.newest(k, wanted))),
    "update_payload": _Operation(_read_update, Engine.update_payload),
    "delete_product": _Operation(
        lambda arguments, dim: (text(arguments["product_id"], "product_id"),), Engine.delete_product
    ),
    "count": _Operation(_nothing, Engine.count, is_work=False),
    "get_records": _Operation(_read_products, Engine.get_records),
    "put_records": _Operation(
        lambda arguments, dim: (checks.records(arguments["records"]),), Engine.put_records
    ),
    "replace_tastes": _Operation(_read_tastes, Engine.replace_tastes),
    "nearest_tastes": _Operation(
        _read_nearest,
        lambda engine, *asked: wire.pack_taste_hits(engine.nearest_tastes(*asked)),
    ),
    "delete_tastes": _Operation(
        lambda arguments, dim: (text(arguments["user_id"], "user_id"),), Engine.delete_tastes
    ),
    "info": _Operation(_nothing, lambda engine: asdict(engine.info()), is_work=False),
}
