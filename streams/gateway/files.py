"""The pages: the storefront, the operator's page, what they load, and the module for other front ends.

In: requests. Out: files of the folder `pages`, which are only ever those that are there at the start of a
request and lie in it. Fails with a Problem (404).
"""

import hashlib
import mimetypes
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from streams.gateway.guards import page_policy
from streams.gateway.handlers import TheGateway, unchanged
from streams.gateway.problems import Problem

router = APIRouter(include_in_schema=False)
FOLDER: Final = Path(__file__).parent / "pages"
_TEXT: Final = frozenset({"text/html", "text/css", "text/javascript", "application/json", "image/svg+xml"})


@router.get("/")
async def storefront(request: Request, gateway: TheGateway) -> Response:
    """The storefront."""
    return _page(request, gateway, "index.html")


@router.get("/operator")
async def operators_page(request: Request, gateway: TheGateway) -> Response:
    """The operator's page."""
    return _page(request, gateway, "operator.html")


@router.get("/lookstream.js")
async def module(request: Request) -> Response:
    """The module that any shop front can include."""
    return _file(request, "lookstream.js")


@router.get("/favicon.ico")
async def icon(request: Request) -> Response:
    """The icon that browsers ask for by themselves."""
    return _file(request, "icon.svg")


@router.get("/static/{path:path}")
async def static(request: Request, path: str) -> Response:
    """What the pages load."""
    if path.endswith(".html"):
        raise Problem(404, "no such file")
    return _file(request, path)


def _page(request: Request, gateway: TheGateway, name: str) -> Response:
    page = _file(request, name)
    page.headers["content-security-policy"] = page_policy(gateway.settings.allowed_hosts)
    return page


def _file(request: Request, name: str) -> Response:
    try:
        path = (FOLDER / name).resolve(strict=True)
    except (OSError, ValueError):  # ValueError: a NUL in it
        raise Problem(404, "no such file") from None
    if not path.is_relative_to(FOLDER.resolve()) or not path.is_file():
        raise Problem(404, "no such file")
    data = path.read_bytes()
    tag = hashlib.sha256(data).hexdigest()[:32]
    headers = {"etag": f'"{tag}"', "cache-control": "no-cache"}
    if unchanged(request, tag):
        return Response(status_code=304, headers=headers)
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Response(data, headers=headers, media_type=f"{kind}; charset=utf-8" if kind in _TEXT else kind)
