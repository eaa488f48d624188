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

"""Crops, flips, swaps and colors: the flow of a batch is as exact as the pair's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
import torch

from zeroco_ros.training.augment import (
    Batch,
    crop_sample,
    flip_and_swap,
    inside,
    make_batch,
    MEAN,
    recolor,
    STD,
)
from zeroco_ros.training.shards import Shard


def coordinate_shard(shift: tuple[int, int] = (0, 16)) -> Shard:
    """
    One pair whose red and green are a pixel's own place and whose motion is a translation.

    View 0's pixel (x, y) is view 1's (x + dx, y + dy): colors (x + 50, y + 50) in the first frame.
    """
    height, width = 96, 128
    y, x = np.mgrid[0:height, 0:width]
    dy, dx = shift
    first = np.stack([x + 50, y + 50, 0 * x], -1)
    second = np.stack([x - dx + 50, y - dy + 50, 0 * x], -1)
    flow = np.broadcast_to(np.array([dx, dy], np.float32), (1, 1, 6, 8, 2))
    flow = np.concatenate([flow, -flow], 1)
    visible = np.stack([inside(f, (height, width)) for f in flow[0]])[None]
    return Shard(np.stack([first, second]).astype(np.uint8)[None], flow, visible)


def colors_at_cells(
    images: npt.NDArray[np.uint8], flow: npt.NDArray[np.float32], view: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Colors of `view` at its cells' centers and of the other view at their matches."""
    rows, columns = flow.shape[1:3]
    y, x = (np.mgrid[0:rows, 0:columns] + 0.5) * 16 - 0.5
    there_x, there_y = x + flow[view, ..., 0], y + flow[view, ..., 1]

    def sample(image: npt.NDArray[np.uint8], cx: object, cy: object) -> npt.NDArray[np.float64]:
        # Centers lie between pixels; colors are linear in place, so the mean of four is exact.
        x0 = np.clip(np.floor(cx).astype(int), 0, image.shape[1] - 2)
        y0 = np.clip(np.floor(cy).astype(int), 0, image.shape[0] - 2)
        corners = [image[y0 + j, x0 + i].astype(float) for j in (0, 1) for i in (0, 1)]
        return np.asarray(sum(corners) / 4)

    return sample(images[view], x, y), sample(images[1 - view], there_x, there_y)


@pytest.mark.parametrize("seed", range(12))
def test_a_varied_sample_still_matches_itself(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shard = coordinate_shard((16, -16) if seed % 2 else (0, 16))
    cut = crop_sample(rng, shard, 0, (64, 80))
    images, flow, visible = flip_and_swap(rng, *cut)
    assert images.shape == (2, 64, 80, 3) and flow.shape == (2, 4, 5, 2)
    for view in (0, 1):
        here, there = colors_at_cells(images, flow, view)
        assert np.array_equal(visible[view], visible[view] & inside(flow[view], (64, 80)))
        np.testing.assert_allclose(here[visible[view]], there[visible[view]], atol=1e-9)


def test_crops_and_flips_do_move_things() -> None:
    shard = coordinate_shard()
    seen = set()
    for seed in range(30):
        rng = np.random.default_rng(seed)
        _, flow, _ = flip_and_swap(rng, *crop_sample(rng, shard, 0, (64, 80)))
        seen.add(tuple(flow[0, 0, 0].tolist()))
    assert len(seen) > 5


def test_a_match_outside_the_crop_is_not_visible() -> None:
    flow = np.zeros((2, 2, 2), np.float32)
    flow[0, 0] = (-8.1, 0)  # the center at 7.5 goes to -0.6
    flow[1, 1] = (8.0, 0)  # 23.5 goes to 31.5: the last pixel's edge
    assert inside(flow, (32, 32)).tolist() == [[False, True], [True, True]]


def test_colors_stay_in_the_range_of_pictures() -> None:
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 256, (2, 16, 8, 8, 3)).astype(np.uint8))
    out = recolor(rng, images)
    assert out.shape == (2, 16, 3, 8, 8) and out.dtype == torch.float32
    mean, std = (torch.tensor(v).view(1, 1, 3, 1, 1) for v in (MEAN, STD))
    plain = out * std + mean
    assert float(plain.min()) > -1e-5 and float(plain.max()) < 1 + 1e-5
    gray = (plain[:, :, 0] - plain[:, :, 1]).abs().amax((0, 2, 3))
    assert int((gray < 0.35).sum()) > 0  # white balance alone remains on gray pictures


def batch_of(seeds: Sequence[int], shards: Sequence[Shard]) -> Batch:
    rngs = [np.random.default_rng(seed) for seed in seeds]
    return make_batch(rngs, [(shard, 0) for shard in shards], (64, 64))


def test_batches_repeat_for_the_same_generators() -> None:
    shards = [coordinate_shard()] * 3
    first, again, other = (batch_of(seeds, shards) for seeds in ([1, 2, 3], [1, 2, 3], [1, 2, 4]))
    assert torch.equal(first.images, again.images) and torch.equal(first.flow, again.flow)
    assert not torch.equal(first.images, other.images)
    assert first.images.shape == (2, 3, 3, 64, 64) and first.chance.shape == (3, 4, 4)


def test_a_sample_does_not_depend_on_the_others_in_its_batch() -> None:
    here, there = coordinate_shard(), coordinate_shard((16, -16))
    pair, alone = batch_of([1, 2], [here, there]), batch_of([2], [there])
    for name in ("images", "flow", "visible"):
        assert torch.equal(getattr(pair, name)[:, 1:], getattr(alone, name))
    assert torch.equal(pair.chance[1:], alone.chance)
