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

import numpy as np
import pytest

from zeroco_ros.evaluation.cost import measure_cost, peak_memory

IMAGE = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)


def test_a_process_of_its_own_tells_time_and_memory() -> None:
    cost = measure_cost("dis", IMAGE, np.roll(IMAGE, 3, axis=1), [1, 2])
    assert cost.method == "dis" and cost.size == (240, 320)
    assert set(cost.seconds) == {1, 2} and all(0 < value < 60 for value in cost.seconds.values())
    if peak_memory() is None:
        assert cost.memory is None and cost.loaded is None
    else:
        assert cost.memory is not None and cost.loaded is not None
        # this process is far larger: its own peak must not be the child's
        assert 0 <= cost.loaded <= cost.memory < 200


def test_a_process_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match=r"measuring raft failed: .*unknown method 'raft'"):
        measure_cost("raft", IMAGE, IMAGE, [1])
