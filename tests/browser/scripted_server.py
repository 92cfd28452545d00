"""A server that says what a test tells it to, byte by byte, and remembers what it was asked."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PAGES = Path(__file__).parents[2] / "streams" / "gateway" / "pages"
END = None


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """A status, headers, and chunks that are sent one by one; those of `more` follow as a test puts them."""

    status: int = 200
    chunks: tuple[bytes, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    more: queue.Queue[bytes | None] | None = None

    def parts(self) -> Iterator[bytes]:
        """Everything to send, waiting for what is to come."""
        yield from self.chunks
        while self.more is not None and (chunk := self.more.get(timeout=60)) is not END:
            yield chunk


class ScriptedServer:
    """Serves an empty page, the module, and scripted answers in turn; a context manager.

    Stream requests are answered from `streams`, posts from `posts`; where a script has run out, 503.
    """

    def __init__(self) -> None:
        self.streams: queue.Queue[Answer] = queue.Queue()
        self.posts: queue.Queue[Answer] = queue.Queue()
        self.asked: list[Asked] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        script = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/":
                    self._send(Answer(200, (b"<!doctype html><title>test</title>",), HTML))
                elif self.path == "/lookstream.js":
                    self._send(Answer(200, ((PAGES / "lookstream.js").read_bytes(),), SCRIPT))
                elif self.path == "/favicon.ico":
                    self._send(Answer(204))
                else:
                    self._scripted(script.streams)

            def do_POST(self) -> None:
                self._scripted(script.posts)

            def _scripted(self, answers: queue.Queue[Answer]) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                script.asked.append(Asked(self.path, headers, body))
                try:
                    answer = answers.get_nowait()
                except queue.Empty:
                    answer = Answer(503)
                self._send(answer)

            def _send(self, answer: Answer) -> None:
                self.send_response(answer.status)
                for name, value in (*answer.headers, ("connection", "close")):
                    self.send_header(name, value)
                self.end_headers()
                for chunk in answer.parts():
                    self.wfile.write(chunk)
                    self.wfile.flush()

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


HTML = (("content-type", "text/html; charset=utf-8"),)
SCRIPT = (("content-type", "text/javascript; charset=utf-8"),)
STREAM = (("content-type", "text/event-stream"),)


def frame(revision: int, event: str = "recommendations.updated", **more: Any) -> bytes:
    """A set as the gateway sends it."""
    data = json.dumps({"revision": revision, "items": []} | more, ensure_ascii=False)
    return f"id: {revision}\nevent: {event}\ndata: {data}\n\n".encode()


def stream(*chunks: bytes, more: queue.Queue[bytes | None] | None = None) -> Answer:
    """An event stream that begins as the gateway's does."""
    return Answer(200, (b"retry: 1000\n\n", *chunks), STREAM, more)
