"""Interests: what a taste points at, a deterministic function of its contributions. Pure.

In: a `Taste`. Out: `Interest`s, each a centroid, a weight and its contributions with their decayed weights.
In this version there is one over everything (the rolling centroid of Fashion Collection, weighted and
decayed); callers treat them as several.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.taste.contributions import Contribution, Taste, TasteSettings, net

MAX_PUSH: Final = 0.5


@dataclass(frozen=True, slots=True)
class Interest:
    """Something the shopper likes.

    Attributes:
        centroid: (D,) unit float32, the normalised weighted mean.
        weight: never negative.
        contributions: those it is made of, with `weights`, both ordered strongest first.
        weights: decayed signed weights.
    """

    centroid: NDArray[np.float32]
    weight: float
    contributions: tuple[Contribution, ...]
    weights: tuple[float, ...]


def interests(taste: Taste, settings: TasteSettings) -> tuple[Interest, ...]:
    """The taste's interests, heaviest first; none where nothing positive is left."""
    held = net(taste.contributions)
    # Of what counts only: buying and giving back leaves every weight as it was.
    as_of_s = replace(taste, contributions=held).newest_s
    weights = tuple(c.decayed(as_of_s, settings.half_life_s) for c in held)
    pulled = [weight * c.embedding for c, weight in zip(held, weights, strict=True) if weight > 0]
    pushed = [weight * c.embedding for c, weight in zip(held, weights, strict=True) if weight < 0]
    total = sum(weight for weight in weights if weight > 0)
    if taste.forgotten is not None:
        rest = taste.forgotten.at(as_of_s, settings.half_life_s)
        pulled.append(rest.positive)
        pushed.append(-rest.negative)
        total += rest.positive_weight
    if total <= 0.0:
        return ()
    centroid = _unit(_turned(np.sum(pulled, axis=0), np.sum(pushed, axis=0)))
    if centroid is None:
        return ()
    return (Interest(centroid, float(total), held, weights),)


def _turned(pulled: NDArray[np.float32], pushed: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sum of both, the push no longer than MAX_PUSH of the pull: it turns the centroid by 30° at most.

    Else one dismissal after one view would recommend whatever is least like the dismissed garment.
    """
    pull, push = float(np.linalg.norm(pulled)), float(np.linalg.norm(pushed))
    return pulled + pushed * np.float32(min(1.0, MAX_PUSH * pull / push)) if push > 0.0 else pulled


def _unit(summed: NDArray[np.float32]) -> NDArray[np.float32] | None:
    length = float(np.linalg.norm(summed))
    return (summed / length).astype(np.float32) if length > 1e-6 else None
