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

"""Convex and bilinear upsampling: the released numbers of RAFT, RAFT-Stereo and DROID-SLAM."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from zeroco_ros.errors import ConfigError
from zeroco_ros.heads.upsampling import bilinear_mask, bilinear_upflow, convex_upsample


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array)


def test_raft_convex_upsampling(golden: Callable) -> None:
    arrays = golden("raft")
    out = convex_upsample(_tensor(arrays["up_flow"]), _tensor(arrays["up_mask"]), 8)
    np.testing.assert_allclose(out.numpy(), arrays["up_out"], atol=1e-4)


def test_raft_stereo_convex_upsampling(golden: Callable) -> None:
    arrays = golden("raftstereo")
    out = convex_upsample(_tensor(arrays["up_disp"]), _tensor(arrays["up_mask"]), 4)
    np.testing.assert_allclose(out.numpy(), arrays["up_out"], atol=1e-4)


def test_droid_convex_upsampling_keeps_the_values(golden: Callable) -> None:
    arrays = golden("droid_ba")
    data = _tensor(arrays["cvx_data"]).permute(0, 3, 1, 2)
    out = convex_upsample(data, _tensor(arrays["cvx_mask"]), 8, scale_values=False)
    np.testing.assert_allclose(out.permute(0, 2, 3, 1).numpy(), arrays["cvx_out"], atol=1e-8)


def test_raft_bilinear_upflow(golden: Callable) -> None:
    arrays = golden("raft")
    out = bilinear_upflow(_tensor(arrays["up_flow"]), 8)[..., ::3, ::3]
    np.testing.assert_allclose(out.numpy(), arrays["upflow8"], atol=1e-4)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_a_mask_that_points_at_the_center_repeats_each_cell(
    factor: int, noise: Callable[..., Tensor]
) -> None:
    flow = noise(2, 2, 3, 5)
    mask = torch.zeros(2, 9, factor, factor, 3, 5)
    mask[:, 4] = 50
    out = convex_upsample(flow, mask.flatten(1, 3), factor)
    expected = functional.interpolate(flow * factor, scale_factor=factor, mode="nearest")
    torch.testing.assert_close(out, expected)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_the_bilinear_mask_is_bilinear_inside(factor: int, noise: Callable[..., Tensor]) -> None:
    flow = noise(1, 2, 5, 6)
    mask = bilinear_mask(factor).expand(1, -1, 5, 6)
    out = convex_upsample(flow, mask, factor)
    expected = bilinear_upflow(flow, factor, align_corners=False)
    inner = slice(factor, -factor)
    difference = (out - expected)[..., inner, inner].abs().max()
    assert difference < 0.01 * factor


def test_a_mask_of_another_factor_is_refused(noise: Callable[..., Tensor]) -> None:
    with pytest.raises(ConfigError, match=r"by 4 needs \(1, 144, 3, 3\)"):
        convex_upsample(noise(1, 2, 3, 3), noise(1, 576, 3, 3), 4)


def test_gradients_reach_field_and_mask(noise: Callable[..., Tensor]) -> None:
    flow, mask = noise(1, 2, 3, 4).requires_grad_(), noise(1, 36, 3, 4).requires_grad_()
    convex_upsample(flow, mask, 2).square().sum().backward()
    for leaf in (flow, mask):
        assert leaf.grad is not None and bool((leaf.grad != 0).all())
