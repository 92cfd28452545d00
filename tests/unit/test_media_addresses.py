"""Where https may go: allowed hosts on port 443, names and numbers that lead to public addresses only."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from streams.media import MediaError, MediaLimits, MediaResolver, MediaUnavailable, Transport
from streams.media_https import is_public

HOST = "photos.example"


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


class FailingResolver(FixedResolver):
    """A DNS that does not answer."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        raise OSError(None, "no such name")


def refused_without_a_lookup(link: str, allowed: set[str] | None = None) -> str:
    dns = FixedResolver("93.184.215.14")

    async def run() -> None:
        media = MediaResolver(
            None, Path("unused"), frozenset(allowed or {HOST}), transport=Transport(resolver=dns)
        )
        try:
            await media.fetch(link)
        finally:
            await media.aclose()

    with pytest.raises(MediaError, match=r"^image_link: ") as caught:
        asyncio.run(run())
    assert dns.asked == []
    return str(caught.value)


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("https://other.example/x.jpg", "host 'other.example' is not among"),
        (f"https://{HOST}.evil.example/x.jpg", "is not among"),
        (f"https://evil.example#@{HOST}/x.jpg", "is not among"),
        (f"https://evil.example\\@{HOST}/x.jpg", "image_link: "),
        (f"https://sub.{HOST}/x.jpg", "is not among"),
        (f"https://{HOST}./x.jpg", "is not among"),
        (f"https://{HOST}:8443/x.jpg", "port 8443, only 443 is allowed"),
        (f"https://{HOST}:80/x.jpg", "port 80"),
        (f"https://{HOST}:99999/x.jpg", "no usable URL"),
        (f"https://user:password@{HOST}/x.jpg", "without a user"),
        (f"https://user@{HOST}/x.jpg", "without a user"),
        ("https:///x.jpg", "image_link: "),
        (f"https:{HOST}/x.jpg", "expected an https URL with a host"),
        ("https://[::1/x.jpg", "no usable URL"),
        ("https://127.0.0.1/x.jpg", "is not among"),
        (f"https://{HOST}/" + "x" * 3000, "3023 characters, at most 2048"),
    ],
)
def test_other_urls_are_refused_before_anything_is_asked(link: str, reason: str) -> None:
    message = refused_without_a_lookup(link)
    assert reason in message
    assert "password" not in message


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.0.0.8",
        "169.254.169.254",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",
    ],
)
def test_an_address_that_is_not_public_is_refused_even_when_it_was_allowed(host: str) -> None:
    bare = host.strip("[]")
    assert "not a public address" in refused_without_a_lookup(f"https://{host}/x.jpg", {bare})


def fetch_with_dns(dns: AbstractResolver, host: str) -> None:
    async def run() -> None:
        media = MediaResolver(None, Path("unused"), frozenset({host}), transport=Transport(resolver=dns))
        try:
            await media.fetch(f"https://{host}/x.jpg")
        finally:
            await media.aclose()

    asyncio.run(run())


@pytest.mark.parametrize("address", ["127.0.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "::ffff:10.0.0.1"])
def test_a_name_that_leads_inside_is_refused(address: str) -> None:
    with pytest.raises(MediaError, match=f"host 'photos.example' leads to {address}, not a public address"):
        fetch_with_dns(FixedResolver(address), HOST)


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0x7f.0.0.1", "0177.0.0.1"])
def test_numbers_that_the_system_takes_for_addresses_are_refused(host: str) -> None:
    with pytest.raises(MediaError, match=r"not a public address|not a canonical IPv4 address|no usable URL"):
        fetch_with_dns(FixedResolver("127.0.0.1"), host)


def test_a_name_that_is_not_found_may_be_found_later() -> None:
    with pytest.raises(MediaUnavailable, match="no such name"):
        fetch_with_dns(FailingResolver(), HOST)


def test_the_defaults_are_the_safe_ones() -> None:
    default = Transport()
    assert (default.port, default.resolver, default.ssl_context) == (443, None, None)
    assert default.is_allowed_address is is_public
    assert (MediaLimits().max_bytes, MediaLimits().fetch_timeout_s) == (15_000_000, 10.0)


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "2606:2800:220:1::1", "::ffff:93.184.215.14", "64:ff9b::5db8:d70e"]
)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.0.1"),
        *("192.0.0.1", "192.0.2.1", "198.18.0.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1"),
        *("255.255.255.255", "::", "::1", "::ffff:192.168.0.1", "::ffff:0:7f00:1", "64:ff9b::10.0.0.1"),
        *("64:ff9b:1::1", "2002:7f00:1::", "2001:0:1::1", "2001:db8::1", "fc00::1", "fd12::1", "fe80::1"),
        *("fe80::1%eth0", "2606:2800:220:1::1%1", "fec0::1", "ff02::1", "100::1", "localhost", "", "1.2.3"),
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)
