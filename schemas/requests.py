"""What travels on `taste-requests`, keyed by user id: requests to the one writer of tastes (internal)."""

from typing import Annotated

from pydantic import Base64Bytes, Field

from schemas.base import Record, UserId
from schemas.recommendations import Trigger


class TasteRequested(Record):
    """Somebody other than the shopper wants the shopper's set renewed."""

    user_id: UserId
    trigger: Trigger


class HandoverRequested(Record):
    """The anonymous `user_id` turned out to be `to_user_id` and is asked for its taste."""

    user_id: UserId
    to_user_id: UserId
    trigger: Trigger


class TasteHandedOver(Record):
    """The packed state of the anonymous `from_user_id`, for `user_id` to merge; none if nothing was known."""

    user_id: UserId
    from_user_id: UserId
    state: Annotated[Base64Bytes, Field(max_length=1_500_000)] | None = None
    trigger: Trigger


class ErasureRequested(Record):
    """`user_id`, once an anonymous id of an erased user, is to be erased with it."""

    user_id: UserId
    trigger: Trigger
