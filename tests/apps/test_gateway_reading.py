"""Reading the shop through the gateway: products, similar ones, photos, look, sets and interests."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from gateway_shop import GatewayShop
from memory_shop import picture
from PIL import Image

from streams.gateway import answers, looking


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[GatewayShop]:
    """Five products; p3 and p4 are variants of one."""
    with GatewayShop(tmp_path) as shop:
        for number in range(5):
            fields = {"item_group_id": "g"} if number >= 3 else {}
            colour = (200 + 10 * number, 10, 10)
            price = {"value": 9.5, "currency": "EUR"}
            shop.shop.upload(f"p{number}", colour, title=f"Product {number}", price=price, **fields)
        (shop.settings.media_dir / "p0.png").write_bytes(picture(200, 10, 10))
        shop.sync()
        yield shop


def ids(found: httpx.Response) -> list[str]:
    return [product["product_id"] for product in found.json()["products"]]


def problem(answer: httpx.Response, status: int) -> answers.ProblemDetails:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = answers.ProblemDetails.model_validate_json(answer.content)
    assert found.status == status
    return found


def test_the_catalogue_has_the_newest_first_a_page_at_a_time(shop: GatewayShop) -> None:
    first = shop.get("/v1/products?limit=2")
    answers.Products.model_validate_json(first.content)
    assert ids(first) == ["p4", "p3"]
    second = shop.get(f"/v1/products?limit=2&cursor={first.json()['cursor']}")
    third = shop.get(f"/v1/products?limit=2&cursor={second.json()['cursor']}")
    assert (ids(second), ids(third), third.json()["cursor"]) == (["p2", "p1"], ["p0"], None)


def test_a_product_changes_its_place_when_it_comes_again(shop: GatewayShop) -> None:
    shop.shop.upload("p1", (1, 200, 10), title="New")
    shop.sync()
    assert ids(shop.get("/v1/products")) == ["p1", "p4", "p3", "p2", "p0"]
    assert shop.get("/v1/products/p1").json()["title"] == "New"


def test_the_catalogue_can_be_narrowed(shop: GatewayShop) -> None:
    shop.shop.upload("p9", (1, 2, 200), category="Hats")
    shop.sync()
    assert ids(shop.get("/v1/products?category=Hats")) == ["p9"]
    assert len(ids(shop.get("/v1/products?part=upper"))) == 6
    assert ids(shop.get("/v1/products?part=bag")) == []


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "cursor=%00", "cursor=a", "part=tail"], ids=str
)
def test_wrong_queries_are_refused_by_name(shop: GatewayShop, query: str) -> None:
    assert problem(shop.get(f"/v1/products?{query}"), 422).field == query.partition("=")[0]


def test_a_product_with_its_price_photo_and_garments(shop: GatewayShop) -> None:
    found = shop.get("/v1/products/p0")
    product = answers.Product.model_validate_json(found.content)
    assert (product.title, product.image) == ("Product 0", "/media/p0.png")
    assert product.price is not None
    assert product.price.value == 9.5
    assert product.photo is not None
    assert product.photo.width == 8
    assert [garment.part for garment in product.garments] == ["upper", "whole"]


def test_products_that_are_not_there(shop: GatewayShop) -> None:
    shop.shop.publish("product-events", "product.removed", {"id": "p0"})
    shop.sync()
    for path in ("p0", "p0/similar", "nobody", "nobody/similar"):
        problem(shop.get(f"/v1/products/{path}"), 404)
    assert "p0" not in ids(shop.get("/v1/products"))
    problem(shop.get(f"/v1/products/{'x' * 65}"), 422)
    problem(shop.get("/v1/products/a%00b"), 422)


@pytest.mark.parametrize("product_id", ["a/b", "a/similar", "ü ?&#", "..", "%2f", "similar"])
def test_any_product_id_can_be_asked_for(shop: GatewayShop, product_id: str) -> None:
    shop.shop.upload(product_id, (1, 2, 200))
    shop.sync()
    address = "/v1/products/" + quote(product_id, safe="").replace(".", "%2E")
    assert shop.get(address).json()["product_id"] == product_id
    assert shop.get(f"{address}/similar").json()["product_id"] == product_id


def test_similar_products_are_others_that_can_be_had(shop: GatewayShop) -> None:
    found = shop.get("/v1/products/p3/similar?k=10")
    answers.SimilarProducts.model_validate_json(found.content)
    [upper, whole] = sorted(found.json()["garments"], key=lambda garment: garment["part"])
    assert [item["product_id"] for item in upper["similar"]] == ["p2", "p1", "p0"]  # not its variant p4
    assert [item["rank"] for item in upper["similar"]] == [1, 2, 3]
    assert {item["part"] for item in whole["similar"]} == {"whole"}
    because = {"product_id": "p3", "garment_id": upper["garment_id"], "share": 1.0}
    assert all(item["because"] == because for item in upper["similar"])
    shop.shop.publish("product-events", "product.updated", {"id": "p2", "availability": "out_of_stock"})
    shop.sync()
    [upper] = shop.get("/v1/products/p3/similar?k=1&part=upper").json()["garments"]
    assert [item["product_id"] for item in upper["similar"]] == ["p1"]


def test_of_a_group_one_product_is_similar(shop: GatewayShop) -> None:
    [upper] = shop.get("/v1/products/p0/similar?part=upper").json()["garments"]
    assert [item["product_id"] for item in upper["similar"]] == ["p1", "p2", "p3"]


def test_a_store_that_is_away_is_said(shop: GatewayShop) -> None:
    shop.shop.store.away = 100
    refused = shop.get("/v1/products/p0/similar")
    assert problem(refused, 503)
    assert refused.headers["retry-after"] == "1"
    assert ids(shop.get("/v1/products")), "the catalogue is known without it"


def test_photos_as_they_are_and_scaled(shop: GatewayShop) -> None:
    out = io.BytesIO()
    Image.new("RGB", (1000, 500), (1, 2, 3)).save(out, "JPEG")
    (shop.settings.media_dir / "folder").mkdir()
    (shop.settings.media_dir / "folder" / "a photo.jpg").write_bytes(out.getvalue())
    whole = shop.get("/media/folder/a%20photo.jpg")
    assert (whole.content, whole.headers["content-type"]) == (out.getvalue(), "image/jpeg")
    for width, expected in ((160, (160, 80)), (320, (320, 160)), (640, (640, 320))):
        scaled = shop.get(f"/media/folder/a%20photo.jpg?w={width}")
        assert Image.open(io.BytesIO(scaled.content)).size == expected
        assert scaled.headers["cache-control"].startswith("public")
        again = shop.get(f"/media/folder/a%20photo.jpg?w={width}", If_None_Match=scaled.headers["etag"])
        assert (again.status_code, again.content) == (304, b"")
    problem(shop.get("/media/folder/a%20photo.jpg?w=321"), 422)
    assert Image.open(io.BytesIO(shop.get("/media/p0.png?w=640").content)).size == (8, 8)


def test_a_scaled_photo_is_upright_and_says_nothing_of_the_original(shop: GatewayShop) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "somebody's phone"
    out = io.BytesIO()
    Image.new("RGB", (640, 320)).save(out, "JPEG", exif=exif)
    (shop.settings.media_dir / "turned.jpg").write_bytes(out.getvalue())
    scaled = Image.open(io.BytesIO(shop.get("/media/turned.jpg?w=160").content))
    assert scaled.size == (160, 320)
    assert not scaled.getexif()


@pytest.mark.parametrize(
    "path",
    [
        "../shelf/CURRENT",
        "%2e%2e/gateway.key",
        "..%2fgateway.key",
        "folder/../../gateway.key",
        "%2Fetc%2Fpasswd",
        "/etc/passwd",
        "..%5c..%5cgateway.key",
        "p0.png%00.jpg",
        "data:image/png;base64,AAAA",
        "https://shop.example/p.jpg",
        "file:///etc/passwd",
        "outside",
        "notes.txt",
        "none.jpg",
        "",
        ".",
        "inline/../../gateway.key",
        "inline/" + "0" * 64 + ".jpg",
    ],
)
def test_nothing_but_photos_of_the_shop_is_served(shop: GatewayShop, path: str) -> None:
    (shop.folder / "gateway.key").write_bytes(picture(1, 2, 3))
    (shop.settings.media_dir / "folder").mkdir()
    (shop.settings.media_dir / "notes.txt").write_text("a list of passwords")
    (shop.settings.media_dir / "outside").symlink_to(shop.folder / "gateway.key")
    for query in ("", "?w=160"):
        problem(shop.get(f"/media/{path}{query}"), 404)


def test_look_finds_the_garments_of_a_photo_and_what_is_similar(shop: GatewayShop) -> None:
    looked = shop.post("/v1/look?k=2", picture(220, 10, 10), content_type="image/png")
    found = answers.Looked.model_validate_json(looked.content)
    assert (found.photo.width, found.photo.height) == (8, 8)
    assert [garment.part for garment in found.garments] == ["whole", "upper"]
    for garment in found.garments:
        assert [item.product_id for item in garment.similar] == ["p2", "p3"]
        assert {item.because.garment_id for item in garment.similar} == {garment.garment_id}
        assert garment.similar[0].score == pytest.approx(1.0, abs=1e-3)
        assert {item.because.share for item in garment.similar} == {1.0}


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"no photo", "image/jpeg", 422),
        (picture(1, 1, 1)[:40], "image/png", 422),
        (b"", "image/png", 422),
        (picture(1, 1, 1), "application/octet-stream", 415),
        (picture(1, 1, 1), "multipart/form-data", 415),
        (b"\xff\xd8\xff" + b"0" * 15_000_001, "image/jpeg", 413),
    ],
    ids=("text", "cut short", "empty", "another type", "multipart", "too large"),
)
def test_what_is_no_photo_is_refused(shop: GatewayShop, body: bytes, kind: str, status: int) -> None:
    problem(shop.post("/v1/look", body, content_type=kind), status)


def test_look_is_limited(shop: GatewayShop) -> None:
    statuses = [shop.post("/v1/look", b"x", content_type="image/png").status_code for _ in range(40)]
    assert statuses[0] == 422
    assert statuses[-1] == 429
    refused = shop.post("/v1/look", b"x", content_type="image/png")
    assert problem(refused, 429)
    assert int(refused.headers["retry-after"]) >= 1


def test_so_many_photos_are_in_hand_and_no_more(shop: GatewayShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "MOST_WAITING", 2)
    headers = {"content-type": "image/png"}

    async def at_once() -> list[httpx.Response]:
        post = shop.client.post
        asked = (post("/v1/look", content=picture(220, 10, 10), headers=headers) for _ in range(6))
        return list(await asyncio.gather(*asked))

    statuses = [found.status_code for found in shop.run(at_once())]
    assert sorted(set(statuses)) == [200, 503]
    assert statuses.count(200) >= 2
    assert shop.post("/v1/look", picture(220, 10, 10), content_type="image/png").status_code == 200


def test_the_newest_set_and_its_revision(shop: GatewayShop) -> None:
    shop.shop.act("product.viewed", "alice", "p0")
    shop.sync()
    found = shop.get("/v1/shoppers/alice/recommendations", "alice")
    shown = answers.ShownSet.model_validate_json(found.content)
    assert (shown.revision, found.headers["etag"]) == (1, '"1"')
    assert shown.items[0].because is not None
    assert shown.items[0].because.product_id == "p0"
    again = shop.get("/v1/shoppers/alice/recommendations", "alice", If_None_Match='"1"')
    assert again.status_code == 304
    shop.shop.act("product.viewed", "alice", "p1")
    shop.sync()
    newer = shop.get("/v1/shoppers/alice/recommendations", "alice", If_None_Match='"1"')
    assert (newer.status_code, newer.json()["revision"]) == (200, 2)


def test_interests_with_examples(shop: GatewayShop) -> None:
    for kind, product_id in (("product.viewed", "p0"), ("product.purchased", "p1")):
        shop.shop.act(kind, "alice", product_id)
    shop.sync()
    found = answers.Interests.model_validate_json(shop.get("/v1/shoppers/alice/interests", "alice").content)
    assert found.revision == 2
    assert sum(interest.share for interest in found.interests) == pytest.approx(1.0, abs=1e-3)
    weights = [interest.weight for interest in found.interests]
    assert weights == sorted(weights, reverse=True)
    strongest = found.interests[0].exemplars[0]
    assert (strongest.product_id, strongest.action) == ("p1", "product.purchased")
    assert (strongest.title, strongest.image) == ("Product 1", "/media/p1.png")


@pytest.mark.parametrize("what", ["recommendations", "interests", "recommendations/stream"])
def test_nobody_reads_another_shopper(shop: GatewayShop, what: str) -> None:
    shop.shop.act("product.viewed", "bob", "p0")
    shop.sync()
    assert problem(shop.get(f"/v1/shoppers/bob/{what}"), 401)
    assert shop.get(f"/v1/shoppers/bob/{what}").headers["www-authenticate"].startswith("Bearer")
    assert problem(shop.get(f"/v1/shoppers/bob/{what}", "alice"), 403)
    shops_own = f"Bearer {shop.token(None, 'produce', 'operate')}"
    assert problem(shop.get(f"/v1/shoppers/bob/{what}", authorization=shops_own), 403)


@pytest.mark.parametrize("user_id", ["a/b", "a/recommendations/stream", "ü ?&#", "recommendations"])
def test_any_user_id_can_be_asked_for(shop: GatewayShop, user_id: str) -> None:
    shop.shop.act("product.viewed", user_id, "p0")
    shop.sync()
    address = "/v1/shoppers/" + quote(user_id, safe="")
    assert shop.get(f"{address}/recommendations", user_id).json()["user_id"] == user_id
    assert shop.get(f"{address}/interests", user_id).json()["user_id"] == user_id


def test_what_is_unknown_is_not_found(shop: GatewayShop) -> None:
    for what in ("recommendations", "interests"):
        assert problem(shop.get(f"/v1/shoppers/nobody/{what}", "nobody"), 404).type.startswith("/problems/")
    problem(shop.get("/nothing/here"), 404)
    problem(shop.post("/v1/shoppers/a/recommendations", {}), 405)
    problem(shop.get("/v1/demo"), 404)
    problem(shop.post("/v1/demo/token", {"user_id": "alice"}), 404)


def test_rows_and_sets_are_there_after_a_restart(shop: GatewayShop) -> None:
    shop.shop.act("product.viewed", "alice", "p0")
    shop.sync()
    before = shop.get("/v1/shoppers/alice/recommendations", "alice").json(), shop.get("/v1/products").json()
    shop.restart()
    after = shop.get("/v1/shoppers/alice/recommendations", "alice").json(), shop.get("/v1/products").json()
    assert before == after


def test_a_new_shelf_begins_with_what_the_index_has(shop: GatewayShop, tmp_path: Path) -> None:
    other = GatewayShop(tmp_path / "other")
    with other:
        other.gateway.rows._store = shop.shop.store
        other.run(other.gateway.rows.seed())
        assert ids(other.get("/v1/products")) == ids(shop.get("/v1/products"))


def test_a_product_that_only_a_set_knows_is_looked_up(shop: GatewayShop) -> None:
    rows = shop.gateway.rows
    rows.forget()
    assert rows.row("p0") is None
    shop.run(rows.look_up_missed())
    assert (rows.row("p0") or {})["title"] == "Product 0"
    assert rows.row("none") is None
    shop.run(rows.look_up_missed())
    assert rows.row("none") is None
