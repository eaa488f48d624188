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

"""Flow super-resolution: the released numbers of ACTR, and the head around its refinement."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from zeroco_ros.errors import ConfigError
from zeroco_ros.heads.super_resolution import (
    DualWindowRefinement,
    from_released,
    RefinementConfig,
    repeat_flow,
    SuperResolutionConfig,
    SuperResolutionHead,
    to_pixels,
)
from zeroco_ros.heads.upsampling import bilinear_upflow
from zeroco_ros.heads.windows import join_windows, split_windows, WindowBlock
from zeroco_ros.matching.argmax import soft_argmax

Noise = Callable[..., Tensor]
TINY = SuperResolutionConfig(
    tokens=12,
    image=4,
    radius=2,
    refinement=RefinementConfig(dim=16, heads=4, hidden=8, reduction=4),
)


@pytest.fixture(scope="module")
def released(golden: Callable) -> dict[str, Tensor]:
    """Return what our refinement makes of the released inputs with the released tensors."""
    arrays = golden("actr_refine")
    state = {
        key.removeprefix("sd:"): torch.from_numpy(arrays[key])
        for key in arrays
        if key.startswith("sd:")
    }
    refine = DualWindowRefinement(RefinementConfig(dim=16, heads=4, hidden=8)).eval()
    refine.load_state_dict(from_released(state))
    seen: dict[str, Tensor] = {}
    for name, branch in zip(("x_win8", "x_win4"), refine.rounds[0], strict=True):
        branch.register_forward_hook(
            lambda _module, _inputs, out, name=name: seen.update({name: out.permute(0, 3, 1, 2)})
        )
    with torch.inference_mode():
        seen["flow_up"] = repeat_flow(torch.from_numpy(arrays["flow"]))
        seen["flow_refine"] = refine(seen["flow_up"], torch.from_numpy(arrays["feat"]))
        seen["out"] = seen["flow_up"] + seen["flow_refine"]
    return seen


@pytest.mark.parametrize("key", ["flow_up", "x_win8", "x_win4", "flow_refine", "out"])
def test_released_refinement(key: str, released: dict[str, Tensor], golden: Callable) -> None:
    np.testing.assert_allclose(released[key].numpy(), golden("actr_refine")[key], atol=1e-4)


def test_released_soft_argmax(golden: Callable) -> None:
    """Channels of `corr` are source cells; coordinates are in [-1, 1] from end to end."""
    arrays = golden("actr_refine")
    volume = torch.from_numpy(arrays["corr"]).flatten(2).transpose(1, 2)
    position = soft_argmax(volume, (4, 4), beta=0.02)
    normalized = (position * 2 / 3 - 1).view(1, 4, 4, 2).numpy()
    np.testing.assert_allclose(normalized[..., 0], arrays["grid_x"][:, 0], atol=1e-4)
    np.testing.assert_allclose(normalized[..., 1], arrays["grid_y"][:, 0], atol=1e-4)


def test_full_release_names_are_understood(released: dict[str, Tensor]) -> None:
    short = {"d21.1.fc.0.weight": torch.ones(1, 16, 1, 1)}
    long = {"refine_swin_decoder_2_1.1.fc.0.weight": torch.ones(1, 16, 1, 1)}
    assert (
        list(from_released(short))
        == list(from_released(long))
        == ["rounds.0.0.gate.shrink.weight"]
    )
    with pytest.raises(ConfigError, match="no tensor of a released ACTR"):
        from_released({"decoder.weight": torch.ones(1)})


def test_windows_split_and_join(noise: Noise) -> None:
    x = noise(2, 8, 12, 3)
    assert torch.equal(join_windows(split_windows(x, 4), 4, x.shape), x)


def test_attention_stays_within_its_window_and_ignores_padding(noise: Noise) -> None:
    torch.manual_seed(0)
    block = WindowBlock(8, 2, 4).eval()
    x = noise(1, 6, 7, 8)
    with torch.inference_mode():
        whole = block(x)
        torch.testing.assert_close(block(x[:, :4, :4]), whole[:, :4, :4])
        torch.testing.assert_close(block(x[:, 4:, 4:]), whole[:, 4:, 4:])


@pytest.mark.parametrize("grid", [(3, 5), (4, 4), (2, 9)])
def test_an_untrained_head_enlarges_the_coarse_flow(grid: tuple[int, int], noise: Noise) -> None:
    head = SuperResolutionHead(TINY).eval()
    h, w = grid
    flow, tokens = noise(2, 2, h, w), noise(2, h * w, 12)
    images = noise(2, 3, 16 * h, 16 * w), noise(2, 3, 16 * h, 16 * w)
    with torch.inference_mode():
        pair = [head.encode(image) for image in images]
        fine = head(flow, tokens, *pair)
        assert torch.equal(fine, bilinear_upflow(flow, 4, align_corners=False))
        two = head([flow, -flow], tokens, *pair)
        assert float(two.abs().max()) == 0
        assert to_pixels(fine, 4).shape == (2, 2, 16 * h, 16 * w)


def test_as_published_the_head_needs_no_images(noise: Noise) -> None:
    config = SuperResolutionConfig(tokens=12, image=0, refinement=TINY.refinement)
    head = SuperResolutionHead(config)
    flow = noise(1, 2, 3, 4)
    assert torch.equal(head(flow, noise(1, 12, 12)), repeat_flow(flow))
    assert head.encode(noise(1, 3, 48, 64)) is None
    with pytest.raises(ConfigError, match="compares images"):
        SuperResolutionHead(TINY)(noise(1, 2, 3, 4), noise(1, 12, 12))


def test_gradients_reach_every_parameter(noise: Noise) -> None:
    torch.manual_seed(0)
    head = SuperResolutionHead(TINY)
    torch.nn.init.normal_(head.refine.conv2.weight, std=0.1)
    images = noise(1, 3, 48, 64), noise(1, 3, 48, 64)
    pair = [head.encode(image) for image in images]
    head(noise(1, 2, 3, 4), noise(1, 12, 12), *pair).square().mean().backward()
    silent = [
        name
        for name, parameter in head.named_parameters()
        if parameter.grad is None or not bool((parameter.grad != 0).any())
    ]
    assert not silent


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tokens": 0}, "tokens=0"),
        ({"image": -1}, "image=-1"),
        ({"width": 3}, "unknown field of SuperResolutionConfig: width"),
        ({"refinement": {"dim": 30, "heads": 4}}, "dim=30 with heads=4"),
        ({"refinement": {"windows": [8, 1]}}, "windows="),
        ({"refinement": 3}, "a mapping of fields"),
    ],
)
def test_impossible_configurations_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SuperResolutionConfig.from_dict(values)


def test_configuration_round_trip() -> None:
    assert SuperResolutionConfig.from_dict(TINY.to_dict()) == TINY
