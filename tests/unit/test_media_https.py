"""Photos by https from a real TLS server: bounded in time and size, no redirects, no surprises."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from streams.media import MediaError, MediaLimits, MediaResolver, MediaUnavailable, Transport

HOST = "photos.example"
# A certificate for photos.example, valid to 2120, signed by itself, with the private key 7 (of P-256).
CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIBcDCCARagAwIBAgIBATAKBggqhkjOPQQDAjAZMRcwFQYDVQQDDA5waG90b3Mu
ZXhhbXBsZTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowGTEXMBUG
A1UEAwwOcGhvdG9zLmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASO
UztvoL97RiW7MGZ8Aftgfvn4uKgP71swBihwMYeyo3PrHb3gMxg2bQafg6b1kABT
xzYzywQbIcVeGobB9AC0o00wSzAZBgNVHREEEjAQgg5waG90b3MuZXhhbXBsZTAP
BgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBTM0rPq9ZCIabCh6sg9bYlZhjGbzTAK
BggqhkjOPQQDAgNIADBFAiBxE1PlrioTG3ieYLR4r0bod1uT15W7300UroaLBxCc
IQIhANpEi0m8jh5TWn0yVI2UQF4XOEhXymxQ+RAT35UuC7vK
-----END CERTIFICATE-----
"""
KEY_DER = (
    bytes.fromhex("30310201010420") + (7).to_bytes(32, "big") + bytes.fromhex("a00a06082a8648ce3d030107")
)
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class FixedResolver(AbstractResolver):
    """A DNS in which every name leads to the given addresses, one more of them with each lookup."""

    def __init__(self, *addresses: str) -> None:
        self.answers = list(addresses)
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        address = self.answers[min(len(self.asked), len(self.answers)) - 1]
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=0)]

    async def close(self) -> None: ...


def server_context(folder: Path) -> ssl.SSLContext:
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_text(CERTIFICATE)
    label = "EC PRIVATE KEY-----\n"
    files[1].write_text(f"-----BEGIN {label}{base64.encodebytes(KEY_DER).decode()}-----END {label}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return context


class Shop:
    """A TLS server on a loopback port that answers as told, and the resolvers that may reach it."""

    def __init__(self, folder: Path, handler: Handler, limits: MediaLimits) -> None:
        self.requests: list[web.BaseRequest] = []
        self._folder, self._handler, self._limits = folder, handler, limits
        self._port = 0

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        return await self._handler(request)

    @asynccontextmanager
    async def resolver(self, *, trusting: bool = True) -> AsyncIterator[MediaResolver]:
        runner = web.ServerRunner(web.Server(self._handle))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_context(self._folder))
        await site.start()
        self._port = runner.addresses[0][1]
        trusted = ssl.create_default_context(cadata=CERTIFICATE) if trusting else None
        transport = Transport(
            self._port, FixedResolver("127.0.0.1"), trusted, lambda address: address == "127.0.0.1"
        )
        media = MediaResolver(None, self._folder, frozenset({HOST.upper()}), self._limits, transport)
        try:
            yield media
        finally:
            await media.aclose()
            await runner.cleanup()


def fetch_from(
    folder: Path,
    handler: Handler,
    link: str = f"https://{HOST}/x.jpg?sign=SECRET",
    limits: MediaLimits | None = None,
) -> tuple[bytes, list[web.BaseRequest]]:
    shop = Shop(folder, handler, limits or MediaLimits())

    async def run() -> bytes:
        async with shop.resolver() as media:
            return await media.fetch(link)

    return asyncio.run(run()), shop.requests


def answering(status: int = 200, body: bytes = b"photo", headers: dict[str, str] | None = None) -> Handler:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers=headers)

    return handler


def test_a_photo_of_an_allowed_host(tmp_path: Path) -> None:
    data, [request] = fetch_from(tmp_path, answering(body=b"photo", headers={"Content-Type": "text/html"}))
    assert data == b"photo"
    assert request.path_qs == "/x.jpg?sign=SECRET"
    assert request.headers["Accept-Encoding"] == "identity"
    assert "Cookie" not in request.headers
    assert "Authorization" not in request.headers


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [
        (301, MediaError, "answered 301, expected 200, redirects are not followed"),
        (307, MediaError, "redirects are not followed"),
        (204, MediaError, "answered 204"),
        (403, MediaError, "answered 403"),
        (404, MediaError, "answered 404"),
        (408, MediaUnavailable, "answered 408"),
        (429, MediaUnavailable, "answered 429"),
        (500, MediaUnavailable, "answered 500"),
        (503, MediaUnavailable, "answered 503"),
    ],
)
def test_only_200_is_a_photo(tmp_path: Path, status: int, error: type[Exception], reason: str) -> None:
    shop = Shop(tmp_path, answering(status, b"", {"Location": f"https://{HOST}/y.jpg"}), MediaLimits())

    async def run() -> None:
        async with shop.resolver() as media:
            await media.fetch(f"https://{HOST}/x.jpg?sign=SECRET")

    with pytest.raises(error, match=reason) as caught:
        asyncio.run(run())
    assert len(shop.requests) == 1
    assert "SECRET" not in str(caught.value)


def test_the_size_is_capped_while_it_comes(tmp_path: Path) -> None:
    sent = 0

    async def endless(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()  # chunked: no Content-Length
        await response.prepare(request)
        for _ in range(10_000):
            await response.write(b"x" * 10_000)
            sent += 10_000
        return response

    limits = MediaLimits(max_bytes=50_000)
    assert len(fetch_from(tmp_path, answering(body=b"x" * 50_000), limits=limits)[0]) == 50_000
    for handler in (answering(body=b"x" * 50_001), endless):
        with pytest.raises(MediaError, match=r"larger than the 0\.05 MB allowed"):
            fetch_from(tmp_path, handler, limits=limits)
    assert sent < 20_000_000  # what fits into the buffers between, and no more


def test_a_compressed_body_is_not_unpacked(tmp_path: Path) -> None:
    assert (
        fetch_from(tmp_path, answering(body=b"\x1f\x8b-zip", headers={"Content-Encoding": "gzip"}))[0]
        == b"\x1f\x8b-zip"
    )


def test_a_slow_host_is_given_up_on(tmp_path: Path) -> None:
    async def slow(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:  # a byte now and then, for ever
            await response.write(b"x")
            await asyncio.sleep(0.02)

    with pytest.raises(MediaUnavailable, match=r"photos\.example/x\.jpg did not arrive within 0\.3 s"):
        fetch_from(tmp_path, slow, limits=MediaLimits(fetch_timeout_s=0.3))


def test_a_connection_that_breaks_may_work_later(tmp_path: Path) -> None:
    async def breaking(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    with pytest.raises(MediaUnavailable, match=HOST):
        fetch_from(tmp_path, breaking)


def test_a_certificate_that_is_not_trusted_gets_no_request(tmp_path: Path) -> None:
    shop = Shop(tmp_path, answering(), MediaLimits())

    async def run() -> None:
        async with shop.resolver(trusting=False) as media:
            await media.fetch(f"https://{HOST}/x.jpg")

    with pytest.raises(MediaUnavailable, match=r"(?i)certificate"):
        asyncio.run(run())
    assert shop.requests == []


def test_the_address_that_was_checked_is_the_one_connected_to(tmp_path: Path) -> None:
    """A name that answers with another address the next time gains nothing: there is one lookup."""
    shop = Shop(tmp_path, answering(), MediaLimits())
    dns = FixedResolver("127.0.0.1", "127.0.0.2")

    async def run() -> bytes:
        async with shop.resolver():
            transport = Transport(
                shop._port,
                dns,
                ssl.create_default_context(cadata=CERTIFICATE),
                lambda address: address == "127.0.0.1",
            )
            media = MediaResolver(None, tmp_path, frozenset({HOST}), transport=transport)
            try:
                return await media.fetch(f"https://{HOST}/x.jpg")
            finally:
                await media.aclose()

    assert asyncio.run(run()) == b"photo"
    assert dns.asked == [HOST]


def test_proxies_of_the_environment_are_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert fetch_from(tmp_path, answering())[0] == b"photo"
