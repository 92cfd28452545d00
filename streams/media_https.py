"""Photos by https from hosts that the operator allowed, and from nowhere else.

In: an https URL. Out: the bytes behind it. No redirects, no proxies or credentials from the environment, port
443, a limit on time and size; and since a name in the public DNS may point anywhere, the connection is made
only to addresses that were found public in the very lookup it uses. `MediaError`: refused for good.
`MediaUnavailable`: may work later.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

LONGEST_URL = 2048
_NAT64 = IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = IPv6Network("2000::/3")  # the rest of IPv6 is local, reserved or a way to write IPv4
_RETRY_LATER = frozenset({408, 425, 429})


class MediaError(ValueError):
    """This image_link will never lead to a photo; the message says why."""


class MediaUnavailable(Exception):  # noqa: N818 - a state that passes, not a mistake
    """The photo cannot be had at the moment; the same image_link may work later."""


@dataclass(frozen=True)
class MediaLimits:
    """The largest photo that is read, and the time a fetch may take in all."""

    max_bytes: int = 15_000_000
    fetch_timeout_s: float = 10.0


def is_public(address: str) -> bool:
    """Return whether an IP address belongs to the public internet, also when it wraps an IPv4 address."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        nat64 = IPv4Address(int(ip) & 0xFFFF_FFFF) if ip in _NAT64 else None
        wrapped = ip.ipv4_mapped or ip.sixtofour or nat64
        if wrapped is not None:
            return is_public(str(wrapped))
        if ip.scope_id is not None or ip not in _GLOBAL_UNICAST:
            return False
    return ip.is_global and not ip.is_multicast


@dataclass(frozen=True)
class Transport:
    """How https is spoken. The defaults are the safe ones; tests with a server of their own replace them."""

    port: int = 443
    resolver: AbstractResolver | None = None
    ssl_context: ssl.SSLContext | None = None
    is_allowed_address: Callable[[str], bool] = is_public


class HttpsMedia:
    """Fetches photos from the allowed hosts. Belongs to the event loop of its first fetch; close it there."""

    def __init__(self, allowed_hosts: Iterable[str], limits: MediaLimits, transport: Transport) -> None:
        """Raises ValueError when an allowed host is no host name."""
        self._allowed_hosts = frozenset(
            URL.build(scheme="https", host=host).raw_host for host in allowed_hosts
        )
        self._limits = limits
        self._transport = transport
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, link: str) -> bytes:
        """Return the bytes behind an https URL. Raises MediaError or MediaUnavailable."""
        url = self._checked(link)
        where = f"https://{url.host}{url.path}"[:120]  # no query: it may hold a signature
        try:
            async with self._open_session().get(url, allow_redirects=False) as response:
                _check_status(response.status, where)
                return await self._read(response, where)
        except aiohttp.InvalidURL as error:
            raise MediaError(f"image_link: {where} is no usable URL: {error}") from error
        except TimeoutError as error:
            limit_s = self._limits.fetch_timeout_s
            raise MediaUnavailable(f"image_link: {where} did not arrive within {limit_s:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise MediaUnavailable(f"image_link: {where}: {str(error) or type(error).__name__}") from error

    async def aclose(self) -> None:
        """Close the connections that are kept open for the next photo."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _checked(self, link: str) -> URL:
        if len(link) > LONGEST_URL:
            raise MediaError(
                f"image_link: a URL of {len(link)} characters, at most {LONGEST_URL} are allowed"
            )
        try:
            url = URL(link)
            host, port = url.raw_host, url.port
        except ValueError as error:
            raise MediaError(f"image_link: {link[:80]!r} is no usable URL: {error}") from error
        if url.scheme != "https" or host is None or url.user is not None or url.password is not None:
            raise MediaError("image_link: expected an https URL with a host and without a user")
        if host not in self._allowed_hosts:
            raise MediaError(f"image_link: host {host!r} is not among the hosts that photos may come from")
        if port != 443:
            raise MediaError(f"image_link: port {port}, only 443 is allowed")
        if _is_ip(host) and not self._transport.is_allowed_address(host):  # aiohttp never resolves these
            raise MediaError(f"image_link: {host} is not a public address")
        return url.with_port(self._transport.port)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            resolver = _CheckedResolver(
                self._transport.resolver or aiohttp.ThreadedResolver(), self._transport.is_allowed_address
            )
            connector = aiohttp.TCPConnector(
                resolver=resolver, use_dns_cache=False, ssl=self._transport.ssl_context or True
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=self._limits.fetch_timeout_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "lookstream", "Accept": "image/*", "Accept-Encoding": "identity"},
                auto_decompress=False,  # a compressed body would not count with its real size
                trust_env=False,
            )
        return self._session

    async def _read(self, response: aiohttp.ClientResponse, where: str) -> bytes:
        body, most = bytearray(), self._limits.max_bytes
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > most:
                response.close()
                raise MediaError(f"image_link: {where} is larger than the {most / 1e6:g} MB allowed")
        return bytes(body)


class _CheckedResolver(AbstractResolver):
    """Answers lookups with allowed addresses or not at all. What it answers is what is connected to."""

    def __init__(self, inner: AbstractResolver, is_allowed: Callable[[str], bool]) -> None:
        self._inner = inner
        self._is_allowed = is_allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        for result in found:
            if not self._is_allowed(result["host"]):
                raise MediaError(f"image_link: host {host!r} leads to {result['host']}, not a public address")
        return found

    async def close(self) -> None:
        await self._inner.close()


def _check_status(status: int, where: str) -> None:
    if status == 200:
        return
    if status >= 500 or status in _RETRY_LATER:
        raise MediaUnavailable(f"image_link: {where} answered {status}")
    note = ", redirects are not followed" if 300 <= status < 400 else ""
    raise MediaError(f"image_link: {where} answered {status}, expected 200{note}")


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
