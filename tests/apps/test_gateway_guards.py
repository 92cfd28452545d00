"""What every request passes and every answer carries: hosts, origins, CORS, headers, demo tokens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_shop import GatewayShop

from vectorstore.base import VectorStoreUnavailable

ALLOWED = "https://shop.example"
VIEW = {"type": "product.viewed", "user_id": "alice", "product_id": "p0"}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[GatewayShop]:
    with GatewayShop(tmp_path, gateway_origins={ALLOWED}, gateway_demo=True) as shop:
        yield shop


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:80", "[::1]:8080", "LOCALHOST"])
def test_this_machines_names_are_answered(shop: GatewayShop, host: str) -> None:
    assert shop.get("/v1/products", host=host).status_code == 200


@pytest.mark.parametrize(
    "host", ["shop.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.7", "", "[", "a b"]
)
def test_others_are_not_while_bound_to_loopback(shop: GatewayShop, host: str) -> None:
    for path in ("/v1/products", "/", "/v1/demo"):
        assert shop.get(path, host=host).status_code == 421
    assert shop.post("/v1/demo/token", {"user_id": "alice"}, host=host).status_code == 421


def test_they_are_where_the_gateway_is_open_to_the_net(tmp_path: Path) -> None:
    with GatewayShop(tmp_path, bind="0.0.0.0", gateway_demo=True) as shop:
        assert shop.get("/v1/products", host="shop.example").status_code == 200
        assert shop.post("/v1/demo/token", {"user_id": "alice"}).status_code == 404, "not a demo any more"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:1"},
        {"origin": "https://localhost"},
        {"origin": "http://shop.example"},
        {"origin": ALLOWED + ".evil.example"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
    ids=str,
)
def test_pages_of_other_sites_may_not_write(shop: GatewayShop, headers: dict[str, str]) -> None:
    token = shop.token("alice")
    for path, body in (("/v1/interactions", VIEW), ("/v1/demo/token", {"user_id": "a"}), ("/v1/look", b"x")):
        answer = shop.post(path, body, token, **headers)
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
    assert shop.sender.sent == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://localhost"},
        {"origin": "http://LOCALHOST"},
        {"origin": ALLOWED},
        {"sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
        {"origin": "http://localhost", "sec_fetch_site": "same-origin"},
    ],
    ids=str,
)
def test_our_own_pages_allowed_sites_and_programs_may(shop: GatewayShop, headers: dict[str, str]) -> None:
    assert shop.post("/v1/interactions", VIEW, shop.token("alice"), **headers).status_code == 202


def test_an_allowed_sites_pages_may_read_the_answers(shop: GatewayShop) -> None:
    for path in ("/v1/products", "/nothing", "/lookstream.js"):
        answer = shop.get(path, origin=ALLOWED)
        assert answer.headers["access-control-allow-origin"] == ALLOWED
        assert "Origin" in answer.headers["vary"]
    other = shop.get("/v1/products", origin="https://evil.example")
    assert "access-control-allow-origin" not in other.headers
    assert "Origin" in other.headers["vary"], "caches must know"
    assert "access-control-allow-credentials" not in other.headers


def test_browsers_may_ask_first(shop: GatewayShop) -> None:
    def ask(origin: str) -> tuple[int, dict[str, str]]:
        headers = {
            "origin": origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type",
        }
        answer = shop.run(shop.client.options("/v1/interactions", headers=headers))
        return answer.status_code, dict(answer.headers)

    status, headers = ask(ALLOWED)
    assert (status, headers["access-control-allow-origin"]) == (204, ALLOWED)
    assert "POST" in headers["access-control-allow-methods"]
    assert "authorization" in headers["access-control-allow-headers"]
    assert ask("https://evil.example")[0] == 403


@pytest.mark.parametrize(
    "path", ["/", "/v1/products", "/nothing", "/healthz", "/openapi.json", "/v1/shoppers/a/x"]
)
def test_every_answer_carries_the_security_headers(shop: GatewayShop, path: str) -> None:
    headers = shop.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


def test_the_pages_run_only_what_is_ours(tmp_path: Path) -> None:
    with GatewayShop(tmp_path, allowed_hosts={"cdn.example"}) as shop:
        page = shop.get("/")
        assert page.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        directives = dict(d.strip().split(" ", 1) for d in page.headers["content-security-policy"].split(";"))
        assert directives["script-src"] == directives["style-src"] == directives["connect-src"] == "'self'"
        assert directives["img-src"] == "'self' data: blob: https://cdn.example"
        again = shop.get("/", If_None_Match=page.headers["etag"])
        assert again.status_code == 304
        assert page.headers["cache-control"] == "no-cache"
        module = shop.get("/lookstream.js")
        assert module.headers["content-type"].startswith("text/javascript")
        assert module.headers["cross-origin-resource-policy"] == "cross-origin"


@pytest.mark.parametrize(
    "path", ["../app.py", "%2e%2e/app.py", "..%2fapp.py", "none.js", "", "a%00.js", "index.html"]
)
def test_nothing_but_the_pages_files_is_served(shop: GatewayShop, path: str) -> None:
    assert shop.get(f"/static/{path}").status_code == 404


def test_what_is_somebodys_is_not_stored_on_the_way(shop: GatewayShop) -> None:
    shop.shop.upload("p0", (250, 10, 10))
    shop.shop.act("product.viewed", "alice", "p0")
    shop.sync()
    for what in ("recommendations", "interests"):
        stored = shop.get(f"/v1/shoppers/alice/{what}", "alice").headers["cache-control"]
        assert stored in ("no-store", "private, no-cache")


def test_a_demo_gives_tokens(shop: GatewayShop) -> None:
    given = shop.post("/v1/demo/token", {"user_id": "alice"}).json()
    identity = shop.tokens.verified(given["token"])
    assert (identity.user_id, identity.scopes) == ("alice", {"subscribe", "produce"})
    operator = shop.tokens.verified(shop.post("/v1/demo/token", {"operator": True}).json()["token"])
    assert (operator.user_id, operator.scopes) == (None, {"produce", "operate"})
    for body in (
        {},
        {"user_id": "a", "operator": True},
        {"user_id": ""},
        {"user_id": "a\nb"},
        [],
        {"user_id": 7},
    ):
        assert shop.post("/v1/demo/token", body).status_code == 422


def test_a_demo_says_who_shops(shop: GatewayShop) -> None:
    assert shop.get("/v1/demo").json() == {"demo": True, "shoppers": []}
    shop.settings.demo_shoppers.parent.mkdir(parents=True)
    shop.settings.demo_shoppers.write_text('[{"user_id": "alice-1", "name": "Alice", "likes": "shorts"}]')
    assert shop.get("/v1/demo").json()["shoppers"][0]["name"] == "Alice"


def test_it_says_that_it_lives(shop: GatewayShop) -> None:
    assert shop.get("/healthz", host="probe").status_code == 200
    assert shop.get("/readyz").status_code == 200


def test_it_is_not_ready_without_its_store(shop: GatewayShop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away() -> int:
        raise VectorStoreUnavailable("nobody there")

    monkeypatch.setattr(shop.shop.store, "count", away)
    assert shop.get("/readyz").status_code == 503
    assert shop.get("/healthz").status_code == 200
