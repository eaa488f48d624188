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

"""The options of a flow estimate: one frozen dataclass, validated, and four named presets."""

from __future__ import annotations

from dataclasses import dataclass
import math
from typing import Any, get_args, Literal

from zeroco_ros.errors import ConfigError

Resize = Literal["letterbox", "stretch"]
Resample = Literal["area", "bilinear", "antialias"]
Correlation = Literal["cross_attention", "encoder", "decoder"]
Readout = Literal["hard", "soft", "window"]
FeatureNorm = Literal["channels", "tokens"]
Upsampling = Literal["direct", "two_step", "corners"]
Refine = Literal["none", "dis"]
RefinePreset = Literal["fast", "default", "accurate"]
Precision = Literal["auto", "fp32", "bf16", "fp16", "int8"]

WINDOWS = (3, 5, 9, 15)
PATCH = 16


@dataclass(frozen=True)
class FlowConfig:
    """
    How two images become a flow field. Raises ConfigError on a value outside its range.

    size: (height, width) of the network's input, multiples of 16; None: from `max_side`.
    max_side: longest side of the network's input in pixels when `size` is None; images are never
        enlarged by it.
    resize: "letterbox" keeps the aspect ratio and pads right and bottom; "stretch" fills it all.
    resample: filter into the network's input: "area" means where it shrinks and bilinear where it
        grows, "bilinear" never filters (the paper's code), "antialias" is bilinear widened by the
        reduction (newer torchvision).
    correlation: what the cost volume compares: "cross_attention" (queries and keys, all layers),
        "encoder" (last encoder features) or "decoder" (features of the first decoder block).
    readout: "hard" argmax, "soft" argmax over everything, or "window" around the peak.
    window: side of the window in tokens: 3, 5, 9 or 15.
    beta: softmax temperature, > 0; None: the value stored with the weights, else `DEFAULT_BETA`.
    reciprocity: average the volume with the transposed volume of the swapped images.
    register_fix: set the top-left key token to the map's minimum; None: what the weights say
        (True for official CroCo, DUSt3R and MASt3R files).
    zoom: ratios of the dense zoom-in, for example (2, 3); () is off.
    alignment: try the source turned and squeezed where a pair hardly agrees (matching/alignment):
        up to nine more coarse matches, on such pairs only.
    align_corners: coordinate convention of the zoom-in; True reproduces the released code with its
        bias, False has none.
    feature_norm: axis over which the decoder features are normalized; "tokens" is a slip of the
        released DUSt3R and MASt3R code, there to reproduce its numbers.
    upsampling: "direct" from tokens to image pixels, "two_step" over the network's input size (the
        paper's code), or "corners", which pins the outer tokens to the image's corners and shifts
        the border by up to half a token (the released DUSt3R and MASt3R code).
    head: the learned head that makes the coarse match dense: the name of shipped weights, a file
        of `zeroco train flow`, or "none".
    head_max_side: longest side in pixels at which that head sees the images; heads of kind
        aggregation and super_resolution see them as the backbone does.
    refine: "dis" refines to sub-pixel at full resolution with OpenCV's DIS, "none" does not.
    refine_preset: effort of that refinement.
    refine_backward: without a head, refine the reverse flow too, with the effort "fast": occlusion
        and forward-backward error are then near the refined flow's accuracy. A head's reverse flow
        is taken as it is.
    precision: arithmetic of the network; "auto" picks what is fast on the device.
    max_pixels: images with more pixels than this are refused.
    """

    size: tuple[int, int] | None = None
    max_side: int = 320
    resize: Resize = "letterbox"
    resample: Resample = "area"
    correlation: Correlation = "cross_attention"
    readout: Readout = "window"
    window: int = 3
    beta: float | None = None
    reciprocity: bool = True
    register_fix: bool | None = None
    zoom: tuple[int, ...] = ()
    alignment: bool = False
    align_corners: bool = False
    feature_norm: FeatureNorm = "channels"
    upsampling: Upsampling = "direct"
    head: str = "none"
    head_max_side: int = 320
    refine: Refine = "dis"
    refine_preset: RefinePreset = "default"
    refine_backward: bool = True
    precision: Precision = "auto"
    max_pixels: int = 50_000_000

    def __post_init__(self) -> None:
        for name, kind in _LITERALS.items():
            _one_of(name, getattr(self, name), get_args(kind))
        _one_of("window", self.window, WINDOWS)
        if self.size is not None:
            object.__setattr__(self, "size", _valid_size(self.size))
        object.__setattr__(self, "zoom", _valid_zoom(self.zoom))
        _whole("max_side", self.max_side, 32, 4096)
        _whole("head_max_side", self.head_max_side, 32, 4096)
        if not isinstance(self.head, str) or not self.head:
            raise ConfigError(f"head is {self.head!r}: give a name, a file or 'none'")
        _whole("max_pixels", self.max_pixels, 256, 1_000_000_000)
        if self.beta is not None and not (_is_number(self.beta) and 0 < self.beta <= 1e3):
            raise ConfigError(f"beta is {self.beta!r}: give a number in (0, 1000]")
        for name in ("reciprocity", "alignment", "align_corners", "refine_backward"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"{name} is {getattr(self, name)!r}: give True or False")
        if self.register_fix not in (None, True, False):
            raise ConfigError(f"register_fix is {self.register_fix!r}: give True, False or None")


_LITERALS: dict[str, Any] = {
    "resize": Resize,
    "resample": Resample,
    "correlation": Correlation,
    "readout": Readout,
    "upsampling": Upsampling,
    "feature_norm": FeatureNorm,
    "refine": Refine,
    "refine_preset": RefinePreset,
    "precision": Precision,
}


def _one_of(name: str, value: Any, allowed: tuple[Any, ...]) -> None:
    if value not in allowed or isinstance(value, bool):
        raise ConfigError(f"{name} is {value!r}: use one of {', '.join(map(str, allowed))}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(name: str, value: Any, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigError(f"{name} is {value!r}: give a whole number from {low} to {high}")


def _valid_size(size: Any) -> tuple[int, int]:
    text = f"size is {size!r}: give (height, width), multiples of {PATCH} from 32 to 4096"
    if not isinstance(size, tuple | list) or len(size) != 2:
        raise ConfigError(text)
    for side in size:
        if not isinstance(side, int) or side % PATCH or not 32 <= side <= 4096:
            raise ConfigError(text)
    return size[0], size[1]


def _valid_zoom(zoom: Any) -> tuple[int, ...]:
    if not isinstance(zoom, tuple | list):
        raise ConfigError(f"zoom is {zoom!r}: give ratios such as (2, 3), or () for none")
    for ratio in zoom:
        if not isinstance(ratio, int) or isinstance(ratio, bool) or not 2 <= ratio <= 8:
            raise ConfigError(f"zoom ratio {ratio!r}: give whole numbers from 2 to 8")
    return tuple(zoom)


# The paper's zero-shot protocol, number for number (ZeroCo, CVPR 2025, and its released code).
_PAPER = FlowConfig(
    size=(224, 224),
    resize="stretch",
    resample="bilinear",
    readout="soft",
    beta=1e-4,
    register_fix=True,
    align_corners=True,
    upsampling="two_step",
    refine="none",
    precision="fp32",
)

PRESETS: dict[str, FlowConfig] = {
    "paper": _PAPER,
    "fast": FlowConfig(max_side=224, refine_preset="fast"),
    "default": FlowConfig(head="flow_head"),
    "accurate": FlowConfig(
        zoom=(2,), alignment=True, head="flow_head", head_max_side=480, refine_preset="accurate"
    ),
}


def preset(name: str) -> FlowConfig:
    """Return a named configuration. Raises ConfigError that lists the names."""
    if name not in PRESETS:
        raise ConfigError(f"unknown preset {name!r}: use one of {', '.join(PRESETS)}")
    return PRESETS[name]
