"""What every record of the contract shares: extra fields tolerated, text bounded, ids printable."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _printable(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("a non-blank string without control characters")
    return text


def no_truth(value: object) -> object:
    """`true` is no number, although Python counts it as 1."""
    if isinstance(value, bool):
        raise ValueError("a number")
    return value


ProductId = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_printable)]
UserId = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_printable)]
GarmentId = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_printable)]
OpaqueId = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_printable)]
Text = Annotated[str, Field(max_length=5000)]
Label = Annotated[str, Field(max_length=750)]
Link = Annotated[str, Field(max_length=2000)]


class Record(BaseModel):
    """A frozen record of the wire contract. Unknown fields are dropped: producers may be newer."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False, str_strip_whitespace=False)
