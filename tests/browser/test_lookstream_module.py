"""lookstream.js in a real browser against a server that says exactly what a test tells it to."""

from __future__ import annotations

import json
import queue
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import Reader
from playwright.sync_api import Browser, Page
from running_shop import until
from scripted_server import PAGES, STREAM, Answer, ScriptedServer, frame, stream

pytestmark = pytest.mark.browser

LIMIT_BYTES = 3000
GUIDE = Path(__file__).parents[2] / "docs" / "frontend.md"

# Time is the test's: pauses are noted and over at once, but for the one that ends a silent connection.
PREPARE = """async () => {
  const { subscribe, send } = await import("/lookstream.js");
  const later = window.setTimeout.bind(window);
  window.pauses = []; window.silences = [];
  window.setTimeout = (run, ms) => {
    if (ms === 45000) return -window.silences.push(run);
    window.pauses.push(ms);
    return later(run, 0);
  };
  window.clearTimeout = (id) => { window.silences[-id - 1] = null; };
  Math.random = () => 1;
  window.got = { sets: [], hidden: [], errors: [], opened: 0, renewals: [] };
  window.start = (token) => (window.link = subscribe({
    userId: "ali ce/ß", token,
    onSet: (set) => got.sets.push(set), onHidden: (told) => got.hidden.push(told),
    onOpen: () => got.opened++,
    onError: ({ status, final, message }) => got.errors.push({ status, final, message }),
  }));
  window.renewing = async (renew) => { got.renewals.push(Boolean(renew)); return renew ? "new" : "old"; };
  window.send = send;
}"""


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: ScriptedServer) -> Iterator[Page]:
    reader = Reader(browser, server.origin)
    opened = reader.open()
    opened.evaluate(PREPARE)
    yield opened
    reader.context.close()


def test_the_guides_example_works(browser: Browser, server: ScriptedServer) -> None:
    [example] = re.findall(r"```html\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.S)
    here = example.replace("https://gateway.example", server.origin)
    reader = Reader(browser, server.origin)
    page = reader.context.new_page()
    body = '<!doctype html><p data-sku="sku-1">one</p><script>render = (items) => (shown = items)</script>'
    page.route("**/shop", lambda route: route.fulfill(body=body + here, content_type="text/html"))
    page.route("**/session/lookstream-token", lambda route: route.fulfill(body="signed"))
    server.streams.put(stream(frame(1, items=[{"product_id": "sku-1"}]), more=queue.Queue()))
    server.posts.put(Answer(202, (b'{"accepted": []}',)))
    page.goto(f"{server.origin}/shop")
    page.wait_for_function("window.shown?.length === 1")
    with page.expect_response("**/v1/interactions"):  # what is routed is answered only while this waits
        page.click("[data-sku]")
    [sent] = until("an interaction", lambda: [one for one in server.asked if one.body])
    [event] = json.loads(sent.body)
    assert event.items() >= {"type": "product.viewed", "user_id": "alice", "product_id": "sku-1"}.items()
    assert sent.headers["authorization"] == "Bearer signed"
    reader.context.close()


@pytest.fixture
def got(page: Page) -> Callable[[], dict[str, Any]]:
    return lambda: page.evaluate("got")


def revisions(told: dict[str, Any]) -> list[int]:
    return [one["revision"] for one in told["sets"]]


def test_it_is_small_enough_and_depends_on_nothing() -> None:
    source = (PAGES / "lookstream.js").read_bytes()
    assert len(source) <= LIMIT_BYTES
    assert b"import" not in source


def test_sets_come_with_the_token_in_a_header(page: Page, server: ScriptedServer, got: Any) -> None:
    server.streams.put(stream(frame(3), more=queue.Queue()))
    page.evaluate("start('secret')")
    page.wait_for_function("got.sets.length === 1")
    [asked] = server.asked
    assert asked.path == "/v1/shoppers/ali%20ce%2F%C3%9F/recommendations/stream"
    assert asked.headers["authorization"] == "Bearer secret"
    assert got()["opened"] == 1


def test_after_an_interruption_it_asks_for_what_is_newer(
    page: Page, server: ScriptedServer, got: Any
) -> None:
    server.streams.put(stream(frame(5)))
    server.streams.put(stream(frame(7), more=queue.Queue()))
    page.evaluate("start('t')")
    page.wait_for_function("got.sets.length === 2")
    assert revisions(got()) == [5, 7]
    assert [asked.headers["last-event-id"] for asked in server.asked] == ["0", "5"]


def test_what_is_not_newer_is_dropped(page: Page, server: ScriptedServer, got: Any) -> None:
    server.streams.put(stream(frame(3), frame(3), frame(2), frame(4)))
    server.streams.put(stream(frame(4), frame(1), frame(6), more=queue.Queue()))
    page.evaluate("start('t')")
    page.wait_for_function("got.sets.some((set) => set.revision === 6)")
    assert revisions(got()) == [3, 4, 6]


# The network joins chunks as it likes; here every byte is one.
BYTE_BY_BYTE = """(bytes) => {
  const body = () => new ReadableStream({
    start: (stream) => bytes.forEach((byte) => stream.enqueue(new Uint8Array([byte]))),
  });
  window.fetch = async () => new Response(body());
  start("t");
}"""


def test_chunks_may_end_anywhere(page: Page, got: Any) -> None:
    title = "Größe 👗 \u2028: data: 1"
    told = b": a comment\r\n\r\n" + frame(1, title=title).replace(b"\n", b"\r\n") + frame(2, title=title)
    page.evaluate(BYTE_BY_BYTE, list(told))
    page.wait_for_function("got.sets.length === 2")
    assert [one["title"] for one in got()["sets"]] == [title, title]


def test_products_that_are_gone_are_told(page: Page, server: ScriptedServer, got: Any) -> None:
    gone = b'event: product.hidden\ndata: {"product_id": "sku-1", "reason": "removed"}\n\n'
    erased = b'event: shopper.erased\ndata: {"user_id": "a", "revision": 9}\n\n'
    heartbeat = b":\n\n"
    server.streams.put(stream(frame(1), gone, heartbeat, erased, heartbeat, frame(2), more=queue.Queue()))
    page.evaluate("start('t')")
    page.wait_for_function("got.sets.length === 2")
    assert got()["hidden"] == [{"product_id": "sku-1", "reason": "removed"}]
    assert revisions(got()) == [1, 2]


def test_it_waits_longer_and_longer_and_no_longer_than_half_a_minute(
    page: Page, server: ScriptedServer, got: Any
) -> None:
    for _ in range(8):
        server.streams.put(Answer(503))
    server.streams.put(stream(frame(1)))
    server.streams.put(stream(frame(2), more=queue.Queue()))
    page.evaluate("start('t')")
    page.wait_for_function("got.sets.length === 2")
    assert page.evaluate("pauses") == [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000, 1000]
    assert [error["status"] for error in got()["errors"][:8]] == [503] * 8


def test_it_waits_as_long_as_it_is_told_to(page: Page, server: ScriptedServer) -> None:
    server.streams.put(Answer(429, headers=(("retry-after", "7"),)))
    server.streams.put(stream(frame(1), more=queue.Queue()))
    page.evaluate("start('t')")
    page.wait_for_function("got.sets.length === 1")
    assert page.evaluate("pauses") == [7000]


def test_a_refused_token_is_renewed_once(page: Page, server: ScriptedServer, got: Any) -> None:
    server.streams.put(Answer(401))
    server.streams.put(stream(frame(1), more=queue.Queue()))
    page.evaluate("start(renewing)")
    page.wait_for_function("got.sets.length === 1")
    assert [asked.headers["authorization"] for asked in server.asked] == ["Bearer old", "Bearer new"]
    assert got()["renewals"] == [False, True]
    assert got()["errors"] == []


@pytest.mark.parametrize(
    ("token", "status", "asked"), [("renewing", 401, 2), ("'t'", 401, 1), ("'t'", 403, 1)]
)
def test_a_refusal_is_final(
    page: Page, server: ScriptedServer, got: Any, token: str, status: int, asked: int
) -> None:
    for _ in range(asked):
        server.streams.put(Answer(status, (b'{"detail": "no"}',)))
    page.evaluate(f"start({token})")
    page.wait_for_function("got.errors.length === 1")
    assert got()["errors"] == [{"status": status, "final": True, "message": '{"detail": "no"}'}]
    assert page.evaluate("pauses") == []
    assert len(server.asked) == asked


def test_a_silent_connection_is_given_up(page: Page, server: ScriptedServer, got: Any) -> None:
    server.streams.put(stream(frame(1), more=queue.Queue()))
    server.streams.put(stream(frame(2), more=queue.Queue()))
    page.evaluate("start('t')")
    page.wait_for_function("got.sets.length === 1 && silences.length > 1")
    assert page.evaluate("silences.filter(Boolean).length") == 1  # the others were not silent for so long
    page.evaluate("silences.at(-1)()")
    page.wait_for_function("got.sets.length === 2")
    assert server.asked[1].headers["last-event-id"] == "1"


def test_closed_it_asks_no_more(page: Page, server: ScriptedServer, got: Any) -> None:
    held: queue.Queue[bytes | None] = queue.Queue()
    server.streams.put(stream(frame(1), more=held))
    page.evaluate("start('t')")
    page.wait_for_function("got.sets.length === 1")
    page.evaluate("link.close()")
    page.wait_for_function("pauses.length === 1")  # the pause after which it would have come back
    page.evaluate("new Promise(requestAnimationFrame)")
    assert len(server.asked) == 1
    assert got()["errors"] == []


def test_what_is_sent_is_tried_again_under_the_same_ids(page: Page, server: ScriptedServer) -> None:
    server.posts.put(Answer(503))
    server.posts.put(Answer(202, (b'{"accepted": [{"id": "x"}]}',), STREAM))
    told = page.evaluate(
        "send({ token: 't', events: [{ type: 'a' }, { type: 'b', id: 'mine' }] }).catch(String)"
    )
    assert told == {"accepted": [{"id": "x"}]}
    bodies = [json.loads(asked.body) for asked in server.asked]
    assert bodies[0] == bodies[1]
    first, second = bodies[0]
    assert first["id"]
    assert first["id"] != second["id"] == "mine"
    assert {asked.path for asked in server.asked} == {"/v1/interactions"}


def test_what_is_wrong_is_not_tried_again(page: Page, server: ScriptedServer) -> None:
    server.posts.put(Answer(422, (b'{"field": "user_id"}',)))
    told = page.evaluate(
        "send({ token: 't', events: [{}] }).catch(({ status, message }) => [status, message])"
    )
    assert told == [422, '{"field": "user_id"}']
    assert len(server.asked) == 1


def test_sending_gives_up_after_six_times(page: Page, server: ScriptedServer) -> None:
    assert page.evaluate("send({ token: 't', events: [{}] }).catch(({ status }) => status)") == 503
    until("six requests", lambda: len(server.asked) == 6)
    assert len(page.evaluate("pauses")) == 5
