"""Fits the light pose gate on masks of clothes and measures it on photos it did not see.

In: Clothing Co-Parsing (photos of one standing person, masks, labels) and class folders of single garments,
in which nobody stands. Out: the checkpoint and its SHA-256 (for `models.weights`), and figures as JSON. The
last quarter of the photos, by name, is measured on and never trained on. The same photos on the same machine
give the same file. Fails with OSError for a folder that is not there, PhotoError for a damaged photo.

    python -m models.training.fit_pose --ccp DIR --garments DIR --out FILE
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from tqdm import tqdm

from models.photo import decode_photo
from models.pose_net import OUTPUTS, PoseNet, pose_picture
from models.training.pose_truth import Person, Pixels, from_behind, painted_elsewhere, person_of, view

SEED: Final = 7
HELD_OUT: Final = 0.25
BATCH: Final = 32
RATE: Final = 2e-3
Truth = tuple[bool, bool, bool]


@dataclass(frozen=True, eq=False)
class Street:
    """A street photo, the same from behind, and its person."""

    photo: Pixels
    behind: Pixels
    person: Person


def read_street(folder: Path, seed: int) -> list[Street]:
    """The photos of the folder with a person in their masks, by name."""
    labels = json.loads((folder / "labels.json").read_text())
    rng, found = np.random.default_rng(seed), []
    for path in tqdm(sorted((folder / "photos").glob("*.jpg")), "photos", disable=None):
        photo = decode_photo(path.read_bytes()).pixels
        mask = np.asarray(Image.open(folder / "masks" / f"{path.stem}.png"))
        if mask.shape == photo.shape[:2] and (person := person_of(mask, labels)) is not None:
            behind = from_behind(photo, mask, person, labels.index("hair"), rng)
            found.append(Street(photo, behind, person))
    return found


def sample(street: Street, rng: np.random.Generator) -> tuple[Pixels, Truth]:
    """A random view of a photo or of the same from behind, and what is true of it."""
    turned, person = bool(rng.random() < 0.4), street.person
    photo = street.behind if turned else street.photo
    if not turned and rng.random() < 0.4:
        photo = painted_elsewhere(photo, person, rng)
    height, width = photo.shape[:2]
    top, bottom, left, right = 0, height, 0, width
    kind = rng.random()
    if kind < 0.35:  # cut at the feet, anywhere from the knees up
        bottom = int(rng.uniform(person.top + 0.25 * (person.bottom - person.top), person.bottom - 3))
    elif kind < 0.55:  # cut at the head
        top = int(rng.uniform(person.top + 4, person.top + 0.7 * (person.bottom - person.top)))
    elif kind < 0.75:  # close to the person, nothing cut
        top, bottom = int(rng.uniform(0, person.top + 1)), int(rng.uniform(person.bottom, height + 1))
    if rng.random() < 0.6:
        left = int(rng.uniform(0, max(1, person.left)))
        right = int(rng.uniform(min(person.right, width - 1), width + 1))
    pixels, truth = view(photo, person, (left, top, max(left + 8, right), max(top + 8, bottom)))
    return pixels, (truth[0], truth[1], truth[2] and not turned)


def changed(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """The picture mirrored half of the time, in other light, and smaller on a plain ground now and then."""
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    if rng.random() < 0.3:
        share = rng.uniform(0.05, 0.35, 4) * (pixels.shape[0] / 3)
        ground = pixels[:6].mean(axis=(0, 1))
        padding = [(int(share[0]), int(share[1])), (int(share[2]), int(share[3]))]
        layers = [np.pad(pixels[..., c], padding, constant_values=int(ground[c])) for c in range(3)]
        pixels = np.stack(layers, axis=2)
    light = pixels.astype(np.float32) * rng.uniform(0.6, 1.4, (1, 1, 3)) ** 0.5 * rng.uniform(0.7, 1.3)
    return cast(Pixels, np.clip(light, 0, 255).astype(np.uint8))


def batches(
    streets: Sequence[Street], garments: Sequence[Pixels], rng: np.random.Generator, views: int
) -> Any:
    """One epoch: `views` of every street photo, and single garments a fifth as many, in batches."""
    order = [*np.repeat(np.arange(len(streets)), views), *(-1 - rng.integers(0, len(garments), len(streets)))]
    order = [int(at) for at in rng.permutation(order)]
    for start in range(0, len(order), BATCH):
        rows = []
        for at in order[start : start + BATCH]:
            pixels, truth = (garments[-1 - at], (False,) * 3) if at < 0 else sample(streets[at], rng)
            rows.append((pose_picture(changed(pixels, rng)), truth))
        pictures = torch.from_numpy(np.stack([pixels for pixels, _ in rows]))
        yield pictures, torch.tensor([truth for _, truth in rows], dtype=torch.float32)


def fit(streets: Sequence[Street], garments: Sequence[Pixels], epochs: int, views: int = 4) -> PoseNet:
    """Train a network from nothing."""
    torch.manual_seed(SEED)
    rng, net = np.random.default_rng(SEED), PoseNet()
    steps = epochs * -(-len(streets) * (views + 1) // BATCH)
    optimizer = torch.optim.AdamW(net.parameters(), RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.1)
    loss_of = nn.BCEWithLogitsLoss()
    with tqdm(total=steps, desc="steps", disable=None) as progress:
        for epoch in range(epochs):
            net.train()
            losses = []
            for pictures, truth in batches(streets, garments, rng, views):
                loss = loss_of(net(pictures), truth)
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(net.parameters(), 5.0)
                optimizer.step()
                schedule.step()
                losses.append(float(loss.detach()))
                progress.update()
            print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}", file=sys.stderr, flush=True)
    return net.eval()


def measure(net: PoseNet, streets: Sequence[Street], garments: Sequence[Pixels]) -> dict[str, Any]:
    """Share of right answers at one half, by kind of view, of each output that the view is about."""
    kinds: dict[str, list[tuple[Pixels, Truth]]] = {
        "whole photo": [view(s.photo, s.person, (0, 0, s.photo.shape[1], s.photo.shape[0])) for s in streets],
        "from behind (painted)": [(s.behind, (True, True, False)) for s in streets if s.person.looks_here],
        "cut below the hips": [_cut(s, bottom=0.55) for s in streets],
        "cut above the ankles": [_cut(s, bottom=0.88) for s in streets],
        "cut at the chin": [_cut(s, top=0.15) for s in streets],
        "cut at the hips": [_cut(s, top=0.45) for s in streets],
        "single garments": [(pixels, (False, False, False)) for pixels in garments],
    }
    return {kind: _right(net, rows) for kind, rows in kinds.items()}


def _cut(street: Street, top: float = 0.0, bottom: float = 1.0) -> tuple[Pixels, Truth]:
    person, (height, width) = street.person, street.photo.shape[:2]
    rows = [round(person.top + share * (person.bottom - person.top)) for share in (top, bottom)]
    window = (0, rows[0] if top else 0, width, rows[1] if bottom < 1 else height)
    return view(street.photo, person, window)


def _right(net: PoseNet, rows: Sequence[tuple[Pixels, Truth]]) -> dict[str, float]:
    said: list[NDArray[np.bool_]] = []
    with torch.inference_mode():
        for start in range(0, len(rows), BATCH):
            pictures = np.stack([pose_picture(pixels) for pixels, _ in rows[start : start + BATCH]])
            said.append((net(torch.from_numpy(pictures)) > 0).numpy())
    answers, truth = np.concatenate(said), np.array([truth for _, truth in rows])
    right = {name: float((answers[:, at] == truth[:, at]).mean()) for at, name in enumerate(OUTPUTS)}
    full = (answers[:, 0] & answers[:, 1]) == (truth[:, 0] & truth[:, 1])
    return {"photos": len(rows), "full_shot": float(full.mean()), **right}


def write(net: PoseNet, out: Path) -> str:
    """Write the checkpoint and return its SHA-256."""
    tensors: dict[str, Tensor] = {
        name: tensor.contiguous()
        for name, tensor in net.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    data = safetensors.torch.save(tensors)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def main() -> None:
    """Fit, measure, write, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--ccp", type=Path, required=True, help="folder with photos, masks and labels.json")
    parser.add_argument("--garments", type=Path, required=True, help="train and validation of class folders")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=40)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    streets = read_street(arguments.ccp, SEED)
    single = {
        split: [
            decode_photo(p.read_bytes()).pixels for p in sorted((arguments.garments / split).glob("*/*.jpg"))
        ]
        for split in ("train", "validation")
    }
    kept = round((1 - HELD_OUT) * len(streets))
    net = fit(streets[:kept], single["train"], arguments.epochs)
    print(
        json.dumps(
            {"sha256": write(net, arguments.out), **measure(net, streets[kept:], single["validation"])}
        )
    )


if __name__ == "__main__":
    main()
