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

"""Every reference array this release answers for is compared by some test of the same run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

STEMS = (
    "images",
    "zeroco_v1_224",
    "zeroco_v2_224",
    "zeroco_v2_small96",
    "dust3r_tiny_160",
    "dust3r_tiny_224",
    "mast3r_tiny_nohead_160",
    "pretrain_croco_v1_tiny",
    "pretrain_croco_v2_tiny",
    "eval_protocol",
    "raft",
    "raftstereo",
    "actr_refine",
    "droid_ba",
)


def test_every_reference_array_is_compared(
    request: pytest.FixtureRequest,
    reference: Path,
    reference_rooms: tuple[str, ...],
    used_reference_arrays: set[tuple[str, str]],
) -> None:
    collected = {item.nodeid for item in request.session.items}
    if request.config.option.keyword or not all(
        any(node.startswith(user) for node in collected) for user in reference_rooms
    ):
        pytest.skip("only part of the suite runs: the whole of it is needed to judge coverage")
    missing = []
    for stem in STEMS:
        with np.load(reference / f"{stem}.npz") as arrays:
            keys = [(stem, key) for key in arrays.files]
        missing += [key for key in keys if key not in used_reference_arrays]
    assert not missing
