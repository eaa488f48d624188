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

"""From depth_node's parameters to a running depth estimator."""

from __future__ import annotations

from collections.abc import Mapping
import dataclasses
from typing import Any, TYPE_CHECKING

from zeroco_ros.ros.model import open_model, Progress, require_torch, RunningModel

if TYPE_CHECKING:
    from zeroco_ros.estimate.depth import DepthEstimator
    from zeroco_ros.estimate.depth_config import DepthConfig
    from zeroco_ros.estimate.network import RunningFlow


def load_model(
    values: Mapping[str, Any], progress: Progress = lambda line: None
) -> RunningModel[DepthEstimator]:
    """
    Load the network and set up the estimator that these parameter values describe.

    progress: called with a line per step that takes long.
    Raises WeightsError, ConfigError or BackendError (also when torch is missing), whose text
    names what was given, what is allowed and what to do.
    """
    require_torch(values)
    from zeroco_ros.estimate.depth import DepthEstimator

    config = depth_config(values)

    def build(flow: RunningFlow) -> DepthEstimator:
        return DepthEstimator.from_flow(flow.estimator, config)

    return open_model(values, config.flow_config, build, progress)


def depth_config(values: Mapping[str, Any]) -> DepthConfig:
    """Return the preset with what the parameters change of it. Raises ConfigError."""
    from zeroco_ros.estimate.depth_config import depth_preset

    preset = depth_preset(values["preset"])
    # The node itself refuses images above its parameter max_pixels, which may change at any time.
    flow = dataclasses.replace(preset.flow_config, max_pixels=1_000_000_000)
    given = "auto" if values["missing_poses"] == "estimate" else "given"
    changes: dict[str, Any] = {
        "flow": flow,
        "poses": "estimated" if values["pose_source"] == "none" else given,
    }
    for name in ("mode", "head"):
        if values[name] != "preset":
            changes[name] = values[name]
    for name in ("camera_height", "max_relative_sigma"):
        if values[name]:
            changes[name] = values[name]
    window = values["window"] or preset.window
    changes["views"] = values["views"] or min(preset.views, window)
    changes["window"] = max(window, changes["views"])
    return dataclasses.replace(preset, **changes)
