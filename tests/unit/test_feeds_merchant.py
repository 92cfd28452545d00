"""Merchant feeds: CSV, TSV, RSS and Atom give the same products, and name what is wrong with an entry."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.products import Price, ProductUploaded
from streams.feeds import FeedError, read_products
from streams.feeds.merchant import product_data

INLINE = "data:image/jpeg;base64,/9j/"


def test_csv_with_merchant_columns(tmp_path: Path) -> None:
    feed = tmp_path / "feed.csv"
    feed.write_text(
        "\ufeffID,Title,g:image_link,additional image link,price,availability,product type,gender,\n"
        'a,"Shorts, blue",https://x.example/1.jpg,"https://x.example/2.jpg, https://x.example/3.jpg",'
        "49.90 EUR,In Stock,Shorts,Female,\n"
        "\n"
        f'b,Hat,"{INLINE}","{INLINE},{INLINE}",,backorder\n',
        encoding="utf-8",
    )
    a, b = read_products(feed, media_root=None)
    assert isinstance(a, ProductUploaded)
    assert isinstance(b, ProductUploaded)
    assert (a.id, a.title, a.category, a.gender) == ("a", "Shorts, blue", "Shorts", "female")
    assert a.additional_image_link == ["https://x.example/2.jpg", "https://x.example/3.jpg"]
    assert (a.price, a.availability) == (Price(value=49.9, currency="EUR"), "in_stock")
    assert b.additional_image_link == [INLINE, INLINE]
    assert (b.price, b.availability) == (None, "preorder")


def test_tsv_and_rows_that_are_wrong(tmp_path: Path) -> None:
    feed = tmp_path / "feed.tsv"
    feed.write_bytes(
        b"id\timage_link\tprice\n"
        b"a\thttps://x.example/1.jpg\t12 EUR\tone too many\n"
        b"b\thttps://x.example/1.jpg\t12,50 EUR\n"
        b"\xff\thttps://x.example/1.jpg\t\n"
        b'd\t"https"x\t\n'
        b"e\thttps://x.example/1.jpg\n"
    )
    *wrong, right = read_products(feed, media_root=None)
    assert isinstance(right, ProductUploaded)
    assert [item.place for item in wrong if isinstance(item, FeedError)] == [
        f"{feed}:{n}" for n in (2, 3, 4, 5)
    ]
    reasons = [item.reason for item in wrong if isinstance(item, FeedError)]
    for reason, part in zip(reasons, ("4 cells, expected 3", "'price'", "'id'", "not CSV"), strict=True):
        assert part in reason


RSS = """<?xml version="1.0"?>
<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel><title>Shop</title>
<item><g:id>a</g:id><title>Short</title><g:title>Shorts</g:title><link>https://x.example/a</link>
 <g:image_link>https://x.example/a.jpg</g:image_link>
 <g:additional_image_link>https://x.example/a2.jpg</g:additional_image_link>
 <g:additional_image_link>https://x.example/a3.jpg</g:additional_image_link>
 <g:price>15.00 USD</g:price><g:availability>out of stock</g:availability>
 <g:google_product_category>Apparel &gt; Shorts</g:google_product_category></item>
<item><g:id>b</g:id></item></channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0"><title>Shop</title>
<entry><g:id>a</g:id><title><![CDATA[Hat & scarf]]></title><link href="https://x.example/a"/>
<g:image_link>https://x.example/a.jpg</g:image_link></entry></feed>"""


def test_rss_feed(tmp_path: Path) -> None:
    (tmp_path / "feed.xml").write_text(RSS)
    a, b = read_products(tmp_path / "feed.xml", media_root=None)
    assert isinstance(a, ProductUploaded)
    assert (a.title, a.link, a.category) == ("Shorts", "https://x.example/a", "Apparel > Shorts")
    assert a.additional_image_link == ["https://x.example/a2.jpg", "https://x.example/a3.jpg"]
    assert (a.price, a.availability) == (Price(value=15, currency="USD"), "out_of_stock")
    assert isinstance(b, FeedError)
    assert b.place.endswith("feed.xml entry 2")
    assert "image_link" in b.reason


def test_atom_feed(tmp_path: Path) -> None:
    (tmp_path / "feed.xml").write_text(ATOM)
    (a,) = read_products(tmp_path / "feed.xml", media_root=None)
    assert isinstance(a, ProductUploaded)
    assert (a.id, a.title, a.link) == ("a", "Hat & scarf", "https://x.example/a")


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        (RSS[:-30], 1),
        ('<!DOCTYPE rss [<!ENTITY a "b">]>' + RSS.removeprefix('<?xml version="1.0"?>\n'), 0),
        ('<?xml version="1.0" encoding="no-such"?><rss/>', 0),
        ("<rss><channel/></rss>", 0),
        ("", 0),
    ],
)
def test_what_is_not_xml_or_dangerous_is_said_once(tmp_path: Path, text: str, entries: int) -> None:
    (tmp_path / "feed.xml").write_text(text)
    *before, last = read_products(tmp_path / "feed.xml", media_root=None)
    assert len(before) == entries
    assert isinstance(last, FeedError)
    assert last.place == str(tmp_path / "feed.xml")


def test_a_large_xml_feed_does_not_stay_in_memory(tmp_path: Path) -> None:
    head, item = RSS.partition("<item>")[0], "<item><g:id>a</g:id><x>" + "y" * 1000 + "</x></item>"
    (tmp_path / "feed.xml").write_text(head + item * 3000 + "</channel></rss>")
    tracemalloc.start()
    assert sum(1 for _ in read_products(tmp_path / "feed.xml", media_root=None)) == 3000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_500_000  # the file has 3 MB


@given(
    st.dictionaries(st.text(max_size=10), st.text(max_size=20) | st.lists(st.text(max_size=5), max_size=2))
)
def test_merchant_fields_never_fail(fields: dict[str, str | list[str]]) -> None:
    assert all(value for value in product_data(fields).values())
