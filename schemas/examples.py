"""One example of the data of every event type, for the documents that are generated and for trying things.

Out: `EXAMPLES`, event type → data, each valid under its record.
"""

from typing import Any, Final

from schemas.events import PRODUCT_ACTIONS

_TIME: Final = "2026-01-31T12:00:00.000Z"
_PRICE: Final = {"value": 49.9, "currency": "EUR"}
_BOX: Final = [12.0, 40.0, 310.0, 420.0]
_VERSION: Final = {"event_time_s": 1769860800.0, "offset": 4711}
_TRIGGER: Final = {"type": "product.viewed", "id": "click-1", "time": _TIME}
_GARMENT_ID: Final = "6f1f6a54-6a9b-5a43-9a5e-0c5d8a3a2b11"

_PRODUCT: Final[dict[str, Any]] = {
    "id": "sku-9",
    "title": "Linen shorts",
    "link": "https://shop.example/sku-9",
    "image_link": "shorts/sku-9.jpg",
    "additional_image_link": ["shorts/sku-9-back.jpg"],
    "price": _PRICE,
    "availability": "in_stock",
    "brand": "Example",
    "item_group_id": "linen-shorts",
    "color": "blue",
    "gender": "female",
    "age_group": "adult",
    "category": "Apparel > Shorts",
}
_INTERACTION: Final[dict[str, Any]] = {
    "user_id": "alice",
    "product_id": "sku-9",
    "garment_id": _GARMENT_ID,
    "session_id": "session-1",
    "quantity": 1,
    "recommendation_id": "1f4a2f0e-7a4f-5bb0-8a52-2f9f0c6c1d10",
}
_SHOWN: Final = {name: _PRODUCT[name] for name in ("title", "link", "image_link", "price")}
_SET: Final[dict[str, Any]] = {
    "user_id": "alice",
    "recommendation_id": "1f4a2f0e-7a4f-5bb0-8a52-2f9f0c6c1d10",
    "revision": 17,
    "generated_at": "2026-01-31T12:00:00.023Z",
    "strategy": "taste",
    "trigger": _TRIGGER,
    "includes": ["click-1"],
    "through": {"partition": 3, "offset": 4711},
    "latency_ms": 23.4,
    "model": {"detector": "whole-photo-1", "embedder": "lite0-pca256-1"},
    "items": [
        {
            "rank": 1,
            "product_id": "sku-9",
            "garment_id": _GARMENT_ID,
            "part": "lower",
            "category": "shorts",
            "score": 0.83,
            "slot": "taste",
            "box_xyxy": _BOX,
            **_SHOWN,
            "because": {
                "product_id": "sku-3",
                "garment_id": "0c7de6d2-5ba6-5d4c-8f6e-7f6f1d9f7c02",
                "action": "product.viewed",
                "share": 0.41,
            },
        }
    ],
}

EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "product.uploaded": _PRODUCT,
    "product.updated": {"id": "sku-9", "price": _PRICE, "availability": "out_of_stock"},
    "product.removed": {"id": "sku-9"},
    **dict.fromkeys(PRODUCT_ACTIONS, _INTERACTION),
    "shopper.arrived": {"user_id": "alice", "gender": "female", "age_group": "adult"},
    "recommendations.viewed": {
        "user_id": "alice",
        "recommendation_id": _SET["recommendation_id"],
        "product_ids": ["sku-9"],
    },
    "user.identified": {"user_id": "alice", "anonymous_id": "visitor-1"},
    "user.erased": {"user_id": "alice"},
    "garments.indexed": {
        "product_id": "sku-9",
        "version": _VERSION,
        **_SHOWN,
        "availability": "in_stock",
        "garments": [
            {
                "garment_id": _GARMENT_ID,
                "part": "lower",
                "category": "shorts",
                "box_xyxy": _BOX,
                "score": 0.97,
                "image": 0,
                "pose": {"full_shot": True, "front_facing": True, "gate": "pose-light-1"},
            }
        ],
        "detector": "whole-photo-1",
        "embedder": "lite0-pca256-1",
    },
    "garments.updated": {
        "product_id": "sku-9",
        "version": _VERSION,
        **_SHOWN,
        "availability": "out_of_stock",
    },
    "garments.removed": {"product_id": "sku-9", "version": _VERSION, "reason": "removed"},
    "taste.requested": {"user_id": "alice", "trigger": _TRIGGER},
    "taste.handover_requested": {"user_id": "visitor-1", "to_user_id": "alice", "trigger": _TRIGGER},
    "taste.handed_over": {
        "user_id": "alice",
        "from_user_id": "visitor-1",
        "state": "TFMx",
        "trigger": _TRIGGER,
    },
    "taste.erasure_requested": {"user_id": "visitor-1", "trigger": _TRIGGER},
    "recommendations.updated": _SET,
    "shopper.erased": {"user_id": "alice"},
    "rule.set": {
        "id": "no-fur",
        "action": "block",
        "category": "fur",
    },
}
