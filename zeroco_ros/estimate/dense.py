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

"""The learned flow head's part of an estimate: from a coarse match to dense flow, both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zeroco_ros.engine.head_backend import HeadBackend, HeadRunner
from zeroco_ros.errors import ConfigError
from zeroco_ros.estimate.frames import HeadFrame, normalize, reduce_image
from zeroco_ros.heads.checkpoint import load_head
from zeroco_ros.heads.features import Level
from zeroco_ros.heads.recurrent import RecurrentHead
from zeroco_ros.weights import resolve

ByteArray = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]
Size = tuple[int, int]

CELL = 8  # the coarsest cells of the head, in pixels of its input


@dataclass(frozen=True)
class DenseMatch:
    """
    A dense match.

    flow (H, W, 2) and backward (Hs, Ws, 2) in pixels; the certainties are logits, (H, W) and (Hs,
    Ws).
    """

    flow: FloatArray
    backward: FloatArray
    certainty: FloatArray
    backward_certainty: FloatArray


@dataclass(frozen=True)
class CoarseField:
    """A coarse match at image resolution: flow (H, W, 2) pixels and mass (H, W) in [0, 1]."""

    flow: FloatArray
    mass: FloatArray


class DenseHead:
    """
    A recurrent head on a device, with its image sizes.

    metadata: of its file. size: a longest side in pixels, to which images are not enlarged, or
    the (h, w) to which an engine's every image is stretched, multiples of 8.
    """

    def __init__(self, runner: HeadRunner, metadata: Mapping[str, Any], size: int | Size) -> None:
        self.metadata = dict(metadata)
        self._size = size
        self._backend = runner

    @classmethod
    def open(cls, name: str | Path, max_side: int, device: str, precision: str) -> DenseHead:
        """
        Shipped weights or a file, in PyTorch.

        Raises WeightsError for an unreadable file, ConfigError for another kind of head.
        """
        loaded = load_head(resolve(name))
        if not isinstance(loaded.head, RecurrentHead):
            raise ConfigError(f"head '{name}' is of kind {loaded.kind!r}: recurrent is needed")
        return cls(HeadBackend(loaded.head, device, precision), loaded.metadata, max_side)

    def encode(self, images: Sequence[ByteArray]) -> list[HeadFrame]:
        """Features of images (H, W, 3) uint8 RGB; one batch where their sizes agree."""
        sizes = [self.size_of((image.shape[0], image.shape[1])) for image in images]
        inputs = [
            normalize(reduce_image(image, size)) for image, size in zip(images, sizes, strict=True)
        ]
        if len(set(sizes)) == 1:
            both = self._backend.encode(torch.cat(inputs))
            levels = [_part(both, i) for i in range(len(images))]
        else:
            levels = [self._backend.encode(pixels) for pixels in inputs]
        return [
            HeadFrame((image.shape[0], image.shape[1]), size, part)
            for image, size, part in zip(images, sizes, levels, strict=True)
        ]

    def size_of(self, image: Size) -> Size:
        """
        Return the head's input (h, w) for an image (H, W).

        Multiples of 8 of about its proportions.
        """
        return head_size(image, self._size) if isinstance(self._size, int) else self._size

    def match(
        self, target: HeadFrame, source: HeadFrame, ahead: CoarseField, back: CoarseField
    ) -> DenseMatch:
        """Dense flow of both directions from their coarse matches."""
        starts = self._start(target, source, ahead), self._start(source, target, back)
        if target.size == source.size:
            own = _join(target.levels, source.levels)
            other = _join(source.levels, target.levels)
            flow = torch.cat([starts[0][0], starts[1][0]])
            mass = torch.cat([starts[0][1], starts[1][1]])
            found = self._backend.flow(own, other, flow, mass)
            parts = [(found.flow[i], found.certainty[i]) for i in (0, 1)]
        else:
            one = self._backend.flow(target.levels, source.levels, *starts[0])
            two = self._backend.flow(source.levels, target.levels, *starts[1])
            parts = [(found.flow[0], found.certainty[0]) for found in (one, two)]
        (flow_a, sure_a), (flow_b, sure_b) = (
            _to_image(*part, frame, other)
            for part, frame, other in zip(parts, (target, source), (source, target), strict=True)
        )
        return DenseMatch(flow_a, flow_b, sure_a, sure_b)

    def _start(
        self, frame: HeadFrame, other: HeadFrame, coarse: CoarseField
    ) -> tuple[Tensor, Tensor]:
        """Return coarse match on the head's coarsest grid, in the pixels of the head's inputs."""
        grid = frame.size[1] // CELL, frame.size[0] // CELL
        flow = coarse.flow
        if frame.scale.tolist() == other.scale.tolist():
            flow = flow * frame.scale
        else:
            flow = _rescaled(flow, frame.scale, other.scale)
        reduced = cv2.resize(flow, grid, interpolation=cv2.INTER_AREA)
        mass = cv2.resize(coarse.mass, grid, interpolation=cv2.INTER_AREA)
        start = torch.from_numpy(np.ascontiguousarray(reduced, dtype=np.float32))
        return start.permute(2, 0, 1)[None], torch.from_numpy(np.asarray(mass))[None, None]


def head_size(image: Size, max_side: int) -> Size:
    """Return the size (h, w) at which a head sees an image (H, W) that is not enlarged."""
    scale = min(1.0, max_side / max(image))
    height, width = (max(2 * CELL, round(side * scale / CELL) * CELL) for side in image)
    return height, width


def _part(levels: tuple[Level, Level], index: int) -> tuple[Level, Level]:
    one = slice(index, index + 1)
    first, second = (Level(level.match[one], level.context[one]) for level in levels)
    return first, second


def _join(first: tuple[Level, Level], second: tuple[Level, Level]) -> tuple[Level, Level]:
    a, b = (
        Level(torch.cat([x.match, y.match]), torch.cat([x.context, y.context]))
        for x, y in zip(first, second, strict=True)
    )
    return a, b


def _to_image(
    flow: Tensor, certainty: Tensor, frame: HeadFrame, other: HeadFrame
) -> tuple[FloatArray, FloatArray]:
    """Flow (h, w, 2) and certainty (h, w) of the head's input at the image's resolution."""
    height, width = frame.image
    vectors = np.asarray(flow.float().cpu().numpy(), dtype=np.float32)
    sure = np.asarray(certainty.float().cpu().numpy(), dtype=np.float32)
    if frame.scale.tolist() == other.scale.tolist():
        vectors /= frame.scale
    else:
        vectors = _rescaled(vectors, frame.stretch, other.stretch)
    if frame.size != frame.image:
        vectors = _stretched(vectors, (width, height))
        sure = _stretched(sure, (width, height))
    return vectors, sure


def _stretched(field: FloatArray, size: tuple[int, int]) -> FloatArray:
    return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _rescaled(flow: FloatArray, scale: FloatArray, other: FloatArray) -> FloatArray:
    """
    Flow (H, W, 2) between two images as flow between their copies, resized by these factors.

    The target's grid stays; centers of pixels keep their places.
    """
    height, width = flow.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    here = np.stack([x, y], -1)
    there = (here + flow + 0.5) * other - 0.5
    return np.asarray(there - ((here + 0.5) * scale - 0.5), dtype=np.float32)
