"""Feeds: files that catalogues and clickstreams have, as events to publish.

In: a folder of photos, JSON Lines, CSV/TSV or XML with Google Merchant's names; interactions as JSON Lines in
lookstream's, Segment's or Google Analytics 4's shape. Out: items, one per entry, read as they are asked for:
an event, a FeedError that names the entry and the reason, or FeedIgnored; nothing is skipped without a word.
What can fail: FeedUnreadable, before the first item, where the source is not there or in no known format.
"""

from streams.feeds.interactions import read_interactions
from streams.feeds.items import FeedError, FeedEvent, FeedIgnored, FeedItem, FeedUnreadable
from streams.feeds.products import read_product_events, read_products

__all__ = [
    "FeedError",
    "FeedEvent",
    "FeedIgnored",
    "FeedItem",
    "FeedUnreadable",
    "read_interactions",
    "read_product_events",
    "read_products",
]
