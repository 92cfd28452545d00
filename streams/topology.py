"""The topology as data. READ THIS FIRST: which agent reads what, keeps what and writes what.

From these records the apps are built, the topics created, the diagram drawn and the AsyncAPI document
generated; a test compares the running apps with them.
"""

from dataclasses import dataclass
from typing import Final

from schemas import events

MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of the wire contract.

    Attributes:
        key: what its records are keyed by, in words.
        types: event types it carries; empty for packed or internal records.
        compact: keeps the newest record per key instead of all for a time.
        direction: "in" (producers write it), "out" (frontends read it) or "internal".
    """

    name: str
    key: str
    types: tuple[str, ...]
    about: str
    direction: str = "internal"
    compact: bool = False
    max_message_bytes: int = 2 * MEGABYTE


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent: the topics it reads, the table it keeps, what else it asks, the topics it writes.

    `group` is False for one that reads all partitions itself, without the app's consumer group.
    """

    name: str
    app: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    about: str
    table: str | None = None
    asks: tuple[str, ...] = ()
    group: bool = True


TOPICS: Final[tuple[Topic, ...]] = (
    Topic(
        "product-events",
        "product id",
        tuple(events.PRODUCT_EVENTS),
        "What a catalogue publishes.",
        direction="in",
        max_message_bytes=24 * MEGABYTE,
    ),
    Topic("interactions", "user id", tuple(events.INTERACTIONS), "What shoppers do.", direction="in"),
    Topic(
        "garments",
        "product id",
        tuple(events.GARMENT_EVENTS),
        "What was found in a product's photos and is searchable.",
        direction="out",
    ),
    Topic("waiting", "product id", (), "Interactions with products that are not indexed yet."),
    Topic("taste-requests", "user id", tuple(events.TASTE_REQUESTS), "Requests to renew a shopper's set."),
    Topic(
        "tastes",
        "user id",
        ("taste.updated", "taste.erased"),
        "Tastes, packed, with what they answer.",
        compact=True,
    ),
    Topic("trending", "part", ("trending.updated",), "Decayed popularity, per partition.", compact=True),
    Topic(
        "recommendations",
        "user id",
        tuple(events.RECOMMENDATIONS),
        "The shoppers' sets.",
        direction="out",
        compact=True,
    ),
    Topic("rules", "rule id", tuple(events.RULES), "Merchants' rules.", direction="in", compact=True),
    Topic(
        "dead-letters",
        "original key",
        (),
        "What could not be processed: the original bytes and headers, and the reason in "
        "`__connect.errors.*` headers.",
        direction="out",
        max_message_bytes=25 * MEGABYTE,
    ),
)

AGENTS: Final[tuple[Agent, ...]] = (
    Agent(
        "index-garments",
        "catalogue",
        ("product-events",),
        ("garments", "dead-letters"),
        "photo → garments → index",
        asks=("media", "vision", "garments index"),
    ),
    Agent(
        "update-tastes",
        "shopper",
        ("interactions", "taste-requests"),
        ("tastes", "waiting", "trending", "taste-requests", "interactions", "dead-letters"),
        "interaction → taste; the only writer of tastes and revisions",
        table="tastes",
        asks=("garments index",),
    ),
    Agent(
        "recommend",
        "shopper",
        ("tastes",),
        ("recommendations", "dead-letters"),
        "taste → set with reasons; the only writer of sets",
        asks=("garments index", "trending", "rules"),
    ),
    Agent(
        "index-tastes",
        "shopper",
        ("tastes",),
        ("dead-letters",),
        "taste → centroids of its interests in the index",
        asks=("tastes index",),
    ),
    Agent(
        "match-arrivals",
        "shopper",
        ("garments",),
        ("taste-requests", "dead-letters"),
        "new garment → shoppers whose set it would enter",
        asks=("garments index", "tastes index", "recommendations", "rules"),
    ),
    Agent(
        "retract",
        "shopper",
        ("garments", "rules", "recommendations"),
        ("taste-requests",),
        "product gone → shoppers whose set holds it; reads without a group",
        asks=("garments index",),
        group=False,
    ),
    Agent("check-rules", "shopper", ("rules",), ("dead-letters",), "rules that are none become dead letters"),
    Agent(
        "wait-for-garments",
        "shopper",
        ("waiting", "garments"),
        ("interactions", "dead-letters"),
        "parks interactions until their product is indexed",
        table="waiting",
        asks=("garments index",),
    ),
)

_BY_NAME: Final = {topic.name: topic for topic in TOPICS}
APPS: Final[tuple[str, ...]] = tuple(dict.fromkeys(agent.app for agent in AGENTS))


def topic(name: str) -> Topic:
    """The topic of that name; raises KeyError."""
    return _BY_NAME[name]


def app_id(app: str) -> str:
    """The Faust app's id, which is its consumer group."""
    return f"lookstream-{app}"


def changelog(app: str, table: str) -> str:
    """The name that Faust gives a table's changelog topic."""
    return f"{app_id(app)}-{table}-changelog"


def tables(app: str) -> tuple[str, ...]:
    """The tables of an app."""
    return tuple(agent.table for agent in AGENTS if agent.app == app and agent.table)
