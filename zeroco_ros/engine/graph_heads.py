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

"""Heads of a bundle that see the backbone's volume, see `engine.pair_heads`."""

from __future__ import annotations

from torch import Tensor

from zeroco_ros.engine.graph_backend import GraphBackend
from zeroco_ros.engine.pair_heads import Sides
from zeroco_ros.errors import ConfigError
from zeroco_ros.heads.aggregation import Direction
from zeroco_ros.heads.dense import DenseFlow
from zeroco_ros.heads.depth import DepthMap


class GraphVolumeHead:
    """The bundle's flow head of kind aggregation or super_resolution; see `VolumeHeadRunner`."""

    def __init__(self, backend: GraphBackend) -> None:
        self._backend = backend
        self._head = backend.runners["volume_head"]
        looks = "volume_head_features" in backend.manifest.graphs
        self._features = backend.runners["volume_head_features"] if looks else None

    def encode(self, images: Tensor) -> Tensor | None:
        """See `VolumeHeadRunner.encode`. Raises ConfigError for images of other proportions."""
        _check(self._backend, (images.shape[2] // 16, images.shape[3] // 16))
        return None if self._features is None else self._features(images)[0]

    def flow(
        self, sides: Sides, seen: tuple[Tensor | None, Tensor | None], beta: float
    ) -> tuple[DenseFlow, DenseFlow]:
        """See `VolumeHeadRunner.flow`. Raises ConfigError for another temperature."""
        readout = self._backend.manifest.readout
        if readout is None or readout.beta != beta:
            raise ConfigError(
                f"beta {beta} with an engine whose head was exported with "
                f"{None if readout is None else readout.beta}: export it again"
            )
        for side in sides:
            _check(self._backend, side.grid_target)
        inputs = [part.volume for part in sides] + [part.features for part in sides]
        inputs += [part for part in seen if part is not None]
        flow, certainty, back, back_certainty = self._head(*inputs)
        return DenseFlow(flow, certainty), DenseFlow(back, back_certainty)


class GraphDepthHead:
    """The bundle's depth head; see `DepthHeadRunner`."""

    def __init__(self, backend: GraphBackend) -> None:
        self._backend = backend
        self._features = backend.runners["depth_head_features"]
        self._head = backend.runners["depth_head"]

    def encode(self, images: Tensor) -> Tensor:
        """See `DepthHeadRunner.encode`. Raises ConfigError for images of other proportions."""
        _check(self._backend, (images.shape[2] // 16, images.shape[3] // 16))
        return self._features(images)[0]

    def depth(self, side: Direction, seen: Tensor, geometry: Tensor) -> DepthMap:
        """See `DepthHeadRunner.depth`."""
        for grid in (side.grid_target, side.grid_source):
            _check(self._backend, grid)
        return DepthMap(*self._head(side.volume, side.features, seen, geometry))


def _check(backend: GraphBackend, valid: tuple[int, int]) -> None:
    """Refuse an image that fills other tokens of the network's input than the exported one."""
    manifest = backend.manifest
    if valid != manifest.valid:
        height, width = manifest.image
        raise ConfigError(
            f"an image that fills {valid[1]}x{valid[0]} tokens, and a head that was exported for "
            f"images of {width}x{height} pixels, which fill {manifest.valid[1]}x"
            f"{manifest.valid[0]}: export an engine with --image of this camera"
        )
