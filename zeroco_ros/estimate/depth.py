"""The public face of depth: frames of a moving camera in, depth with its uncertainty out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zeroco_ros.estimate.depth_config import DepthConfig, depth_preset
from zeroco_ros.estimate.depth_stream import DepthStream
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.estimate.learned_depth import LearnedDepth

if TYPE_CHECKING:
    from zeroco_ros.geometry.camera import Camera

__all__ = ["DepthEstimator", "DepthStream"]


class DepthEstimator:
    """Depth of a moving camera's frames.

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
        """A depth estimator on a flow estimator that exists; `config.flow` is then not read.

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
        """A stream for the frames of one camera, in the order of their stamps."""
        return DepthStream(self.flow, self.config, camera, self.head)
