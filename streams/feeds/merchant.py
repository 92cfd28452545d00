"""Merchant feeds: CSV and TSV with Google Merchant's column names, and XML (RSS 2.0 and Atom).

In: a file. Out: per entry a place and product data in lookstream's names, or a FeedError: a malformed row or
entry, or the point at which the file ceases to be CSV or XML.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from streams.feeds.items import FeedError

DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}
XML_SUFFIX: Final = ".xml"
Entry = tuple[str, dict[str, Any] | FeedError]

_MAX_CELL_CHARS: Final = 24_000_000  # a photo as a data: URI
_GOOGLE: Final = "{http://base.google.com/ns/1.0}"
_ATOM: Final = "{http://www.w3.org/2005/Atom}"
_ENTRIES: Final = ("item", f"{_ATOM}entry")
_PRICE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Z]{3})")
_BETWEEN_LINKS: Final = re.compile(r"(?<!;base64),")
_AVAILABILITIES: Final = {"backorder": "preorder"}  # both can be ordered, and come later


def read_table(path: Path) -> Iterator[Entry]:
    """Place and product data of each row; the first line names the columns."""
    csv.field_size_limit(_MAX_CELL_CHARS)
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        rows = csv.reader(file, delimiter=DELIMITERS[path.suffix.lower()], strict=True)
        columns: list[str] | None = None
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield f"{path}:{rows.line_num}", FeedError(f"{path}:{rows.line_num}", f"not CSV: {error}")
                continue
            place = f"{path}:{rows.line_num}"
            if columns is None:
                columns = [_column(name) for name in row]
            elif len(row) > len(columns):
                yield (
                    place,
                    FeedError(place, f"{len(row)} cells, expected {len(columns)} as in the first line"),
                )
            elif any(cell.strip() for cell in row):
                yield place, product_data(dict(zip(columns, row, strict=False)))


def read_xml(path: Path) -> Iterator[Entry]:
    """Place and product data of each item (RSS) or entry (Atom). Entities and DTDs are refused."""
    count = 0
    open_elements: list[Element] = []
    try:
        with path.open("rb") as file:
            for event, element in iterparse(file, events=("start", "end"), forbid_dtd=True):
                if event == "start":
                    open_elements.append(element)
                    continue
                open_elements.pop()
                if element.tag in _ENTRIES:
                    count += 1
                    yield f"{path} entry {count}", product_data(_fields(element))
                    if open_elements:
                        open_elements[-1].clear()  # else a large feed stays in memory
    except (ParseError, DefusedXmlException, LookupError, ValueError) as error:
        reason = f"not XML that is accepted, nothing after entry {count} was read: {error}"
        yield str(path), FeedError(str(path), reason)
        return
    if count == 0:
        yield str(path), FeedError(str(path), "no <item> (RSS 2.0) and no <entry> (Atom)")


def product_data(fields: Mapping[str, str | list[str]]) -> dict[str, Any]:
    """Product data from Merchant's fields; what cannot be understood stays as it is, for validation to name.

    >>> product_data({"id": "1", "price": "49.90 EUR", "availability": "in stock"})
    {'id': '1', 'price': {'value': 49.9, 'currency': 'EUR'}, 'availability': 'in_stock'}
    """
    data: dict[str, Any] = {}
    for name, value in fields.items():
        text = value.strip() if isinstance(value, str) else value
        if not text:
            continue
        if name == "additional_image_link" and isinstance(text, str):
            data[name] = [link.strip() for link in _BETWEEN_LINKS.split(text) if link.strip()]
        elif name == "price" and isinstance(text, str) and (found := _PRICE.fullmatch(text)):
            data[name] = {"value": float(found[1]), "currency": found[2]}
        elif name == "availability" and isinstance(text, str):
            plain = text.lower().replace(" ", "_")
            data[name] = _AVAILABILITIES.get(plain, plain)
        elif name in ("gender", "age_group") and isinstance(text, str):
            data[name] = text.lower()
        else:
            data[name] = text
    for alternative in ("product_type", "google_product_category"):
        if alternative in data:
            data.setdefault("category", data[alternative])
    return data


def _column(name: str) -> str:
    return name.strip().lower().removeprefix("g:").replace(" ", "_")


def _fields(entry: Element) -> dict[str, str | list[str]]:
    """An entry's fields; g:title goes before title, Atom's link is an attribute."""
    fields: dict[str, str | list[str]] = {}
    more: list[str] = []
    for element in sorted(entry, key=lambda child: child.tag.startswith(_GOOGLE)):
        name = element.tag.removeprefix(_GOOGLE).removeprefix(_ATOM)
        text = "".join(element.itertext()).strip()
        if name == "additional_image_link":
            more += [text] if text else []
        elif name == "link" and not text:
            fields[name] = element.get("href", "")
        elif text:
            fields[name] = text
    if more:
        fields["additional_image_link"] = more
    return fields
