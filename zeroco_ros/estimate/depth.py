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

"""The public face of depth: frames of a moving camera in, depth with its uncertainty out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zeroco_ros.estimate.depth_config import depth_preset, DepthConfig
from zeroco_ros.estimate.depth_stream import DepthStream
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.estimate.learned_depth import LearnedDepth

if TYPE_CHECKING:
    from zeroco_ros.geometry.camera import Camera

__all__ = ["DepthEstimator", "DepthStream"]


class DepthEstimator:
    """
    Depth of a moving camera's frames.

    config: a DepthConfig or the name of a preset ("fast", "default", "accurate"). weights, device,
    precision, threads: as of FlowEstimator, for the network behind the flow.
    Raises ConfigError, WeightsError or BackendError.
    """

    def __init__(
        self,
        config: DepthConfig | str = "default",
        *,
        weights: str | Path = "default",
        device: str = "auto",
        precision: str | None = None,
        threads: int | None = None,
    ) -> None:
        config = depth_preset(config) if isinstance(config, str) else config
        flow = FlowEstimator(
            config.flow_config,
            weights=weights,
            device=device,
            precision=precision,
            threads=threads,
        )
        self._set_up(flow, config)

    @classmethod
    def from_flow(
        cls, flow: FlowEstimator, config: DepthConfig | str = "default"
    ) -> DepthEstimator:
        """
        Return a depth estimator on a flow estimator that exists; `config.flow` is then not read.

        Raises WeightsError where a mode other than "geometric" finds no depth head.
        """
        estimator = cls.__new__(cls)
        estimator._set_up(flow, depth_preset(config) if isinstance(config, str) else config)
        return estimator

    def _set_up(self, flow: FlowEstimator, config: DepthConfig) -> None:
        self.flow = flow
        self.config = config
        self.head: LearnedDepth | None = None
        if config.mode != "geometric":
            self.head = LearnedDepth(flow.backend, config.head)

    def stream(self, camera: Camera) -> DepthStream:
        """Return a stream for the frames of one camera, in the order of their stamps."""
        return DepthStream(self.flow, self.config, camera, self.head)
