"""From a plan to a picture's contents: the garment laid flat, or a figure in a whole outfit.

In: a seed and an index. Out: a `Scene`: view, backdrop, pieces from back to front, garments. Pure.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

import numpy as np

from models.datasets.drawn import figure
from models.datasets.drawn.backdrop import FLAT, WORN
from models.datasets.drawn.bags import flat_bag, worn_bag
from models.datasets.drawn.bodice import build
from models.datasets.drawn.body import SPREAD, Body, dummy, standing
from models.datasets.drawn.cuts import Cut
from models.datasets.drawn.fabric import make_fabric
from models.datasets.drawn.feet import worn_shoes
from models.datasets.drawn.footwear import flat_shoes
from models.datasets.drawn.geometry import rotate
from models.datasets.drawn.hats import flat_hat, worn_hat
from models.datasets.drawn.head import head
from models.datasets.drawn.look import Look, make_look
from models.datasets.drawn.lower_cuts import LowerCut
from models.datasets.drawn.lowers import build_lower
from models.datasets.drawn.noise import seeded
from models.datasets.drawn.outfit import Outfit, make_outfit
from models.datasets.drawn.paint import View
from models.datasets.drawn.pieces import Dressed, Piece
from models.datasets.drawn.plan import Item, Plan, make_plan

FLAT_PX, TALL_PX, WORN_PX = (360, 360), (320, 420), (320, 420)
FIGURE_HEAD_PX = 48.5
IN_BOOTS = 0.91  # as much of the leg as trousers cover that are tucked into boots
TUCKED_HEM = 3.45  # just below the waistband that covers it


@dataclass
class Scene:
    """A picture that is yet to be painted; `items[i]` is the garment whose pieces have owner i."""

    plan: Plan
    view: View
    backdrop: str
    seed: str
    items: list[Item]
    pieces: list[Piece] = field(default_factory=list)


def compose(seed: int, index: int) -> Scene:
    """The contents of the picture of product `index`."""
    plan = make_plan(seed, index)
    rng = seeded(seed, "scene", index)
    return _worn(plan, rng, f"{seed}/{index}") if plan.worn else _flat(plan, rng, f"{seed}/{index}")


def _flat(plan: Plan, rng: random.Random, seed: str) -> Scene:
    dressed = _flat_garment(plan.item, plan.masculine, rng).owned(0)
    tip = rng.uniform(-3.5, 3.5)
    pieces = [p.moved(lambda q: rotate(q, tip, (0.0, 3.0))) for p in dressed.flat()]
    every = np.concatenate([s for p in pieces for s in p.shapes])
    low, high = every.min(axis=0), every.max(axis=0)
    wide, tall = high - low
    size = TALL_PX if tall > 1.55 * wide else FLAT_PX
    head_px = float(min(size[0] * rng.uniform(0.78, 0.84) / wide, size[1] * rng.uniform(0.82, 0.87) / tall))
    middle = (low + high) / 2 * head_px
    view = View(*size, head_px, size[0] / 2 - float(middle[0]), size[1] / 2 - float(middle[1]) - 2)
    return Scene(plan, view, rng.choice(FLAT), seed, [plan.item], pieces)


def _flat_garment(item: Item, masculine: bool, rng: random.Random) -> Dressed:
    fabric = make_fabric(item.pattern, item.colour, rng)
    cut = item.cut
    if isinstance(cut, Cut):
        return build(cut, _spread(cut, masculine), fabric, rng)
    if isinstance(cut, LowerCut):
        return build_lower(cut, dummy(masculine), fabric, rng, None)
    if item.category == "shoes":
        return flat_shoes(cut, fabric)
    return flat_bag(cut, fabric) if item.category == "bag" else flat_hat(cut, fabric)


def _spread(cut: Cut, masculine: bool) -> Body:
    """Short sleeves lie further out than long ones."""
    body = dummy(masculine)
    if cut.sleeve > 0.6:
        return body
    return replace(body, pose=replace(SPREAD, elbows=((0.72, 0.98),) * 2, wrists=((1.3, 1.9),) * 2))


def _worn(plan: Plan, rng: random.Random, seed: str) -> Scene:
    outfit = make_outfit(plan, rng)
    body = standing(plan.masculine, rng, plan.item.part)
    look = make_look(plan.masculine, outfit.hat is not None, rng)
    items = outfit.items()
    dress = _Dresser(outfit, body, look, rng)
    pieces = dress.pieces()
    sway = rng.uniform(-8, 8)
    head_px = FIGURE_HEAD_PX * (0.965 if plan.masculine else 0.95) * rng.uniform(0.985, 1.01)
    view = View(*WORN_PX, head_px, WORN_PX[0] / 2 + sway, WORN_PX[1] - 16 - 7.8 * head_px)
    kind = "street" if plan.urban and rng.random() < 0.85 else rng.choice(WORN)
    return Scene(plan, view, kind, seed, items, pieces)


class _Dresser:
    """Puts an outfit on a body, layer by layer."""

    def __init__(self, outfit: Outfit, body: Body, look: Look, rng: random.Random) -> None:
        self.outfit, self.body, self.look, self.rng = outfit, body, look, rng
        self.layers = {id(item): self._cut_out(item).owned(i) for i, item in enumerate(outfit.items())}

    def _cut_out(self, item: Item) -> Dressed:
        fabric = make_fabric(item.pattern, item.colour, self.rng)
        cut, body = item.cut, self.body
        if isinstance(cut, Cut):
            if item is self.outfit.upper and self.outfit.tucked:
                cut = replace(cut, hem=TUCKED_HEM, ribbed=False, flare=0.0)
            return build(cut, body, fabric, self.rng, opened=item is self.outfit.outer and self.outfit.opened)
        if isinstance(cut, LowerCut):
            if self.outfit.boots_over:
                cut = replace(cut, length=IN_BOOTS)
            return build_lower(cut, body, fabric, self.rng, self.look.skin)
        if item.category == "shoes":
            return worn_shoes(cut, body, fabric, self.look.skin_fabric)
        if item.category == "bag":
            return worn_bag(cut, body, fabric, self.outfit.bag_side)
        return Dressed(front=worn_hat(cut, fabric))

    def _of(self, item: Item | None) -> Dressed:
        return self.layers[id(item)] if item is not None else Dressed()

    def pieces(self) -> list[Piece]:
        """Everything from back to front."""
        wear, body, look = self.outfit, self.body, self.look
        main, lower, outer = self._of(wear.upper), self._of(wear.lower), self._of(wear.outer)
        shoes, bag = self._of(wear.shoes), self._of(wear.bag)
        hair, face = head(body, look, self._of(wear.hat).front)
        trunk = [*lower.body, *main.body] if not wear.tucked else [*main.body, *lower.body]
        arms = [(side, self._arm(side, main, outer)) for side in (0, 1)]
        away = [p for side, pieces in arms if body.pose.behind[side] for p in pieces]
        near = [p for side, pieces in arms if not body.pose.behind[side] for p in pieces]
        hands = [p for side in (0, 1) if not body.pose.behind[side] for p in figure.hand(body, look, side)]
        feet = [*figure.legs(body, look), *shoes.body] if not wear.boots_over else figure.legs(body, look)
        late_shoes = shoes.body if wear.boots_over else []
        back = [*bag.behind, *hair, *outer.behind, *main.behind, *away]
        sleeved = any(isinstance(i.cut, Cut) and i.cut.sleeve for i in (wear.upper, wear.outer) if i)
        skin = [*figure.torso(body, look, sleeved), *feet]
        if wear.bag is not None and wear.bag.cut == "backpack":
            return [*back, *skin, *trunk, *late_shoes, *outer.body, *bag.front, *near, *hands, *face]
        return [*back, *skin, *trunk, *late_shoes, *outer.body, *near, *bag.front, *hands, *face]

    def _arm(self, side: int, main: Dressed, outer: Dressed) -> list[Piece]:
        """Skin and sleeves of one side; a bare shoulder stays with the trunk."""
        lengths = [
            i.cut.sleeve for i in (self.outfit.upper, self.outfit.outer) if i and isinstance(i.cut, Cut)
        ]
        pieces = figure.arm(self.body, self.look, side, max(lengths) * 0.8)
        # A sleeve inside a longer one is not seen.
        for dressed in (main, outer) if lengths[0] == max(lengths) else (outer,):
            half = len(dressed.arms) // 2
            pieces += dressed.arms[side * half : (side + 1) * half]
        return pieces
