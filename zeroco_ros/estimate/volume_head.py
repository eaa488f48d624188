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

"""
Heads on the backbone's own volume (aggregation, super-resolution) as part of an estimate.

They see the images as the backbone does, so they follow its letterbox and leave out its padding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zeroco_ros.engine.backend import Backend
from zeroco_ros.engine.pair import Pair, sides_of
from zeroco_ros.engine.pair_heads import TorchVolumeHead, VolumeHeadRunner
from zeroco_ros.errors import ConfigError
from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.dense import DenseHead, DenseMatch
from zeroco_ros.estimate.frames import VolumeFrame
from zeroco_ros.heads.aggregation import AggregationHead
from zeroco_ros.heads.checkpoint import load_head
from zeroco_ros.heads.dense import DenseFlow
from zeroco_ros.heads.super_resolution import SuperResolutionHead
from zeroco_ros.matching.flow import flow_to_image, interpolation, Letterbox, PATCH
from zeroco_ros.weights import resolve

FloatArray = npt.NDArray[np.float32]


class VolumeHead:
    """
    A head of kind aggregation or super_resolution on a device.

    runner: what computes it; metadata: of its file. Raises ConfigError for a configuration whose
    volume is not the one that such a head was trained on.
    """

    def __init__(
        self, runner: VolumeHeadRunner, config: FlowConfig, metadata: Mapping[str, Any]
    ) -> None:
        if config.correlation != "cross_attention" or config.zoom:
            raise ConfigError(
                f"head '{config.head}': only with correlation cross_attention and no zoom"
            )
        self.metadata = dict(metadata)
        self._runner = runner

    def encode(self, inputs: Sequence[Tensor], boxes: Sequence[Letterbox]) -> list[VolumeFrame]:
        """Frames of network inputs (1, 3, h, w) that hold images as `boxes` say."""
        frames = []
        for pixels, box in zip(inputs, boxes, strict=True):
            rows, columns = box.valid
            content = pixels[..., : PATCH * rows, : PATCH * columns]
            frames.append(VolumeFrame(box, self._runner.encode(content)))
        return frames

    def match(
        self, pair: Pair, target: VolumeFrame, source: VolumeFrame, beta: float | None
    ) -> DenseMatch:
        """
        Dense flow of both directions. pair: with features, of a batch of one.

        beta: temperature of the backbone's volume. Raises ConfigError where it is None or the
        head belongs to another backbone.
        """
        if beta is None:
            raise ConfigError("this head needs the temperature of its backbone: set beta")
        boxes = target.letterbox, source.letterbox
        sides = sides_of(pair, (boxes[0].valid, boxes[1].valid))
        ahead, back = self._runner.flow(sides, (target.features, source.features), beta)
        flow, certainty = _to_image(ahead, boxes[0], boxes[1])
        backward, back_certainty = _to_image(back, boxes[1], boxes[0])
        return DenseMatch(flow, backward, certainty, back_certainty)


def open_head(config: FlowConfig, backend: Backend) -> DenseHead | VolumeHead:
    """
    Return the head that a configuration names, of any kind, on the backbone's device.

    Raises WeightsError for an unreadable file, ConfigError where head and configuration disagree.
    """
    loaded = load_head(resolve(config.head))
    if loaded.kind == "depth":
        raise ConfigError(f"head '{config.head}' is of kind depth: a flow head is needed")
    if loaded.kind == "recurrent":
        return DenseHead.open(config.head, config.head_max_side, backend.device, backend.precision)
    assert isinstance(loaded.head, AggregationHead | SuperResolutionHead)
    runner = TorchVolumeHead(loaded.head, backend.device, backend.precision)
    return VolumeHead(runner, config, loaded.metadata)


def _to_image(
    found: DenseFlow, target: Letterbox, source: Letterbox
) -> tuple[FloatArray, FloatArray]:
    """Flow (H, W, 2) in image pixels and certainty (H, W) on the target's image."""
    field = torch.cat([found.flow, found.certainty], 1)[0].float().cpu().numpy()
    (height, width), (high, wide) = target.image, target.content
    rows = interpolation(height, field.shape[1], high / height)
    columns = interpolation(width, field.shape[2], wide / width)
    whole = np.asarray(rows @ field @ columns.T, dtype=np.float32)
    flow = np.ascontiguousarray(whole[:2].transpose(1, 2, 0))
    return flow_to_image(flow, target, source), whole[2]
