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

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from zeroco_ros.evaluation.protocols import (
    FlowPair,
    homography_flow,
    hpatches_pair,
    leads_inside,
    sparse_flow,
)

Golden = Callable[[str], dict[str, np.ndarray]]


@pytest.fixture(scope="module")
def pairs(golden: Golden) -> dict[str, FlowPair]:
    """Return the reference's two HPatches pairs at original size and at 240."""
    images, protocol = golden("images"), golden("eval_protocol")
    first, second, third = images["img1_u8"], images["img2_u8"], protocol["img3_u8"]
    made = {}
    for tag, side in (("orig", None), ("240", 240)):
        made[f"hp_{tag}_0"] = hpatches_pair("1-2", first, second, images["H_1to2"], side)
        made[f"hp_{tag}_1"] = hpatches_pair("1-3", first, third, protocol["H_1to3"], side)
    return made


@pytest.mark.parametrize("tag", ["hp_orig_0", "hp_orig_1", "hp_240_0", "hp_240_1"])
def test_hpatches_pairs_are_the_references(
    tag: str, golden: Golden, pairs: dict[str, FlowPair]
) -> None:
    expected, pair = golden("eval_protocol"), pairs[tag]
    flow = pair.flow.transpose(2, 0, 1)[None, :, ::8, ::8]
    assert np.abs(flow - expected[f"{tag}_flowgt_s8"]).max() < 1e-4
    assert np.array_equal(pair.valid[None, ::4, ::4], expected[f"{tag}_mask_s4"])
    assert int(pair.valid.sum()) == int(expected[f"{tag}_nvalid"])
    assert int(pair.source.sum(dtype=np.int64)) == int(expected[f"{tag}_source_sum"])
    target = pair.target.transpose(2, 0, 1)[None, :, ::16, ::16]
    assert np.array_equal(target, expected[f"{tag}_target_s16"])


def test_eth3d_points_are_stored_as_the_reference_does(golden: Golden) -> None:
    data = golden("eval_protocol")
    target = np.stack([data["eth_Xt"], data["eth_Yt"]], axis=1)
    source = np.stack([data["eth_Xs"], data["eth_Ys"]], axis=1)
    flow, valid = sparse_flow(target, source, 240, 320)
    assert np.array_equal(np.array(np.nonzero(valid)), data["eth_mask_nonzero_yx"])
    assert np.abs(flow[valid].T - data["eth_flow_at_mask"]).max() < 1e-4


def test_points_outside_are_dropped() -> None:
    target = np.array([[1.4, 0.6], [-0.6, 1], [2.5, 1], [1, 3]])
    flow, valid = sparse_flow(target, target + np.array([2, -1]), 3, 3)
    assert np.argwhere(valid).tolist() == [[1, 1], [1, 2]]
    assert np.allclose(flow[1, 1], (2, -1)) and np.isnan(flow[0, 0]).all()


def test_homography_flow_maps_target_pixels() -> None:
    shift = np.array([[1, 0, 2.5], [0, 1, -1], [0, 0, 1]])
    assert np.allclose(homography_flow(shift, 4, 5), (2.5, -1))
    double = np.diag([2.0, 2.0, 1.0])
    flow = homography_flow(double, 4, 5)
    assert np.allclose(flow[3, 4], (4, 3)) and np.allclose(flow[0, 0], 0)


def test_points_behind_the_camera_are_unknown() -> None:
    tilted = np.array([[1.0, 0, 0], [0, 1, 0], [-0.5, 0, 1]])
    flow = homography_flow(tilted, 2, 5)
    assert np.isfinite(flow[:, :2]).all() and np.isnan(flow[:, 2:]).all()
    assert not leads_inside(flow, 2, 5)[:, 2:].any()


def test_bounds_are_the_outer_pixel_centers() -> None:
    flow = np.zeros((3, 4, 2))
    flow[0, 0] = (3, 2)
    flow[0, 1] = (2.01, 0)
    flow[2, 3] = (0, 0.01)
    flow[1, 0] = (-0.01, 0)
    inside = leads_inside(flow, 3, 4)
    assert np.argwhere(~inside).tolist() == [[0, 1], [1, 0], [2, 3]]
