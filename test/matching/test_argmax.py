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

"""Read-outs of a cost volume."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zeroco_ros.matching.argmax import (
    hard_argmax,
    leaking_window_soft_argmax,
    match_volume,
    soft_argmax,
    token_positions,
    window_soft_argmax,
)
from zeroco_ros.matching.cost_volume import feature_volume

GRID = (5, 7)


def volume_with_peak(x: float, y: float, *, sharpness: float = 1.0) -> torch.Tensor:
    """One target token whose correlation is a paraboloid around (x, y)."""
    offset = token_positions(GRID) - torch.tensor([x, y])
    return (-sharpness * offset.square().sum(dim=1))[None, None]


def test_hard_argmax_of_a_non_square_grid():
    position = hard_argmax(volume_with_peak(6, 1), GRID)
    assert position.tolist() == [[[6.0, 1.0]]]


def test_soft_argmax_with_a_tiny_beta_is_the_hard_one():
    volume = torch.rand(2, 9, 35, generator=torch.Generator().manual_seed(0)) * 1e3
    torch.testing.assert_close(soft_argmax(volume, GRID, 1e-4), hard_argmax(volume, GRID))


def test_soft_argmax_with_a_huge_beta_is_the_center_of_the_grid():
    position = soft_argmax(volume_with_peak(6, 1), GRID, 1e6)
    torch.testing.assert_close(position, torch.tensor([[[3.0, 2.0]]]), atol=1e-3, rtol=0)


@pytest.mark.parametrize("window", [3, 5, 9, 15])
def test_window_recovers_a_peak_between_tokens(window: int):
    position = window_soft_argmax(volume_with_peak(3.3, 2.1, sharpness=1.5), GRID, 1.0, window)
    # A sampled Gaussian of this width has its mean at the peak to a few hundredths of a token.
    torch.testing.assert_close(position, torch.tensor([[[3.3, 2.1]]]), atol=0.12, rtol=0)


def test_window_equals_a_softmax_over_its_own_cells():
    volume = torch.randn(1, 1, 35, generator=torch.Generator().manual_seed(3))
    volume[0, 0, 2 * 7 + 3] = 9.0
    inside = [(y, x) for y in (1, 2, 3) for x in (2, 3, 4)]
    weights = torch.softmax(torch.stack([volume[0, 0, y * 7 + x] for y, x in inside]) / 0.7, 0)
    corners = torch.tensor([(float(x), float(y)) for y, x in inside])
    expected = (weights[:, None] * corners).sum(dim=0)
    torch.testing.assert_close(window_soft_argmax(volume, GRID, 0.7, 3)[0, 0], expected)


def test_window_is_cut_off_at_the_border():
    position = window_soft_argmax(volume_with_peak(0, 0, sharpness=0.1), GRID, 1.0, 3)[0, 0]
    rest = torch.tensor([1.0, np.exp(-0.1)])
    share = (rest[1] / rest.sum()).item()
    torch.testing.assert_close(position, torch.tensor([share, share]), atol=1e-6, rtol=0)


def test_a_window_over_the_whole_grid_is_the_soft_argmax():
    volume = torch.randn(1, 6, 35, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        window_soft_argmax(volume, GRID, 0.5, 15), soft_argmax(volume, GRID, 0.5)
    )


def test_values_far_outside_the_window_do_not_leak():
    volume = torch.full((1, 1, 35), -5.0)
    volume[0, 0, 0] = -1.0
    position = window_soft_argmax(volume, GRID, 0.02, 3)
    torch.testing.assert_close(position, torch.zeros(1, 1, 2), atol=1e-6, rtol=0)
    leaking = leaking_window_soft_argmax(volume, GRID, 0.02, 3)
    assert leaking[0, 0, 0] > 2  # the released form lands in the middle of the grid


def test_mass_is_one_for_a_sharp_peak_and_small_for_a_flat_volume():
    sharp = match_volume(volume_with_peak(3, 2, sharpness=50), GRID, "window", 1.0, 3).mass
    flat = match_volume(torch.zeros(1, 1, 35), GRID, "window", 1.0, 3).mass
    assert sharp.item() == pytest.approx(1.0)
    assert flat.item() == pytest.approx(4 / 35)  # the first token is a corner: 4 cells of 35


@pytest.mark.parametrize("readout", ["hard", "soft", "window"])
def test_match_volume_dispatches(readout: str):
    volume = torch.randn(1, 6, 35, generator=torch.Generator().manual_seed(1))
    expected = {
        "hard": hard_argmax(volume, GRID),
        "soft": soft_argmax(volume, GRID, 0.3),
        "window": window_soft_argmax(volume, GRID, 0.3, 5),
    }[readout]
    match = match_volume(volume, GRID, readout, 0.3, 5)
    torch.testing.assert_close(match.position, expected)
    assert ((match.mass >= 0) & (match.mass <= 1)).all()


def test_readouts_refuse_what_they_do_not_know():
    with pytest.raises(ValueError, match="hard, soft or window"):
        match_volume(torch.zeros(1, 1, 35), GRID, "median", 1.0)
    with pytest.raises(ValueError, match="odd"):
        window_soft_argmax(torch.zeros(1, 1, 35), GRID, 1.0, 4)


@pytest.mark.parametrize("window", [0, 2, 4, 5, 7])
def test_geoaware_reference(golden, window: int):
    """The released read-out; its maps hold positions (x, y), and window 0 is the full one."""
    arrays = golden("geoaware")
    side = arrays["flow_window0"].shape[1]
    volume = torch.from_numpy(arrays["desc1"] @ arrays["desc2"].T)[None]
    expected = torch.from_numpy(arrays[f"flow_window{window}"]).reshape(1, -1, 2)
    if window == 0:
        position = soft_argmax(volume, (side, side), 0.02)
    else:
        position = leaking_window_soft_argmax(volume, (side, side), 0.02, 2 * window + 1)
    torch.testing.assert_close(position, expected, atol=1e-4, rtol=0)


def test_geoaware_reference_leaks_where_everything_is_negative(golden):
    arrays = golden("geoaware")
    side = arrays["flow_window2_allnegative"].shape[1]
    volume = torch.from_numpy(arrays["desc1"] @ arrays["desc2"].T)[None] - 2
    expected = torch.from_numpy(arrays["flow_window2_allnegative"]).reshape(1, -1, 2)
    position = leaking_window_soft_argmax(volume, (side, side), 0.02, 5)
    torch.testing.assert_close(position, expected, atol=1e-4, rtol=0)
    masked = window_soft_argmax(volume, (side, side), 0.02, 5)
    assert (
        masked - hard_argmax(volume, (side, side))
    ).abs().max() <= 2  # the masked form does not


def test_geoaware_normalizes_as_the_cosine_volume(golden):
    arrays = golden("geoaware")
    first, second = (torch.from_numpy(arrays[name])[None] for name in ("desc1", "desc2"))
    torch.testing.assert_close(feature_volume(first, second), first @ second.mT, atol=1e-5, rtol=0)
