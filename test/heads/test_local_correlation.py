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

"""The recurrent head's correlation against the all-pairs look-up."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from zeroco_ros.heads.correlation import cell_positions, CorrelationPyramid, LocalCorrelation
from zeroco_ros.heads.local_correlation import local_correlation, warp_features

Noise = Callable[..., Tensor]
LOOKUPS = [CorrelationPyramid, LocalCorrelation]


@pytest.mark.parametrize("kind", LOOKUPS)
def test_warp_and_shift_is_the_same_for_constant_whole_flow(kind: type, noise: Noise) -> None:
    """The recurrent head's correlation: channels last, its window row by row."""
    target, source = noise(1, 5, 12, 14), noise(1, 5, 12, 14)
    flow = torch.tensor([2.0, -1.0]).view(1, 2, 1, 1).expand(1, 2, 12, 14)
    looked_up = kind(target, source, 1)(cell_positions(12, 14, target) + flow, 3)
    warped = warp_features(source.permute(0, 2, 3, 1), flow.permute(0, 2, 3, 1))
    shifted = local_correlation(target.permute(0, 2, 3, 1), warped, 3)
    expected = shifted.permute(0, 3, 1, 2).unflatten(1, (7, 7)).transpose(1, 2).flatten(1, 2)
    # Where a window leaves the grid, shifting has no value and the look-up may have one.
    inner = (..., slice(3, -3), slice(3, -3))
    torch.testing.assert_close(looked_up[inner], expected[inner])
