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

"""What can be compared: this package's presets and parts of them, and classical flow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ConfigError
from zeroco_ros.estimate.config import FlowConfig, preset, PRESETS
from zeroco_ros.evaluation import classical
from zeroco_ros.media.images import RGB

if TYPE_CHECKING:
    from zeroco_ros.estimate.network import NetworkOptions

Float = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Estimate:
    """
    One method's answer for a pair.

    flow: (H, W, 2) pixels. confidence: (H, W) in [0, 1] and forward_backward_error: (H, W) pixels,
    inf where unknown; None where the method has none. failed: it had no answer, flow is zero.
    """

    flow: Float
    confidence: Float | None = None
    forward_backward_error: Float | None = None
    failed: bool = False

    def uncertainty(self) -> dict[str, Float]:
        """(H, W) fields by name that rank pixels, the least certain highest."""
        ranks = {}
        if self.confidence is not None:
            ranks["confidence"] = -self.confidence
        if self.forward_backward_error is not None:
            ranks["fb_error"] = self.forward_backward_error
        return ranks


@dataclass(frozen=True)
class Method:
    """A name, what it is, and target and source (H, W, 3) uint8 RGB to an estimate."""

    name: str
    about: str
    estimate: Callable[[RGB, RGB], Estimate]


@dataclass(frozen=True)
class _Part:
    """A variation of the preset `default`."""

    about: str
    changes: dict[str, Any] = field(default_factory=dict)


_PARTS = {
    "coarse": _Part(
        "cross-attention alone: `default` without learned head and refinement",
        {"head": "none", "refine": "none"},
    ),
    "coarse-dis": _Part(
        "cross-attention refined by DIS: `default` without learned head",
        {"head": "none", "refine": "dis"},
    ),
    "head": _Part("`default` without refinement after the learned head", {"refine": "none"}),
}
_CLASSICAL: dict[str, tuple[str, Callable[[RGB, RGB], Float | None]]] = {
    "dis": ("OpenCV DIS, medium preset, full resolution", classical.dis),
    "farneback": (
        "OpenCV Farneback, 5 levels, window 15, 3 iterations, polynomials over 7 px",
        classical.farneback,
    ),
    "sift": (
        "OpenCV SIFT, mutual nearest neighbors with ratio test 0.8, MAGSAC homography at 3 px; "
        "the homography is its flow everywhere, so it cannot express parallax; "
        "a pair without a homography counts as zero flow and as a failure",
        classical.sift_homography,
    ),
    "zero": (
        "no motion at all",
        lambda target, source: np.zeros((*target.shape[:2], 2), np.float32),
    ),
}

OURS = (*PRESETS, *_PARTS)
NAMES = (*OURS, *_CLASSICAL)


def make_method(
    name: str, options: NetworkOptions | None = None, head: str | None = None
) -> Method:
    """
    Build a method by name, one of `NAMES`.

    options (what runs the network) and head (see `configuration`) are for this package's own.
    Raises ConfigError for another name, WeightsError and BackendError as `open_flow` does.
    """
    if name in OURS:
        return _ours(name, configuration(name, head), options)
    if name in _CLASSICAL:
        about, compute = _CLASSICAL[name]
        return Method(name, about, _total(compute))
    raise ConfigError(f"unknown method {name!r}: use some of {', '.join(NAMES)}")


def configuration(name: str, head: str | None = None) -> FlowConfig:
    """
    Return the configuration behind a preset or a part of `default`.

    head: another learned head, a name of shipped weights or a file, for all but `paper` and the
    parts that go without. Raises ConfigError for another name, and for the part `head` where there
    is no learned head.
    """
    config = preset(name) if name not in _PARTS else preset("default")
    if head is not None and name != "paper":
        config = replace(config, head=head)
    if name in _PARTS:
        config = replace(config, **_PARTS[name].changes)
    if name == "head" and config.head == "none":
        raise ConfigError("the preset default has no learned head: give --head NAME or FILE")
    return config


def _ours(name: str, config: FlowConfig, options: NetworkOptions | None) -> Method:
    from zeroco_ros.estimate.network import open_flow

    running = open_flow(config, options)

    def estimate(target: RGB, source: RGB) -> Estimate:
        result = running.estimator.estimate(target, source)
        return Estimate(result.flow, result.confidence, result.forward_backward_error)

    about = _PARTS[name].about if name in _PARTS else f"preset {name}"
    if options is not None and options.engine is not None:
        about += f"; {running.reason}"
    return Method(name, f"this package, {about}", estimate)


def _total(compute: Callable[[RGB, RGB], Float | None]) -> Callable[[RGB, RGB], Estimate]:
    """Return a method that always answers: zero flow, marked as failed, where it has nothing."""

    def estimate(target: RGB, source: RGB) -> Estimate:
        flow = compute(target, source)
        if flow is None:
            return Estimate(np.zeros((*target.shape[:2], 2), np.float32), failed=True)
        return Estimate(flow)

    return estimate
