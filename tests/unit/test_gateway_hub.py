"""The hub: whatever the order of sets, hidings and reading, nothing older follows something newer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.gateway.hub import Current, Hub, TooManySubscribers, frame


def current(revision: int, *products: str, hidden: dict[str, str] | None = None) -> Current:
    return Current(
        revision, frame("set", str(revision).encode(), revision), frozenset(products), hidden or {}
    )


def sent(taken: bytes) -> list[str]:
    """The data of each event."""
    return [part.split("data: ")[1] for part in taken.decode().split("\n\n") if part]


def test_a_frame_is_an_event() -> None:
    assert frame("product.hidden", b"{}") == b"event: product.hidden\ndata: {}\n\n"
    assert frame("e", b"{}", 7) == b"id: 7\nevent: e\ndata: {}\n\n"


@given(
    st.lists(st.one_of(st.integers(1, 30), st.just("take")), max_size=40),
    st.one_of(st.none(), st.integers(0, 30)),
    st.one_of(st.none(), st.integers(1, 30)),
)
def test_revisions_only_grow(steps: list[int | str], after: int | None, held: int | None) -> None:
    hub = Hub()
    subscriber = hub.subscribe("alice", None if held is None else current(held, "p"), after)
    received: list[int] = []
    published = [held] if held is not None else []
    for step in steps:
        if step == "take":
            received += map(int, sent(subscriber.take()))
        else:
            assert isinstance(step, int)
            hub.publish("alice", current(step, "p"))
            published.append(step)
    received += map(int, sent(subscriber.take()))
    assert received == sorted(set(received))
    assert all(revision > (after or 0) for revision in received)
    newest = max(published, default=0)
    assert (received[-1] if received else (after or 0)) == max(newest, after or 0)


def test_only_the_newest_waits() -> None:
    hub = Hub()
    subscriber = hub.subscribe("alice", None, None)
    for revision in range(1, 1000):
        hub.publish("alice", current(revision, "p"))
    assert sent(subscriber.take()) == ["999"]
    assert subscriber.take() == b""


def test_a_product_is_hidden_from_those_who_are_shown_it() -> None:
    hub = Hub()
    alice, bella = hub.subscribe("alice", current(1, "p", "q"), 1), hub.subscribe("bella", current(1, "q"), 1)
    hub.hide("p", "removed")
    hub.hide("p", "removed")
    assert sent(alice.take()) == ['{"product_id": "p", "reason": "removed"}']
    assert bella.take() == b""
    hub.publish("alice", current(2, "r"))
    alice.take()
    hub.hide("q", "removed")
    assert alice.take() == b""
    assert sent(bella.take()) == ['{"product_id": "q", "reason": "removed"}']


def test_a_newer_set_makes_hidings_of_the_older_one_pointless() -> None:
    hub = Hub()
    subscriber = hub.subscribe("alice", current(1, "p"), 1)
    hub.hide("p", "removed")
    hub.publish("alice", current(2, "q"))
    assert sent(subscriber.take()) == ["2"]


def test_a_hiding_follows_the_set_that_it_is_about() -> None:
    hub = Hub()
    subscriber = hub.subscribe("alice", current(1, "p"), None)
    hub.hide("p", "removed")
    assert [text[0] for text in sent(subscriber.take())] == ["1", "{"]


def test_who_comes_back_learns_what_is_hidden_of_the_set_it_has() -> None:
    hub = Hub()
    again = hub.subscribe("alice", current(4, "q", hidden={"p": "blocked"}), 4)
    assert sent(again.take()) == ['{"product_id": "p", "reason": "blocked"}']
    new = hub.subscribe("alice", current(4, "q", hidden={"p": "blocked"}), None)
    assert sent(new.take()) == ["4"]


def test_recheck_hides_what_is_hidden_by_now() -> None:
    hub = Hub()
    subscriber = hub.subscribe("alice", current(1, "p", "q"), 1)
    hub.recheck("alice", current(1, "q", hidden={"p": "blocked"}))
    hub.recheck("alice", current(1, "q", hidden={"p": "blocked"}))
    hub.recheck("bella", current(1, "q"))
    assert sent(subscriber.take()) == ['{"product_id": "p", "reason": "blocked"}']


def test_after_an_erasure_revisions_may_begin_anew() -> None:
    hub = Hub()
    subscriber = hub.subscribe("alice", current(9, "p"), None)
    hub.erase("alice")
    assert sent(subscriber.take()) == ['{"user_id": "alice"}']
    hub.publish("alice", current(1, "p"))
    assert sent(subscriber.take()) == ["1"]


def test_who_is_gone_leaves_nothing() -> None:
    hub = Hub()
    subscriber = hub.subscribe("alice", current(1, "p"), None)
    hub.unsubscribe(subscriber)
    hub.unsubscribe(subscriber)
    assert (hub.count, hub.users(), hub.watched("alice")) == (0, [], False)
    hub.hide("p", "removed")
    assert hub.publish("alice", current(2, "p")) == 0


def test_there_is_a_limit_per_shopper_and_one_for_all() -> None:
    hub = Hub(per_shopper=2, in_all=3)
    hub.subscribe("alice", None, None)
    hub.subscribe("alice", None, None)
    with pytest.raises(TooManySubscribers) as raised:
        hub.subscribe("alice", None, None)
    assert raised.value.shopper
    hub.subscribe("bella", None, None)
    with pytest.raises(TooManySubscribers) as raised:
        hub.subscribe("cathy", None, None)
    assert not raised.value.shopper
    assert hub.users() == ["alice", "bella"]


def test_closing_ends_every_stream() -> None:
    hub = Hub()
    subscribers = [hub.subscribe(user_id, None, None) for user_id in ("alice", "bella")]
    hub.close()
    assert all(subscriber.closed and subscriber.wake.is_set() for subscriber in subscribers)
