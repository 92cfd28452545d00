"""The parts of a body that garments belong to, as every event, index and taste names them."""

from typing import Final, Literal, get_args

Part = Literal["upper", "lower", "full_body", "footwear", "bag", "headwear", "accessory", "whole"]

PARTS: Final[tuple[Part, ...]] = get_args(Part)
