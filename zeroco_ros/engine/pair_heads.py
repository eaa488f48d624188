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
Heads that see the backbone's volume of a pair, on a device: Protocols, and PyTorch's.

`engine.graph_heads` has those of an engine.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import torch
from torch import Tensor

from zeroco_ros.engine.layers import DTYPES
from zeroco_ros.heads.aggregation import AggregationHead, Direction
from zeroco_ros.heads.dense import DenseFlow, match_sides
from zeroco_ros.heads.depth import DepthHead, DepthMap
from zeroco_ros.heads.super_resolution import SuperResolutionHead

Sides = tuple[Direction, Direction]


class VolumeHeadRunner(Protocol):
    """A flow head of kind aggregation or super_resolution on a device."""

    def encode(self, images: Tensor) -> Tensor | None:
        """
        Return what depends on one image only, None where the head looks at no image.

        images: (1, 3, H, W) normalized, without padding, sides multiples of 16.
        """
        ...

    def flow(
        self, sides: Sides, seen: tuple[Tensor | None, Tensor | None], beta: float
    ) -> tuple[DenseFlow, DenseFlow]:
        """
        Return the dense flow of both directions, see `heads.dense.match_sides`.

        seen: `encode` of the target and of the source; beta: temperature of the volume.
        """
        ...


class DepthHeadRunner(Protocol):
    """A depth head on a device."""

    def encode(self, images: Tensor) -> Tensor:
        """Return what depends on one image only, see `VolumeHeadRunner.encode`."""
        ...

    def depth(self, side: Direction, seen: Tensor, geometry: Tensor) -> DepthMap:
        """Return the target's depth, see `DepthHead.forward`."""
        ...


class _TorchRunner:
    """Arithmetic of a head in PyTorch. device, precision: the backbone's, resolved."""

    def __init__(self, device: str, precision: str) -> None:
        self.device, self.precision = device, precision

    def _arithmetic(self) -> AbstractContextManager[object]:
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device, dtype=DTYPES[self.precision])


class TorchVolumeHead(_TorchRunner):
    """See `VolumeHeadRunner`."""

    def __init__(
        self, head: AggregationHead | SuperResolutionHead, device: str, precision: str
    ) -> None:
        super().__init__(device, precision)
        self._head = head.to(device).eval()

    def encode(self, images: Tensor) -> Tensor | None:
        """See `VolumeHeadRunner.encode`."""
        if not isinstance(self._head, SuperResolutionHead):
            return None
        with torch.inference_mode(), self._arithmetic():
            return self._head.encode(images.to(self.device))

    def flow(
        self, sides: Sides, seen: tuple[Tensor | None, Tensor | None], beta: float
    ) -> tuple[DenseFlow, DenseFlow]:
        """See `VolumeHeadRunner.flow`."""
        with torch.inference_mode(), self._arithmetic():
            return match_sides(self._head, sides, seen, beta=beta)


class TorchDepthHead(_TorchRunner):
    """See `DepthHeadRunner`."""

    def __init__(self, head: DepthHead, device: str, precision: str) -> None:
        super().__init__(device, precision)
        self._head = head.to(device).eval()

    def encode(self, images: Tensor) -> Tensor:
        """See `DepthHeadRunner.encode`."""
        with torch.inference_mode(), self._arithmetic():
            return self._head.encode(images.to(self.device))

    def depth(self, side: Direction, seen: Tensor, geometry: Tensor) -> DepthMap:
        """See `DepthHeadRunner.depth`."""
        with torch.inference_mode(), self._arithmetic():
            found: DepthMap = self._head(side, seen, geometry.to(self.device))
            return found
