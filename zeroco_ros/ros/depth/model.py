"""From depth_node's parameters to a running depth estimator."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zeroco_ros.ros.model import RunningModel, load_network

if TYPE_CHECKING:
    from zeroco_ros.estimate.depth import DepthEstimator
    from zeroco_ros.estimate.depth_config import DepthConfig


def load_model(values: Mapping[str, Any]) -> RunningModel[DepthEstimator]:
    """Load the network and set up the estimator that these parameter values describe.

    Raises WeightsError, ConfigError or BackendError (also when torch is missing), whose text
    names what was given, what is allowed and what to do.
    """
    network = load_network(values)
    from zeroco_ros.estimate.depth import DepthEstimator
    from zeroco_ros.estimate.flow import FlowEstimator

    config = depth_config(values)
    flow = FlowEstimator.from_backend(
        network.backend, config.flow_config, metadata=network.file.metadata
    )
    return network.running(DepthEstimator.from_flow(flow, config))


def depth_config(values: Mapping[str, Any]) -> DepthConfig:
    """The preset with what the parameters change of it. Raises ConfigError."""
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
