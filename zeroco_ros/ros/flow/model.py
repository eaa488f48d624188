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

"""From flow_node's parameters to a running flow estimator."""

from __future__ import annotations

from collections.abc import Mapping
import dataclasses
from typing import Any, TYPE_CHECKING

from zeroco_ros.ros.model import open_model, Progress, require_torch, RunningModel

if TYPE_CHECKING:
    from zeroco_ros.estimate.config import FlowConfig
    from zeroco_ros.estimate.flow import FlowEstimator


def load_model(
    values: Mapping[str, Any], progress: Progress = lambda line: None
) -> RunningModel[FlowEstimator]:
    """
    Load the network and set up the estimator that these parameter values describe.

    progress: called with a line per step that takes long.
    Raises WeightsError, ConfigError or BackendError (also when torch is missing), whose text
    names what was given, what is allowed and what to do.
    """
    require_torch(values)
    return open_model(values, flow_config(values), lambda flow: flow.estimator, progress)


def flow_config(values: Mapping[str, Any]) -> FlowConfig:
    """Return the preset with what the parameters change of it. Raises ConfigError."""
    from zeroco_ros.estimate.config import preset

    # The node itself refuses images above its parameter max_pixels, which may change at any time.
    changes: dict[str, Any] = {"max_pixels": 1_000_000_000}
    if values["max_side"]:
        changes.update(size=None, max_side=values["max_side"])
    if values["beta"]:
        changes["beta"] = values["beta"]
    for name in ("correlation", "head", "refine"):
        if values[name] != "preset":
            changes[name] = values[name]
    for name in ("reciprocity", "alignment", "register_fix"):
        if values[name] != "preset":
            changes[name] = values[name] == "enabled"
    if values["zoom"] != "preset":
        changes["zoom"] = zoom_ratios(values["zoom"])
    return dataclasses.replace(preset(values["preset"]), **changes)


def zoom_ratios(text: str) -> tuple[int, ...]:
    """'none' -> (), '2 3' or '2, 3' -> (2, 3)."""
    return () if text == "none" else tuple(int(part) for part in text.replace(",", " ").split())
