"""What every request passes before a handler sees it: host, origin, CORS; and what every answer carries.

In: ASGI requests. Out: them, or a refusal (421 for a foreign host, 403 for a foreign site), and security
headers on all answers. The order is that of `guarded`.
"""

import ipaddress
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.gateway.metrics import GatewayMetrics
from streams.gateway.problems import Problem

_LOOPBACK_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_ALLOWED_HEADERS: Final = "authorization, content-type, last-event-id, if-none-match"
_EXPOSED_HEADERS: Final = "etag, retry-after"
_API_POLICY: Final = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_PUBLIC: Final = ("/media/", "/lookstream.js")
_OPEN_PATHS: Final = ("/healthz", "/readyz")


def page_policy(image_hosts: Iterable[str]) -> str:
    """The Content-Security-Policy of the pages; products' photos may lie on other hosts."""
    images = " ".join(["'self'", "data:", "blob:", *(f"https://{host}" for host in sorted(image_hosts))])
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src {images}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def is_loopback(host: str) -> bool:
    """Whether an address is of this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Guards:
    """An ASGI application around another.

    Args:
        bind: the address that the gateway listens on; on a loopback address only this machine's names are
            answered, so that no foreign name that resolves to it (DNS rebinding) gets in.
        origins: origins of other sites whose pages may use the gateway.
    """

    def __init__(self, app: ASGIApp, bind: str, origins: frozenset[str], metrics: GatewayMetrics) -> None:
        self._app, self._origins, self._metrics = app, origins, metrics
        self._local_only = is_loopback(bind)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, started_s = Headers(scope=scope), time.perf_counter()

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._dress(MutableHeaders(raw=message.setdefault("headers", [])), headers, scope)
                self._measure(scope, message["status"], time.perf_counter() - started_s)
            await send(message)

        answer = self._refused(scope, headers)
        if answer is not None:
            await answer(scope, receive, guarded_send)
        else:
            await self._app(scope, receive, guarded_send)

    def _refused(self, scope: Scope, headers: Headers) -> Response | None:
        """The answer to what goes no further."""
        if self._local_only and _host(headers) not in _LOOPBACK_HOSTS and scope["path"] not in _OPEN_PATHS:
            return Problem(421, "this gateway answers to localhost only", "host").response()
        origin = headers.get("origin")
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            return self._preflight(origin)
        if scope["method"] not in _SAFE and not self._same_site(scope, headers, origin):
            detail = (
                "pages of other sites may not do this; the shop's own are named in LOOKSTREAM_GATEWAY_ORIGINS"
            )
            return Problem(403, detail, "origin", got=(origin or "")[:200]).response()
        return None

    def _preflight(self, origin: str | None) -> Response:
        if origin is None or origin.lower() not in self._origins:
            return Problem(403, "pages of this origin may not use the gateway", "origin").response()
        return Response(
            status_code=204,
            headers={
                "access-control-allow-methods": "GET, POST",
                "access-control-allow-headers": _ALLOWED_HEADERS,
                "access-control-max-age": "600",
            },
        )

    def _same_site(self, scope: Scope, headers: Headers, origin: str | None) -> bool:
        """Whether a request comes from a page of ours, of an allowed origin, or from no page at all."""
        if origin is not None:
            own = f"{scope['scheme']}://{headers.get('host', '')}"
            return origin.lower() in self._origins or origin.lower() == own.lower()
        return headers.get("sec-fetch-site", "none") in ("same-origin", "none")

    def _dress(self, answer: MutableHeaders, request: Headers, scope: Scope) -> None:
        public = scope["path"].startswith(_PUBLIC)
        answer.setdefault("content-security-policy", _API_POLICY)
        answer.setdefault("cache-control", "no-store")
        answer["x-content-type-options"] = "nosniff"
        answer["x-frame-options"] = "DENY"
        answer["referrer-policy"] = "no-referrer"
        answer["cross-origin-opener-policy"] = "same-origin"
        answer["cross-origin-resource-policy"] = "cross-origin" if public else "same-origin"
        answer["permissions-policy"] = "camera=(), geolocation=(), microphone=(), payment=()"
        if self._origins:
            answer.add_vary_header("Origin")
            origin = request.get("origin")
            if origin is not None and origin.lower() in self._origins:
                answer["access-control-allow-origin"] = origin
                answer["access-control-expose-headers"] = _EXPOSED_HEADERS

    def _measure(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        self._metrics.requests.labels(route, str(status)).inc()
        self._metrics.duration.labels(route).observe(seconds)


def _host(headers: Mapping[str, Any]) -> str | None:
    """The host name in the Host header, without its port."""
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname
    except ValueError:
        return None
