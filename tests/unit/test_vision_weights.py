"""The models behind the vision: only the pinned files load, and the shortcuts change no result."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from safetensors.torch import save_file

from models.lite0 import FEATURES, Lite0, Lite0Embedder, fast_bf16
from models.training.fit_pca import centroid_share, fit, fit_plain, same_class, unit, write
from models.weights import Checkpoint, WeightsError, lite0_imagenet, lite0_projection


@pytest.fixture(scope="module")
def net() -> Lite0:
    torch.set_num_threads(1)
    return Lite0()


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    small = torch.rand(4, 3, 14, 14, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.interpolate(small, size=224, mode="bilinear")
    return (smooth * 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def test_a_checkpoint_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"mean": torch.zeros(2)}, path)
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    assert Checkpoint("other", path, right).tensors()["mean"].shape == (2,)
    with pytest.raises(WeightsError, match=f"other: SHA-256 of .* is {right}, expected 0000"):
        Checkpoint("other", path, "0" * 64).tensors()
    with pytest.raises(WeightsError, match="other: cannot read"):
        Checkpoint("other", tmp_path / "missing.safetensors", right).tensors()


def test_a_pickled_program_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "evil.pth"
    torch.save({"weight": Path("evil")}, path)  # any object that is no tensor
    with pytest.raises(Exception, match=r"weights_only|Weights only"):
        Checkpoint("evil", path, hashlib.sha256(path.read_bytes()).hexdigest()).tensors()


def test_folding_batch_norm_changes_nothing(net: Lite0, pictures: torch.Tensor) -> None:
    original = EfficientNet.from_name("efficientnet-lite0")
    original.load_state_dict(lite0_imagenet().tensors())
    original.eval()
    with torch.inference_mode():
        expected = original.extract_features((pictures.float() - 127).permute(0, 3, 1, 2) / 128).mean(
            dim=(2, 3)
        )
        found = net(pictures)
    assert found.shape == (4, FEATURES)
    assert found.dtype == torch.float32
    assert torch.allclose(found, expected, atol=1e-4)


def test_an_embedding_is_the_centred_projection_of_unit_features(net: Lite0, pictures: torch.Tensor) -> None:
    embedder = Lite0Embedder()
    embedder._net = net
    with torch.inference_mode():
        features = unit(net(pictures).double().numpy())
    tensors = {name: tensor.double().numpy() for name, tensor in lite0_projection().tensors().items()}
    expected = unit((features - tensors["mean"]) @ tensors["components"].T)
    assert np.allclose(embedder.embed(pictures.numpy()), expected, atol=1e-4)


@pytest.mark.skipif(not fast_bf16(), reason="this CPU has no avx512_bf16, so bfloat16 is never used")
def test_bfloat16_embeds_as_float32_does(net: Lite0, pictures: torch.Tensor) -> None:
    quick, exact = Lite0Embedder(), Lite0Embedder()
    exact._net = net
    cosines = (quick.embed(pictures.numpy()) * exact.embed(pictures.numpy())).sum(axis=1)
    assert cosines.min() > 0.98
    assert cosines.max() < 1.0  # they do differ: both were computed


def test_the_shipped_projection_is_orthonormal_and_small() -> None:
    checkpoint = lite0_projection()
    tensors = checkpoint.tensors()
    components = tensors["components"].double()
    assert components.shape == (256, FEATURES)
    assert tensors["mean"].shape == (FEATURES,)
    assert torch.allclose(components @ components.T, torch.eye(256, dtype=torch.double), atol=5e-3)
    assert checkpoint.path.stat().st_size < 1_000_000


def test_fitting_leaves_out_how_a_picture_was_made(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    variances = np.linspace(1, 0.01, 64)
    apart = unit(random.normal(size=64))
    photos = random.normal(size=(300, 64)) * variances
    drawn = random.normal(size=(300, 64)) * variances + 50 * apart
    projection = fit(photos, drawn, 16)
    assert np.allclose(projection.components @ projection.components.T, np.eye(16))
    difference = drawn.mean(axis=0) - photos.mean(axis=0)
    assert np.abs(projection.components @ difference).max() < 1e-9
    assert (
        np.abs(fit_plain(np.concatenate([photos, drawn]), 16, centred=True).components @ difference).max()
        > 10
    )
    about = {"photos": 300.0}
    assert write(projection, about, tmp_path / "one") == write(
        fit(photos, drawn, 16), about, tmp_path / "two"
    )


def test_figures_of_a_toy_gallery() -> None:
    axes, labels = np.eye(3), np.array(["a", "b", "a"])
    queries = unit(np.array([[3.0, 1.0, 2.0], [1.0, 3.0, 2.0]]))
    assert same_class(axes, labels, queries, np.array(["a", "b"])) == pytest.approx((1.0, 0.5))
    assert same_class(axes, labels, queries, np.array(["b", "b"]))[0] == pytest.approx((1 / 3 + 1) / 2)
    wanted = np.arange(40) < 20
    gallery = unit(np.where(wanted[:, None], [1.0, 0.1], [0.1, 1.0]))
    assert centroid_share(gallery, wanted, gallery[wanted], 8, within=True) == 1.0
    assert centroid_share(gallery, wanted, gallery[wanted], 10, within=True) == pytest.approx(
        0.8
    )  # 12 are left out
