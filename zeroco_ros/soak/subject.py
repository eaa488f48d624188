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

"""The two nodes as a soak sees them: outputs, counters, parameters that may change. No ROS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import math
from typing import Any

NAN, INF = math.nan, math.inf

# (name, value) that every node refuses in every state.
_NONSENSE: tuple[tuple[str, Any], ...] = (
    ("max_dt", NAN),
    ("max_dt", -1.0),
    ("max_dt", INF),
    ("min_dt", "soon"),
    ("max_pixels", 0),
    ("max_pixels", -(2**40)),
    ("significant_bits", 99),
    ("significant_bits", 1.5),
    ("input_timeout", NAN),
    ("autostart", 7),
    ("diagnostics_period", 0.2),
    ("weights", "/nowhere/else.safetensors"),
    ("no_such_parameter", 1),
)


@dataclass(frozen=True)
class Subject:
    """
    A node to soak.

    outputs: image outputs by short name, main one first. held: images that it may hold at most.
    live: parameters and the values that they may take at work; the first one is the value to go
    back to. nonsense: (name, value) to be refused at work. calibrated: it needs a camera_info.
    """

    name: str
    outputs: tuple[str, ...]
    held: int
    live: Mapping[str, tuple[Any, ...]]
    nonsense: tuple[tuple[str, Any], ...]
    calibrated: bool = False

    @property
    def module(self) -> str:
        """Return what `python -m` runs."""
        return f"zeroco_ros.ros.{self.name}"


_SHARED_LIVE: Mapping[str, tuple[Any, ...]] = {
    "max_dt": (1.0, 0.5, 2.0, 3600.0),
    "min_dt": (0.0, 0.01, 0.2),
    "significant_bits": (16, 12, 8),
    "max_pixels": (40_000_000, 1_000_000),
    "input_timeout": (5.0, 0.1, 60.0),
}
FLOW = Subject(
    name="flow_node",
    outputs=("flow", "confidence", "flow_color", "occluded"),
    held=2,
    live={
        **_SHARED_LIVE,
        "stride": (1, 2, 5),
        "color_max_magnitude": (0.0, 25.0),
        "slop": (0.01, 0.1),
        "sync_queue_size": (10, 3),
    },
    nonsense=(*_NONSENSE, ("stride", 0), ("reference", "left"), ("preset", "fast")),
)
DEPTH = Subject(
    name="depth_node",
    outputs=("depth", "depth_sigma", "image_rect"),
    held=2 + 32,
    live={
        **_SHARED_LIVE,
        "patience": (0.1, 0.0, 0.5),
        "max_pose_gap": (0.5, 0.1),
        "max_depth": (0.0, 5.0),
    },
    nonsense=(*_NONSENSE, ("patience", -0.1), ("max_depth", NAN), ("mode", "learned")),
    calibrated=True,
)
SUBJECTS: Mapping[str, Subject] = {subject.name: subject for subject in (FLOW, DEPTH)}
