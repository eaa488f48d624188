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

"""Options of depth: ranges are refused with the range, presets are named."""

from __future__ import annotations

import math
from typing import Any

import pytest

from zeroco_ros.errors import ConfigError
from zeroco_ros.estimate.config import FlowConfig, preset
from zeroco_ros.estimate.depth_config import depth_preset, DEPTH_PRESETS, DepthConfig


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "stereo"}, "geometric, learned, fused"),
        ({"poses": "tf"}, "auto, given, estimated"),
        ({"flow": "quick"}, "unknown preset"),
        ({"flow": 3}, "FlowConfig"),
        ({"window": 1}, "2 to 32"),
        ({"views": 6}, "1 to 5"),
        ({"views": True}, "1 to 5"),
        ({"grid": 2}, "4 to 64"),
        ({"key_parallax": 0.0}, "above 0"),
        ({"least_parallax": 0.1}, "up to 0.015"),
        ({"key_overlap": math.nan}, "0 to 1"),
        ({"adjust": 1}, "True or False"),
        ({"camera_height": -1.0}, "meters"),
        ({"baseline": 0}, "meters"),
        ({"camera_height": 1.0, "baseline": 1.0}, "one of them"),
        ({"max_relative_sigma": 0.0}, "above 0"),
    ],
)
def test_values_outside_their_range_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        DepthConfig(**options)


def test_presets_are_named_and_the_flow_is_resolved() -> None:
    assert set(DEPTH_PRESETS) == {"fast", "default", "accurate"}
    assert depth_preset("fast").flow_config == preset("fast")
    own = FlowConfig(max_side=224)
    assert DepthConfig(flow=own).flow_config is own
    with pytest.raises(ConfigError, match="fast, default, accurate"):
        depth_preset("best")
