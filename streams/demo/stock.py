"""What the demo sells: a catalogue it draws itself, or a folder of photos.

In: where to draw, or a folder. Out: `Stock`: products to publish, and for each what can be said about it, so
that a taste can be told from the catalogue. Fails with StockError for a folder without photos.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from models.datasets.drawn import DrawnProduct, photo_name, write_catalogue
from schemas.products import Price, ProductUploaded
from streams.feeds import FeedError, read_products

DRAWN_SEED = 7
DRAWN_COUNT = 640


class StockError(ValueError):
    """There is nothing to sell."""


@dataclass(frozen=True, slots=True)
class Stock:
    """Products and the attributes of each ("shorts", "floral", "urban"; a photo folder's sub-folder).

    Attributes:
        media_root: the folder that the products' image_links are relative to.
        products: by product id.
        attributes: what is true of each product, for choosing and counting, never shown to lookstream.
    """

    media_root: Path
    products: Mapping[str, ProductUploaded]
    attributes: Mapping[str, frozenset[str]]

    def having(self, attribute: str) -> list[str]:
        """Ids of the products that have an attribute."""
        return [product_id for product_id, known in self.attributes.items() if attribute in known]

    def share(self, attribute: str) -> float:
        """Its share of the catalogue."""
        return len(self.having(attribute)) / max(1, len(self.products))


def drawn_stock(folder: Path, progress: Callable[[int, int], None] | None = None) -> Stock:
    """The drawn catalogue, drawn into `folder` where it is not yet."""
    drawn = write_catalogue(folder, DRAWN_SEED, DRAWN_COUNT, progress)
    return Stock(
        media_root=folder,
        products={product.product_id: _uploaded(product) for product in drawn},
        attributes={product.product_id: _attributes(product) for product in drawn},
    )


def photo_stock(folder: Path) -> Stock:
    """The photos below a folder; the sub-folder is what is known about each."""
    items = list(read_products(folder, media_root=folder))
    products = {item.id: item for item in items if not isinstance(item, FeedError)}
    if not products:
        raise StockError(
            f"{folder}: got no photos (JPEG, PNG, WebP), expected some, in sub-folders by category"
        )
    attributes = {pid: frozenset({p.category} if p.category else ()) for pid, p in products.items()}
    return Stock(folder, products, attributes)


def _uploaded(product: DrawnProduct) -> ProductUploaded:
    return ProductUploaded(
        id=product.product_id,
        image_link=photo_name(product),
        title=product.title,
        price=Price(**product.price),
        brand=product.brand,
    )


def _attributes(product: DrawnProduct) -> frozenset[str]:
    garment = product.sold_garment
    return frozenset({garment.category, garment.pattern, garment.colour, *product.styles})
