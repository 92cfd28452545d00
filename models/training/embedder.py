"""Trains the embedder: resumable, seeded, on CPU or GPU, with a learning curve.

In: items (`embedder_views`) and options. Out: in the output folder `views.npy` (what the frozen blocks make
of every view, computed once), `state.pt` (to go on from), `log.jsonl`, `curve.png` and `embedder.safetensors`
(the averaged weights in half precision). The same items, options and machine give the same weights. Raises
ValueError for too few items or a `state.pt` of other options, FloatingPointError when the loss is no number.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import AdamW
from tqdm import tqdm

from models.detection.kinds import CATEGORY_NAMES
from models.embedder_net import KINDS, LOOK_DIM, EmbedderNet, lab_cells
from models.lite0 import FEATURES
from models.training.detector_curve import curve
from models.training.embedder_batches import disturbed, palette
from models.training.embedder_loss import contrast_loss, kind_loss, triplet_loss
from models.training.embedder_settle import settle
from models.training.embedder_views import PAIR_SHARES, PAIRS, VIEWS, Item, item_views

Loss = Literal["looks", "triplet"]
_EMA, _CLIP, _LAST_RATE, _MEMORY = 0.995, 5.0, 0.01, 1536
_DROPOUT, _CATEGORY_SHARE = 0.3, 0.3
MODEL_FILE: Final = "embedder.safetensors"


@dataclass(frozen=True)
class Options:
    """How to train; `rate` is the learning rate of the heads, the trunk has a sixth or so of it.

    `batch` garments a step, two views each; `side_px` of the views (a multiple of 32; smaller than in use,
    because what is learned on small pictures serves large ones and costs less); `log_every` steps the state
    is kept; after them the looks settle for `settling` steps (`embedder_settle`).
    """

    steps: int = 500
    batch: int = 48
    seed: int = 0
    loss: Loss = "looks"
    rate: float = 2e-3
    trunk_rate: float = 3e-4
    side_px: int = 192
    log_every: int = 20
    settling: int = 400
    device: str = "cpu"


class Trainer:
    """A training that can be stopped at any time and gone on with from the last kept step."""

    def __init__(self, items: Sequence[Item], options: Options, folder: Path) -> None:
        """Take up the training in `folder` where it stopped, or begin one there."""
        if len(items) < 2:
            raise ValueError(f"train: got {len(items)} garments, expected at least 2")
        torch.manual_seed(options.seed)
        self.items, self.options, self.folder = items, options, folder
        self.net = EmbedderNet()
        self.categories = nn.Linear(FEATURES, len(CATEGORY_NAMES))  # teaches; not part of the checkpoint
        self.allowed = torch.zeros(len(items), len(KINDS), dtype=torch.bool)
        for number, item in enumerate(items):
            self.allowed[number, list(item.kinds)] = True
        self.category = torch.tensor([item.category for item in items])
        self.net.stem.requires_grad_(False)
        self.net.lower.requires_grad_(False)
        folder.mkdir(parents=True, exist_ok=True)
        self.maps = self._maps()
        self.net.to(options.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.categories.to(options.device)
        self.averaged = copy.deepcopy(self.net).requires_grad_(False)
        self.optimizer = AdamW(self._groups(), betas=(0.9, 0.99))
        self.step = 0
        self.history: list[dict[str, float]] = []
        self.remembered = torch.zeros(0, LOOK_DIM, device=options.device)
        self.of_garments = torch.zeros(0, dtype=torch.long)
        if self._state_file.exists():
            self._take_up()

    @property
    def _state_file(self) -> Path:
        return self.folder / "state.pt"

    def _groups(self) -> list[dict[str, Any]]:
        trunk = [*self.net.upper.parameters(), *self.net.head.parameters()]
        heads = [
            *self.net.to_kinds.parameters(),
            *self.net.to_looks.parameters(),
            *self.categories.parameters(),
        ]
        trunk_group = {"params": trunk, "base": self.options.trunk_rate, "weight_decay": 0.02}
        return [trunk_group, {"params": heads, "base": self.options.rate, "weight_decay": 0.01}]

    def _maps(self) -> NDArray[np.float16]:
        """What the frozen blocks make of every view, (items, VIEWS, 40, h, w), computed or read again."""
        side, file = self.options.side_px, self.folder / "views.npy"
        shape = (len(self.items), VIEWS, 40, side // 8, side // 8)
        known: NDArray[np.float16]
        if file.exists() and self._state_file.exists():
            known = np.load(file, mmap_mode="r", allow_pickle=False)
            if known.shape != shape:
                raise ValueError(f"{file}: got views of shape {known.shape}, expected {shape}")
            self.net.colours.copy_(torch.load(self._state_file, weights_only=True)["net"]["colours"])
            return known
        found = np.lib.format.open_memmap(file, "w+", np.float16, shape)
        views = item_views(self.items, side, self.options.seed)
        cells, sampled = [], np.random.default_rng(self.options.seed)
        bar = tqdm(range(len(self.items)), "views of garments", disable=None)
        for number in bar:
            pictures = torch.from_numpy(np.stack([next(views) for _ in range(VIEWS)]))
            with torch.inference_mode():
                found[number] = self.net.maps(pictures).numpy()
                cells.append(lab_cells(pictures[:1])[0, sampled.integers(0, 1024, 12)].numpy())
        self.net.colours.copy_(torch.from_numpy(palette(np.concatenate(cells), self.options.seed)))
        self._begin(found)
        return found

    @torch.no_grad()
    def _begin(self, maps: NDArray[np.float16]) -> None:
        """Begin the looks as the principal components of ImageNet's features, the other heads at nothing."""
        step = max(1, len(maps) // 1000)
        rows = [
            self.net.features(torch.from_numpy(np.asarray(found[:1])).float())[0] for found in maps[::step]
        ]
        features = torch.cat(rows)
        mean, count = features.mean(0), min(LOOK_DIM, *features.shape)
        components = torch.linalg.svd(features - mean, full_matrices=False)[2][:count]
        self.net.to_looks.weight[:, :FEATURES].zero_()
        self.net.to_looks.weight[:count, :FEATURES] = 2 * components
        self.net.to_looks.weight[:, FEATURES:].normal_(std=0.01)
        self.net.to_looks.bias.copy_(-(self.net.to_looks.weight[:, :FEATURES] @ mean))
        for head in (self.net.to_kinds, self.categories):
            head.weight.zero_(), head.bias.zero_()

    def run(self) -> Path:
        """Train to the last step and return the checkpoint."""
        bar = tqdm(total=self.options.steps, initial=self.step, desc="training", disable=None)
        sums: dict[str, float] = {}
        batches = self._batches()
        for _ in range(self.step):
            next(batches)  # the same order, whether stopped in between or not
        while self.step < self.options.steps:
            for name, value in self._one_step(*next(batches)).items():
                sums[name] = sums.get(name, 0.0) + value
            self.step += 1
            bar.update()
            if self.step % self.options.log_every == 0 or self.step == self.options.steps:
                steps = (self.step - 1) % self.options.log_every + 1
                row = {name: round(value / steps, 4) for name, value in sums.items()}
                self.history.append({"epoch": float(self.step), **row})
                sums = {}
                self._keep()
        bar.close()
        if self.options.loss == "looks":
            settled = copy.deepcopy(self.averaged)
            settle(
                settled,
                self.maps,
                steps=self.options.settling,
                seed=self.options.seed,
                device=self.options.device,
            )
            safetensors.torch.save_file(half(settled.state_dict()), self.folder / MODEL_FILE)
        return self.folder / MODEL_FILE

    def _batches(self) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], np.random.Generator]]:
        """Yield garments (batch,), two views of each (2, batch), and the chance for the rest of the step."""
        random = np.random.default_rng(self.options.seed)
        order: list[int] = []
        size = min(self.options.batch, len(self.items))
        number = 0
        while True:
            if len(order) < size:
                order = random.permutation(len(self.items)).tolist()
            garments, order = np.array(order[:size]), order[size:]
            pairs = np.array(PAIRS)[random.choice(len(PAIRS), size, p=PAIR_SHARES)]
            yield garments, pairs.T, np.random.default_rng((self.options.seed, number))
            number += 1

    def _one_step(
        self, garments: NDArray[np.intp], views: NDArray[np.intp], random: np.random.Generator
    ) -> dict[str, float]:
        options = self.options
        torch.manual_seed(options.seed + self.step)  # dropout, whether stopped in between or not
        rate = min(1.0, (self.step + 1) / 30) * (1 + math.cos(math.pi * self.step / options.steps)) / 2
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * max(rate, _LAST_RATE)
        twice = np.concatenate([garments, garments])
        maps = disturbed(np.asarray(self.maps[twice, views.ravel()]), random).to(options.device)
        pooled, textures = self.net.features(maps)
        found = self.net.blocks(pooled, textures, dropout=_DROPOUT)
        rows = torch.from_numpy(twice)
        losses = self._losses(found.kinds, found.looks, pooled, rows)
        whole = torch.stack(list(losses.values())).sum()
        if not math.isfinite(whole.item()):
            raise FloatingPointError(f"train: the loss of step {self.step + 1} is {whole.item()}")
        self.optimizer.zero_grad()
        whole.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_([w for w in self.net.parameters() if w.requires_grad], _CLIP)
        self.optimizer.step()
        self.remembered = torch.cat([found.looks.detach(), self.remembered])[:_MEMORY]
        self.of_garments = torch.cat([rows, self.of_garments])[:_MEMORY]
        self._average(min(_EMA, (self.step + 1) / (self.step + 10)))
        return {name: value.item() for name, value in losses.items()}

    def _losses(self, kinds: Tensor, looks: Tensor, pooled: Tensor, rows: Tensor) -> dict[str, Tensor]:
        device = self.options.device
        garments, allowed = rows.to(device), self.allowed[rows].to(device)
        if self.options.loss == "triplet":
            affinities = kinds.softmax(1).clamp_min(1e-9).sqrt()
            alike = (allowed[:, None] & allowed[None]).any(dim=2)
            same = garments[:, None] == garments[None]
            return {"kind": triplet_loss(affinities, alike), "look": triplet_loss(looks, same)}
        category = self.category[rows].to(device)
        known = category >= 0
        named = self.categories(functional.dropout(pooled, _DROPOUT))[known]
        of_categories = functional.cross_entropy(named, category[known], label_smoothing=0.1, reduction="sum")
        return {
            "kind": kind_loss(kinds, allowed),
            "look": contrast_loss(looks, garments, self.remembered, self.of_garments.to(device)),
            "category": _CATEGORY_SHARE * of_categories / known.sum().clamp_min(1),
        }

    @torch.no_grad()
    def _average(self, kept: float) -> None:
        pairs = zip(self.averaged.parameters(), self.net.parameters(), strict=True)
        for mean, weight in pairs:
            mean.lerp_(weight, 1 - kept)

    def _keep(self) -> None:
        state = {
            "options": asdict(self.options),
            "step": self.step,
            "net": self.net.state_dict(),
            "categories": self.categories.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "remembered": self.remembered,
            "of_garments": self.of_garments,
            "history": self.history,
        }
        partial = self.folder / "state.partial"
        torch.save(state, partial)
        partial.replace(self._state_file)
        lines = "".join(json.dumps(row) + "\n" for row in self.history)
        (self.folder / "log.jsonl").write_text(lines, encoding="utf-8")
        curve(self.history).save(self.folder / "curve.png")
        safetensors.torch.save_file(half(self.averaged.state_dict()), self.folder / MODEL_FILE)

    def _take_up(self) -> None:
        state = torch.load(self._state_file, map_location=self.options.device, weights_only=True)
        before, now = dict(state["options"]), asdict(self.options)
        for name in ("steps", "device"):  # more or fewer steps only bend the learning rate
            before.pop(name), now.pop(name)
        if before != now:
            raise ValueError(f"{self._state_file}: trained with {before}, expected {now}")
        self.net.load_state_dict(state["net"])
        self.categories.load_state_dict(state["categories"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.remembered, self.of_garments = state["remembered"], state["of_garments"].cpu()
        self.step, self.history = state["step"], state["history"]


def half(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights in float16."""
    return {name: value.detach().cpu().half().contiguous() for name, value in state.items()}
