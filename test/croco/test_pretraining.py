# Copyright 2026 zeroco_ros developers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""Cross-view completion: the authors' numbers, masks, patches and the loss."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from zeroco_ros.croco.model import CroCo
from zeroco_ros.croco.pretraining import (
    completion_loss,
    hide,
    patchify,
    random_mask,
    unpatchify,
)
from zeroco_ros.errors import ConfigError, ImageError

TOLERANCE = 1e-4


def relative(actual: Tensor, expected: np.ndarray) -> float:
    difference = np.abs(actual.detach().numpy() - expected)
    return float(difference.max() / np.abs(expected).max())


@pytest.fixture(scope="module", params=["v1", "v2"])
def case(
    request: pytest.FixtureRequest, official: Callable, reference_pair: Callable, golden: Callable
) -> tuple[CroCo, dict[str, np.ndarray], object]:
    """Network, reference arrays, and the pass on the reference pair (image 1 masked, cropped)."""
    arrays = golden(f"pretrain_croco_{request.param}_tiny")
    model = official(f"croco_{request.param}_tiny")
    source, target = reference_pair(224, crop=True)
    return model, arrays, model.forward_pretrain(target, source, torch.from_numpy(arrays["mask"]))


def test_reference_prediction(case: tuple) -> None:
    _, arrays, done = case
    assert relative(done.prediction[:, ::9], arrays["out_s9"]) <= TOLERANCE
    assert relative(done.prediction.double().sum(-1), arrays["out_sum"]) <= TOLERANCE
    assert relative(done.target[:, ::28], arrays["target_s28"]) <= TOLERANCE
    images = unpatchify(done.prediction, (14, 14))
    assert relative(images[..., ::8, ::8], arrays["unpatchified_s8"]) <= TOLERANCE


@pytest.mark.parametrize("norm_pix", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_reference_loss(case: tuple, norm_pix: bool, masked: bool) -> None:
    _, arrays, done = case
    expected = arrays[f"mse_normpix{norm_pix:d}_masked{masked:d}"]
    assert relative(done.loss(norm_pix=norm_pix, masked=masked), expected) <= TOLERANCE


def test_reference_gradients(case: tuple) -> None:
    model, arrays, done = case
    model.zero_grad()
    done.loss(norm_pix=True, masked=True).backward(retain_graph=True)
    keys = [key for key in arrays if key.startswith("grad:")]
    assert len(keys) == 6
    for key in keys:
        gradient = model.get_parameter(key.removeprefix("grad:")).grad
        assert relative(gradient, arrays[key]) <= TOLERANCE, key
    gradients = [p.grad.double() for p in model.parameters() if p.grad is not None]
    total = torch.stack([g.square().sum() for g in gradients]).sum().sqrt()
    assert relative(total, arrays["grad_global_l2"]) <= TOLERANCE
    model.zero_grad()


def test_mask_hides_the_same_number_everywhere() -> None:
    masks = [
        random_mask(4, 30, 0.9, generator=torch.Generator().manual_seed(s)) for s in (0, 0, 1)
    ]
    assert masks[0].dtype == torch.bool
    assert masks[0].sum(dim=1).tolist() == [27] * 4
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])
    assert not torch.equal(masks[0][0], masks[0][1])


@pytest.mark.parametrize("ratio", [-0.1, 1.0, float("nan")])
def test_mask_ratio_out_of_range(ratio: float) -> None:
    with pytest.raises(ConfigError, match="ratio"):
        random_mask(1, 10, ratio)


def test_patch_order() -> None:
    images = torch.arange(2 * 3 * 32 * 48, dtype=torch.float32).reshape(2, 3, 32, 48)
    patches = patchify(images)
    assert patches.shape == (2, 6, 768)
    row, col, y, x, color = 1, 2, 3, 5, 1
    expected = images[1, color, row * 16 + y, col * 16 + x]
    assert patches[1, row * 3 + col, (y * 16 + x) * 3 + color] == expected
    assert torch.equal(unpatchify(patches, (2, 3)), images)


def test_loss_by_hand() -> None:
    rng = np.random.default_rng(0)
    prediction, target = rng.normal(size=(2, 1, 5, 12)).astype(np.float32)
    mask = np.array([[True, False, True, True, False]])
    plain = ((prediction - target) ** 2).mean(-1)
    mean, var = target.mean(-1, keepdims=True), target.var(-1, ddof=1, keepdims=True)
    scaled = ((prediction - (target - mean) / np.sqrt(var + 1e-6)) ** 2).mean(-1)
    tensors = [torch.from_numpy(x) for x in (prediction, target, mask)]
    for error, norm_pix in ((plain, False), (scaled, True)):
        for value, masked in ((error.mean(), False), (error[mask].mean(), True)):
            loss = completion_loss(*tensors, norm_pix=norm_pix, masked=masked)
            assert float(loss) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("stem", ["patch", "conv"])
def test_hidden_pixels_do_not_leak(build: Callable, stem: str) -> None:
    model = build(stem=stem)
    target, source = torch.randn(2, 2, 3, 48, 64)
    mask = random_mask(2, 12, 0.5, generator=torch.Generator().manual_seed(3))
    hidden = patchify(torch.ones_like(target)) * mask.unsqueeze(2)
    changed = target + 5 * unpatchify(hidden, (3, 4))
    with torch.inference_mode():
        before = model.forward_pretrain(target, source, mask)
        after = model.forward_pretrain(changed, source, mask)
        shown = model.forward_pretrain(target + 1, source, mask)
    assert torch.equal(before.prediction, after.prediction)
    assert not torch.allclose(before.prediction, shown.prediction)


def test_nothing_hidden_is_the_plain_decoder(build: Callable) -> None:
    model = build()
    target, source = torch.randn(2, 1, 3, 32, 48)
    with torch.no_grad():
        done = model.forward_pretrain(target, source, torch.zeros(1, 6, dtype=torch.bool))
        features = model.decode(model.encode(target), model.encode(source), features=True).features
        expected = model.prediction_head(features[-1])
    torch.testing.assert_close(done.prediction, expected)


@pytest.mark.parametrize(
    "mask",
    [
        torch.zeros(1, 7, dtype=torch.bool),
        torch.zeros(1, 6),
        torch.ones(1, 6, dtype=torch.bool),
        torch.tensor([[True] + [False] * 5, [False] * 6]),
    ],
    ids=["length", "type", "all", "uneven"],
)
def test_unusable_mask(build: Callable, mask: Tensor) -> None:
    images = torch.zeros(len(mask), 3, 32, 48)
    with pytest.raises(ConfigError, match="mask"):
        build().forward_pretrain(images, images, mask)


def test_network_without_pixel_head(build: Callable) -> None:
    images = torch.zeros(1, 3, 32, 48)
    with pytest.raises(ConfigError, match="prediction_head"):
        build(prediction_head=False).forward_pretrain(images, images, random_mask(1, 6))


def test_image_of_wrong_size(build: Callable) -> None:
    with pytest.raises(ImageError, match="multiples of 16"):
        build().forward_pretrain(
            torch.zeros(1, 3, 32, 40), torch.zeros(1, 3, 32, 40), random_mask(1, 4)
        )


def test_a_few_steps_learn(build: Callable) -> None:
    """The gradient reaches what it should: the loss on one batch falls clearly."""
    model = build()
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(2, 3, 4, 6, generator=generator)
    images = torch.nn.functional.interpolate(coarse, (32, 48), mode="bilinear")
    mask = random_mask(2, 6, 0.5, generator=generator)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses: list[float] = []
    for _ in range(30):
        loss = model.forward_pretrain(images, images, mask).loss(norm_pix=False)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_the_patches_of_lowest_chance_are_hidden() -> None:
    chance = torch.tensor([[0.1, 0.9, 0.5, 0.2], [0.7, 0.3, 0.2, 0.8]])
    assert hide(chance, 0.5).tolist() == [[True, False, False, True], [False, True, True, False]]
    with pytest.raises(ConfigError, match="mask ratio"):
        hide(chance, 1.0)
