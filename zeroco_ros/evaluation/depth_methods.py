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

"""What can be compared: this package's depth in its modes and presets, and plain methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast, TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ConfigError
from zeroco_ros.estimate.depth_config import depth_preset, DepthConfig, DepthMode
from zeroco_ros.evaluation.depth_source import DepthAnswer, DepthMethod, DepthSource, PoseUse
from zeroco_ros.geometry.camera import Camera

if TYPE_CHECKING:
    from zeroco_ros.estimate.depth_stream import DepthStream
    from zeroco_ros.estimate.flow import FlowEstimator
    from zeroco_ros.estimate.network import NetworkOptions
    from zeroco_ros.evaluation.shared_flow import SharedFlow

Array = npt.NDArray[np.float64]

# Name -> preset, mode (None: the preset's own) and words.
OURS: dict[str, tuple[str, DepthMode | None, str]] = {
    "geometric": ("default", "geometric", "preset default in mode geometric: multi-view depth"),
    "learned": ("default", "learned", "preset default in mode learned: the depth head"),
    "fused": ("default", "fused", "preset default in mode fused: both together"),
    "fast": ("fast", None, "preset fast"),
    "accurate": ("accurate", None, "preset accurate"),
}
CLASSICAL = {
    "dis": "OpenCV's DIS flow to the frame 3 before, triangulated; without given poses to the "
    "last of every 3 frames, with OpenCV's essential matrix (USAC MAGSAC)",
    "constant": "the same depth everywhere",
}
NAMES = (*OURS, *CLASSICAL)
POSES = ("given", "estimated", "both")
LOST = ("lost", "starting")  # states without a pose of their own


def depth_methods(
    names: Sequence[str],
    poses: str = "both",
    *,
    options: NetworkOptions | None = None,
    head: str | None = None,
) -> list[DepthMethod]:
    """
    Methods by name, some of `NAMES`, each with given poses, with estimated ones, or both.

    `constant` knows of no poses and is there once. The methods share their flow; options (what
    runs the network) and head (another learned flow head) are for it. Raises ConfigError for other
    names, WeightsError and BackendError as `open_flow` and DepthEstimator do.
    """
    if poses not in POSES:
        raise ConfigError(f"unknown poses {poses!r}: use one of {', '.join(POSES)}")
    uses: list[PoseUse] = ["given", "estimated"] if poses == "both" else [cast(PoseUse, poses)]
    flows: dict[str, SharedFlow] = {}
    methods = []
    for name in names:
        if name in OURS:
            config = _configuration(name, head)
            if OURS[name][0] not in flows:
                flows[OURS[name][0]] = _flow(config, options)
            methods += [_ours(name, config, use, flows[OURS[name][0]]) for use in uses]
        elif name in CLASSICAL:
            methods += _classical(name, uses)
        else:
            raise ConfigError(f"unknown method {name!r}: use some of {', '.join(NAMES)}")
    return methods


def _configuration(name: str, head: str | None) -> DepthConfig:
    preset, mode, _ = OURS[name]
    config = depth_preset(preset)
    if mode is not None:
        config = replace(config, mode=mode)
    if head is not None:
        config = replace(config, flow=replace(config.flow_config, head=head))
    return config


def _flow(config: DepthConfig, options: NetworkOptions | None) -> SharedFlow:
    from zeroco_ros.estimate.network import open_flow
    from zeroco_ros.evaluation.shared_flow import SharedFlow

    return SharedFlow(open_flow(config.flow_config, options).estimator)


def _ours(name: str, config: DepthConfig, use: PoseUse, flow: SharedFlow) -> DepthMethod:
    from zeroco_ros.estimate.depth import DepthEstimator

    estimator = DepthEstimator.from_flow(cast("FlowEstimator", flow), config)
    about = f"this package, {OURS[name][2]}"

    def start(camera: Camera) -> DepthSource:
        return StreamSource(estimator.stream(camera))

    return DepthMethod(name, about, use, start, flow.take_credit)


def _classical(name: str, uses: Sequence[PoseUse]) -> list[DepthMethod]:
    from zeroco_ros.evaluation.classical_depth import ConstantDepth, TwoViewDepth

    if name == "constant":
        return [DepthMethod(name, CLASSICAL[name], "none", ConstantDepth)]
    return [DepthMethod(name, CLASSICAL[name], use, TwoViewDepth) for use in uses]


class StreamSource:
    """A DepthStream, used exactly as the node uses it."""

    def __init__(self, stream: DepthStream) -> None:
        self._stream = stream

    def push(
        self, image: npt.NDArray[np.uint8], stamp_ns: int, pose: Array | None
    ) -> DepthAnswer | None:
        """As DepthSource.push."""
        found = self._stream.push(image, stamp_ns, pose)
        if found is None:
            return None
        own = None if found.state in LOST else found.pose
        return DepthAnswer(found.depth, found.sigma, found.K, own, found.state)
