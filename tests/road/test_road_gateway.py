"""The gateway of a running shop: clicks in by HTTP, sets out as events, through restarts and slow readers."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from drawn_photos import Photos
from running_shop import RunningShop, child_with, somebody, until

from streams.gateway import answers
from streams.gateway.identity import open_tokens
from streams.settings import Settings

pytestmark = pytest.mark.broker
JSON = {"content-type": "application/json"}


class Front:
    """A front end of the shop."""

    def __init__(self, shop: RunningShop) -> None:
        self.address = urlsplit(str(shop.ready["gateway"]))
        self._tokens = open_tokens(Settings(data_dir=shop.data_dir))

    def token(self, user_id: str | None, *scopes: str) -> str:
        return self._tokens.signed(user_id, scopes or ("subscribe", "produce"), 600)[0]

    def ask(
        self, method: str, path: str, body: Any = None, token: str | None = None, **headers: str
    ) -> tuple[int, Any]:
        """Status and content, JSON parsed."""
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        given = (JSON if content is not None else {}) | {k.replace("_", "-"): v for k, v in headers.items()}
        if token is not None:
            given["authorization"] = f"Bearer {token}"
        connection = http.client.HTTPConnection(str(self.address.hostname), self.address.port, timeout=30)
        try:
            connection.request(method, path, content, given)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        kind = answer.headers.get("content-type", "")
        return answer.status, json.loads(data) if "json" in kind else data

    def act(self, user_id: str, product_id: str, kind: str = "product.viewed") -> str:
        """Post an interaction; returns its id once it is accepted."""
        entry = {"type": kind, "user_id": user_id, "product_id": product_id}
        status, found = self.ask("POST", "/v1/interactions", entry, self.token(user_id))
        assert status == 202, found
        return str(found["accepted"][0]["id"])

    def subscribe(self, user_id: str, last_event_id: int | None = None, receive_bytes: int = 0) -> Stream:
        return Stream(self.address, user_id, self.token(user_id), last_event_id, receive_bytes)


class Stream:
    """A subscriber on a socket of its own, which reads when told to."""

    def __init__(self, address: Any, user_id: str, token: str, after: int | None, receive_bytes: int) -> None:
        self._socket = socket.socket()
        if receive_bytes:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self._socket.connect((address.hostname, address.port))
        resumed = "" if after is None else f"Last-Event-ID: {after}\r\n"
        path = f"/v1/shoppers/{user_id}/recommendations/stream?access_token={token}"
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\n{resumed}\r\n".encode())
        self.received = b""

    def until(self, revision: int, seconds: float = 20.0) -> list[int]:
        """Revisions received, once this one is among them."""
        deadline_s = time.monotonic() + seconds
        while revision not in self.revisions():
            left_s = deadline_s - time.monotonic()
            assert left_s > 0, f"revision {revision} did not come, only {self.revisions()}"
            self._read(left_s)
        return self.revisions()

    def settle(self, seconds: float = 0.3) -> list[int]:
        """Revisions received, once nothing more comes for a while."""
        while self._read(seconds):
            pass
        return self.revisions()

    def revisions(self) -> list[int]:
        """Revisions of complete sets."""
        whole = self.received.decode(errors="replace").replace("\r\n", "\n").split("\n\n")[:-1]
        return [int(line[4:]) for frame in whole for line in frame.split("\n") if line.startswith("id: ")]

    def _read(self, seconds: float) -> bool:
        self._socket.settimeout(seconds)
        try:
            data = self._socket.recv(1 << 16)
        except TimeoutError:
            return False
        self.received += data
        return bool(data)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def front(shop: RunningShop) -> Front:
    return Front(shop)


def test_a_click_comes_back_as_a_set(shop: RunningShop, front: Front, photos: Photos) -> None:
    user = somebody("o'brien")
    stream = front.subscribe(user)
    event_id = front.act(user, photos.of("shorts")[0])
    answer = shop.observer.answer(event_id)
    assert stream.until(answer.revision)[-1] == answer.revision
    status, found = front.ask("GET", f"/v1/shoppers/{user}/recommendations", token=front.token(user))
    assert status == 200
    shown = answers.ShownSet.model_validate(found)
    assert event_id in shown.includes
    reasons = [item.because for item in shown.items if item.because]
    assert {because.product_id for because in reasons} == {photos.of("shorts")[0]}
    assert all(because.image and because.box_xyxy and because.photo for because in reasons)
    assert front.ask("GET", shown.items[0].image + "?w=160")[1][:3] == b"\xff\xd8\xff"  # type: ignore[operator]
    status, liked = front.ask("GET", f"/v1/shoppers/{user}/interests", token=front.token(user))
    assert answers.Interests.model_validate(liked).interests[0].exemplars[0].action == "product.viewed"
    stream.close()


def test_after_a_crash_of_the_gateway_nothing_older_comes(
    shop: RunningShop, front: Front, photos: Photos
) -> None:
    user, wanted = somebody(), photos.of("skirt")
    stream = front.subscribe(user)
    newest = shop.observer.answer(front.act(user, wanted[0])).revision
    stream.until(newest)
    pid = child_with(shop.process.pid, "streams.cli", "gateway")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    event_id = shop.act("product.viewed", user, wanted[1])  # while it is away
    newer = shop.observer.answer(event_id).revision

    def back() -> bool:
        try:
            return bool(front.ask("GET", "/readyz")[0] == 200)
        except OSError:
            return False

    until("the gateway is back where it was", back, 40.0)
    again = front.subscribe(user, last_event_id=newest)
    assert again.until(newer) == [newer]
    up_to_date = front.subscribe(user, last_event_id=newer)
    newest = shop.observer.answer(front.act(user, wanted[2])).revision
    assert up_to_date.until(newest) == [newest]
    assert again.until(newest) == [newer, newest]


def test_a_subscriber_that_does_not_read_slows_nobody(
    shop: RunningShop, front: Front, photos: Photos
) -> None:
    user = somebody()
    slow, quick = front.subscribe(user, receive_bytes=4096), front.subscribe(user)
    revisions = []
    for product in photos.drawn[:25]:
        revisions.append(shop.observer.answer(front.act(user, product.product_id)).revision)
        assert quick.until(revisions[-1])[-1] == revisions[-1]
    late = slow.until(revisions[-1])
    assert late == sorted(set(late))
    assert late[-1] == revisions[-1]
    assert len(late) < len(revisions), "what was overtaken was not kept for it"


def test_an_upload_enters_the_shop(shop: RunningShop, front: Front, photos: Photos) -> None:
    product_id, photo = somebody("product"), photos.bytes_of(3)
    link = "data:image/jpeg;base64," + base64.b64encode(photo).decode()
    entry = {"id": product_id, "image_link": link, "title": "Just uploaded"}
    status, _ = front.ask("POST", "/v1/products", entry, front.token(None, "produce"))
    assert status == 202
    product = until(
        "the product is shown",
        lambda: (found := front.ask("GET", f"/v1/products/{product_id}"))[0] == 200 and found[1],
    )
    assert front.ask("GET", product["image"])[1] == photo
    status, found = front.ask("GET", "/v1/products?limit=1")
    assert found["products"][0]["product_id"] == product_id
    status, looked = front.ask("POST", "/v1/look?k=5", photo, content_type="image/jpeg")
    assert status == 200
    seen = answers.Looked.model_validate(looked)
    whole = next(garment for garment in seen.garments if garment.part == "whole") if seen.garments else None
    found_ids = {item.product_id for garment in seen.garments for item in garment.similar}
    assert whole is None or whole.similar[0].score > 0.99
    assert {product_id, photos.drawn[3].product_id} & found_ids
    front.ask(
        "POST", "/v1/products", {"type": "product.removed", "id": product_id}, front.token(None, "produce")
    )
    until("it is gone again", lambda: front.ask("GET", f"/v1/products/{product_id}")[0] == 404)


def test_the_token_command_signs_what_the_gateway_takes(
    shop: RunningShop, front: Front, tmp_path: Path
) -> None:
    user = somebody()
    ran = shop.run("token", "--user", user, "--scope", "subscribe", "--for", "60")
    assert ran.returncode == 0, ran.stderr
    token = ran.stdout.strip()
    assert front.ask("GET", f"/v1/shoppers/{user}/recommendations", token=token)[0] == 404
    assert front.ask("GET", f"/v1/shoppers/{somebody()}/recommendations", token=token)[0] == 403
    assert shop.run("token", "--scope", "subscribe").returncode == 2


def test_its_metrics_are_on_the_one_page(shop: RunningShop, front: Front) -> None:
    stream = front.subscribe(somebody())
    until("a subscriber is counted", lambda: shop.measured("lookstream_gateway_subscribers") >= 1)
    stream.close()
    assert shop.measured("lookstream_ready", app="gateway") == 1
