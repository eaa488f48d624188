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

"""The options of a depth estimate: one frozen dataclass, validated, and three named presets."""

from __future__ import annotations

from dataclasses import dataclass
import math
from typing import Any, get_args, Literal

from zeroco_ros.errors import ConfigError
from zeroco_ros.estimate.config import FlowConfig, preset

DepthMode = Literal["geometric", "learned", "fused"]
PoseSource = Literal["auto", "given", "estimated"]


@dataclass(frozen=True)
class DepthConfig:
    """
    How frames become depth. Raises ConfigError on a value outside its range.

    mode: "geometric" takes depth from the key frames' pictures and the flow to them; "learned"
        from the depth head on the frame and the newest key frame, given their motion, in the unit
        that fits the geometric depth; "fused" weighs both by their inverse variances. Where the
        geometric depth knows too little for a unit, both of these return it as it is.
    head: the depth head of those two modes: the name of shipped weights or a file of
        `zeroco train depth`.
    flow: FlowConfig or the name of its preset, for the flow between a frame and the key frames.
    views: key frames that each frame is matched with, 1 to `window`; every one costs one flow
        estimate (both directions). The newest comes first.
    window: key frames kept, 2 to 32.
    poses: "auto" trusts poses that come with frames and estimates the missing ones, "given" leaves
        frames without a pose without depth, "estimated" ignores poses that come.
    key_parallax: parallax from which on a frame becomes a key frame, as a share of the image's
        longer side, in (0, 0.5]: the median over the image, rotation taken off, against the
        newest key frame.
    least_parallax: parallax below which motion cannot be told from noise, same unit, > 0 and at
        most key_parallax.
    key_overlap: share of pixels matched with the newest key frame below which a frame becomes one
        before it has `key_parallax`, in [0, 1].
    lost_overlap: share of pixels that must be matched with some key frame, in [0, 1]; a frame with
        fewer is lost.
    grid: step in pixels of the grid on which poses are estimated, 4 to 64; bundle adjustment takes
        twice that. Small pictures get a finer one.
    adjust: bundle adjustment of the window with every frame (estimated poses only).
    camera_height: meters above the ground, or None: makes estimated depth metric where the ground
        is seen below the camera.
    baseline: meters between the first two key frames, or None: makes estimated depth metric; for
        a camera on a slider, or the two images of a stereo pair one after another.
    max_relative_sigma: pixels whose sigma exceeds this share of their depth get NaN, > 0; inf
        keeps all.
    """

    mode: DepthMode = "geometric"
    head: str = "depth_head"
    flow: FlowConfig | str = "default"
    views: int = 3
    window: int = 5
    poses: PoseSource = "auto"
    key_parallax: float = 0.015
    least_parallax: float = 0.0025
    key_overlap: float = 0.6
    lost_overlap: float = 0.1
    grid: int = 8
    adjust: bool = True
    camera_height: float | None = None
    baseline: float | None = None
    max_relative_sigma: float = 0.3

    def __post_init__(self) -> None:
        for name, kind in (("mode", DepthMode), ("poses", PoseSource)):
            _one_of(name, getattr(self, name), get_args(kind))
        if not isinstance(self.head, str) or not self.head:
            raise ConfigError(f"head is {self.head!r}: give a name or a file")
        if not isinstance(self.flow, FlowConfig):
            if not isinstance(self.flow, str):
                raise ConfigError(f"flow is {self.flow!r}: give a FlowConfig or a preset's name")
            preset(self.flow)
        _whole("window", self.window, 2, 32)
        _whole("views", self.views, 1, self.window)
        _whole("grid", self.grid, 4, 64)
        _within("key_parallax", self.key_parallax, 0, 0.5)
        _within("least_parallax", self.least_parallax, 0, self.key_parallax)
        for name in ("key_overlap", "lost_overlap"):
            value = getattr(self, name)
            if not (_is_number(value) and 0 <= value <= 1):
                raise ConfigError(f"{name} is {value!r}: give a share from 0 to 1")
        if not isinstance(self.adjust, bool):
            raise ConfigError(f"adjust is {self.adjust!r}: give True or False")
        for name in ("camera_height", "baseline"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and 0 < value < 1e6):
                raise ConfigError(f"{name} is {value!r}: give meters above 0, or None")
        if self.camera_height is not None and self.baseline is not None:
            raise ConfigError("camera_height and baseline are both given: one of them sets scale")
        sigma = self.max_relative_sigma
        if isinstance(sigma, bool) or not isinstance(sigma, int | float) or not sigma > 0:
            raise ConfigError(f"max_relative_sigma is {sigma!r}: give a number above 0, or inf")

    @property
    def flow_config(self) -> FlowConfig:
        """Return the flow configuration, a preset's name resolved."""
        return preset(self.flow) if isinstance(self.flow, str) else self.flow


def _one_of(name: str, value: Any, allowed: tuple[Any, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{name} is {value!r}: use one of {', '.join(allowed)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(name: str, value: Any, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigError(f"{name} is {value!r}: give a whole number from {low} to {high}")


def _within(name: str, value: Any, low: float, high: float) -> None:
    if not (_is_number(value) and low < value <= high):
        raise ConfigError(f"{name} is {value!r}: give a number above {low} and up to {high}")


DEPTH_PRESETS: dict[str, DepthConfig] = {
    "fast": DepthConfig(flow="fast", views=1),
    "default": DepthConfig(),
    "accurate": DepthConfig(flow="accurate", views=5, window=8),
}


def depth_preset(name: str) -> DepthConfig:
    """Return a named configuration. Raises ConfigError that lists the names."""
    if name not in DEPTH_PRESETS:
        raise ConfigError(f"unknown depth preset {name!r}: use one of {', '.join(DEPTH_PRESETS)}")
    return DEPTH_PRESETS[name]
