"""Trains the detector: resumable, seeded, on CPU or GPU, with a learning curve.

In: sources (`detector_sources`) and options. Out: in the output folder, after every epoch `state.pt` (to go
on from), `log.jsonl` (one line an epoch) and `curve.png`, and `detector.safetensors` (the averaged weights in
half precision). The same sources, options and machine give the same weights. Raises ValueError for no photos
or a `state.pt` of other options, FloatingPointError when the loss is no number any more.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import safetensors.torch
import torch
from torch import Tensor
from torch.optim import AdamW
from tqdm import tqdm

from models.detection.network import DetectorNet, places_xy, scaled
from models.lite0 import fast_bf16
from models.training.detector_curve import curve
from models.training.detector_loss import Losses, Truth, losses
from models.training.detector_sources import Source, rare_repeated
from models.training.detector_views import View, Views

# Height and width; most photos of people stand upright.
CANVASES: Final = ((384, 256), (320, 320), (256, 384))
_CANVAS_SHARES: Final = (0.84, 0.08, 0.08)
_WEIGHT_DECAY, _CLIP, _WARM_UP_STEPS, _LAST_RATE = 0.02, 5.0, 200, 0.01
_EMA: Final = 0.998
_MODEL_FILE: Final = "detector.safetensors"


@dataclass(frozen=True)
class Options:
    """How to train; `rate` is the learning rate of all that is new, the trunk has a fifth of it."""

    epochs: int = 30
    batch: int = 8
    seed: int = 0
    rate: float = 1.5e-3
    single_share: float = 0.25
    device: str = "cpu"


class Trainer:
    """A training that can be stopped after any epoch and gone on with."""

    def __init__(
        self, street: Sequence[Source], single: Sequence[Source], options: Options, folder: Path
    ) -> None:
        """Take up the training in `folder` where it stopped, or begin one there."""
        if not street and not single:
            raise ValueError("train: got no photos, expected at least one with a garment")
        torch.manual_seed(options.seed)
        self.options, self.folder = options, folder
        street, single = rare_repeated(street), rare_repeated(single)
        self.views = Views(street, single, single_share=options.single_share)
        photos = len(street) / (1 - options.single_share) if street else len(single)
        self.steps = max(1, round(photos / options.batch))
        self.street = max(1, len(street))
        self.net = DetectorNet().to(options.device)
        self.averaged = copy.deepcopy(self.net).requires_grad_(False)
        self.optimizer = AdamW(self._groups(), lr=options.rate, weight_decay=_WEIGHT_DECAY)
        self.epoch = 0
        self.history: list[dict[str, float]] = []
        folder.mkdir(parents=True, exist_ok=True)
        if self._state_file.exists():
            self._take_up()

    @property
    def _state_file(self) -> Path:
        return self.folder / "state.pt"

    def _groups(self) -> list[dict[str, Any]]:
        named = [(name, weight) for name, weight in self.net.named_parameters() if weight.requires_grad]
        trunk = [weight for name, weight in named if name.startswith("blocks.")]
        rest = [weight for name, weight in named if not name.startswith("blocks.")]
        return [{"params": trunk, "share": 0.2}, {"params": rest, "share": 1.0}]

    def run(self, measure: Callable[[DetectorNet], dict[str, float]] | None = None, every: int = 5) -> Path:
        """Train to the last epoch and return the checkpoint; `measure` adds to the log every few epochs."""
        while self.epoch < self.options.epochs:
            started = time.monotonic()
            row = {"epoch": self.epoch + 1.0, **self._one_epoch()}
            self.epoch += 1
            row["seconds"] = round(time.monotonic() - started, 1)
            if measure is not None and (self.epoch % every == 0 or self.epoch == self.options.epochs):
                row |= measure(self.averaged.eval())
            self.history.append(row)
            self._keep()
        return self.folder / _MODEL_FILE

    def _one_epoch(self) -> dict[str, float]:
        sums: dict[str, float] = dict.fromkeys(Losses._fields, 0.0)
        random = np.random.default_rng((self.options.seed, self.epoch))
        order = random.permutation(self.street)
        bar = tqdm(range(self.steps), f"epoch {self.epoch + 1} of {self.options.epochs}", disable=None)
        for step in bar:
            size = CANVASES[random.choice(len(CANVASES), p=_CANVAS_SHARES)]
            turns = range(step * self.options.batch, (step + 1) * self.options.batch)
            batch = [self.views.view(int(order[turn % self.street]), size, random) for turn in turns]
            found = self._step(batch, step)
            for name, value in found.items():
                sums[name] += value / self.steps
            bar.set_postfix(loss=f"{found['whole']:.3f}")
        return {name: round(value, 4) for name, value in sums.items()}

    def _step(self, batch: Sequence[View], step: int) -> dict[str, float]:
        done = self.epoch * self.steps + step
        rate = self.options.rate * _rate(done, self.options.epochs * self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]
        device = self.options.device
        pictures = torch.from_numpy(np.stack([view.pixels for view in batch])).to(device)
        places, strides = (found.to(device) for found in places_xy(*batch[0].pixels.shape[:2]))
        self.net.train()
        with torch.autocast(device.split(":")[0], torch.bfloat16, enabled=device != "cpu" or fast_bf16()):
            answers = self.net(scaled(pictures))
        found = losses(answers, [_truth(view, device) for view in batch], places, strides)
        if not math.isfinite(found.whole.item()):
            raise FloatingPointError(f"train: the loss of epoch {self.epoch + 1} is {found.whole.item()}")
        self.optimizer.zero_grad()
        found.whole.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_([w for w in self.net.parameters() if w.requires_grad], _CLIP)
        self.optimizer.step()
        self._average(min(_EMA, (1 + done) / (10 + done)))
        return {name: value.item() for name, value in found._asdict().items()}

    @torch.no_grad()
    def _average(self, kept: float) -> None:
        pairs = zip(self.averaged.parameters(), self.net.parameters(), strict=True)
        moving = [(mean, weight) for mean, weight in pairs if weight.requires_grad]
        torch._foreach_lerp_([mean for mean, _ in moving], [weight for _, weight in moving], 1 - kept)

    def _keep(self) -> None:
        state = {
            "options": asdict(self.options),
            "epoch": self.epoch,
            "net": self.net.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": self.history,
        }
        partial = self.folder / "state.partial"
        torch.save(state, partial)
        partial.replace(self._state_file)
        lines = "".join(json.dumps(row) + "\n" for row in self.history)
        (self.folder / "log.jsonl").write_text(lines, encoding="utf-8")
        curve(self.history).save(self.folder / "curve.png")
        safetensors.torch.save_file(half(self.averaged.state_dict()), self.folder / _MODEL_FILE)

    def _take_up(self) -> None:
        state = torch.load(self._state_file, map_location=self.options.device, weights_only=True)
        before, now = dict(state["options"]), asdict(self.options)
        # More or fewer epochs only bend the learning rate, and any device will do.
        for name in ("epochs", "device"):
            before.pop(name), now.pop(name)
        if before != now:
            raise ValueError(f"{self._state_file}: trained with {before}, expected {now}")
        self.net.load_state_dict(state["net"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.history = state["epoch"], state["history"]


def half(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights in float16, without what only training needs."""
    kept = {name: value for name, value in state.items() if not name.startswith("regions.")}
    return {name: value.detach().cpu().half().contiguous() for name, value in kept.items()}


def _rate(done: int, steps: int) -> float:
    """The share of the learning rate: a short rise, then half a cosine."""
    rise = min(1.0, (done + 1) / _WARM_UP_STEPS)
    return rise * (_LAST_RATE + (1 - _LAST_RATE) * (1 + math.cos(math.pi * min(1.0, done / steps))) / 2)


def _truth(view: View, device: str) -> Truth:
    return Truth(
        torch.from_numpy(view.boxes_xyxy).to(device),
        torch.from_numpy(view.kinds).to(device),
        torch.from_numpy(view.categories).to(device),
        torch.from_numpy(view.weights).to(device),
        torch.from_numpy(view.regions[4::8, 4::8].astype(np.int64)).to(device),
    )
