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

"""A backend made of graphs: what ONNX Runtime and TensorRT share, which is all but running one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from zeroco_ros.croco.descriptors import Encoding
from zeroco_ros.croco.positions import Grid
from zeroco_ros.engine.bundle import Manifest, Readout
from zeroco_ros.engine.head_graphs import flat_levels, nested_levels
from zeroco_ros.engine.pair import GraphPair, token_index, Valid
from zeroco_ros.engine.readout import PairRead
from zeroco_ros.errors import ConfigError
from zeroco_ros.heads.features import Level
from zeroco_ros.heads.recurrent import HeadFlow

PATCH = 16
BACKBONE = ("encoder", "matcher")
HEAD = ("head_features", "head")


class GraphRunner(Protocol):
    """One graph of a bundle on a device."""

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        """
        Run the graph: inputs and outputs float32, in the order of its `Manifest.graphs`.

        Inputs may lie on any device; outputs are the caller's: no later call writes into them.
        Raises BackendError where the graph cannot be run.
        """
        ...


class GraphBackend:
    """
    The backbone of a bundle; see `engine.backend.Backend`.

    manifest: of the bundle; runners: by graph name, those of `manifest.graphs`; name: "onnx" or
    "tensorrt"; device: "cpu" or "cuda". The resolution is fixed: manifest.model_size.
    """

    def __init__(
        self, manifest: Manifest, runners: Mapping[str, GraphRunner], *, name: str, device: str
    ) -> None:
        self.manifest = manifest
        self.name, self.device, self.precision = name, device, manifest.precision
        self.runners = runners
        self._masks: dict[tuple[Grid, Grid, torch.device], Tensor] = {}

    def encode(self, images: Tensor) -> Encoding:
        """
        Encode (B, 3, H, W) images of the engine's resolution, one by one.

        Raises ConfigError for another resolution.
        """
        size = self.manifest.model_size
        if tuple(images.shape[2:]) != size:
            raise ConfigError(
                f"an input of {tuple(images.shape[2:])} for an engine of {size} (height, width): "
                "export one for this size"
            )
        tokens = torch.cat([self.runners["encoder"](image[None])[0] for image in images])
        return Encoding(tokens, (size[0] // PATCH, size[1] // PATCH))

    def match(
        self,
        target: Encoding,
        source: Encoding,
        *,
        features: bool = False,
        valid: Valid | None = None,
    ) -> GraphPair:
        """See `Backend.match`. Whether there are features was decided at export."""
        valid = valid or (target.grid, source.grid)
        masks = self._mask(target, valid[0]), self._mask(source, valid[1])
        found = [
            self.runners["matcher"](target.tokens[i : i + 1], source.tokens[i : i + 1], *masks)
            for i in range(len(target.tokens))
        ]
        names = self.manifest.graphs["matcher"].outputs
        parts = (torch.cat(each) for each in zip(*found, strict=True))
        outputs = dict(zip(names, parts, strict=True))
        manifest = self.manifest
        return GraphPair(outputs, target.grid, valid, manifest.register_fix, manifest.readout)

    def read(
        self, target: Encoding, source: Encoding, valid: Valid, how: Readout
    ) -> PairRead | None:
        """See `Backend.read`; None where the graph's read-out is another one."""
        if how != self.manifest.readout:
            return None
        return self.match(target, source, valid=valid).read(how)

    def volumes(
        self, target: Encoding, source: Encoding, valid: Valid, *, register_fix: bool
    ) -> tuple[Tensor, Tensor]:
        """See `Backend.volumes`. ConfigError where the graph has another register fix."""
        return self.match(target, source, valid=valid).volumes(valid, register_fix)

    def _mask(self, frames: Encoding, valid: Grid) -> Tensor:
        """Return (1, N) float32, 1 for the valid tokens, where the frames' tokens lie; kept."""
        key = frames.grid, valid, frames.tokens.device
        if key not in self._masks:
            mask = torch.zeros(1, frames.grid[0] * frames.grid[1])
            mask[:, token_index(frames.grid, valid)] = 1
            self._masks[key] = mask.to(frames.tokens.device)
        return self._masks[key]


class GraphHead:
    """
    The flow head of a bundle; see `engine.head_backend.HeadRunner`.

    runners: by graph name, at least those of `HEAD`.
    """

    def __init__(self, runners: Mapping[str, GraphRunner]) -> None:
        self._features, self._head = (runners[name] for name in HEAD)

    def encode(self, images: Tensor) -> tuple[Level, Level]:
        """Features of (B, 3, h, w) normalized images of the engine's head size."""
        each = [self._features(image[None]) for image in images]
        return nested_levels(tuple(torch.cat(parts) for parts in zip(*each, strict=True)))

    def flow(
        self,
        target: tuple[Level, Level],
        source: tuple[Level, Level],
        coarse: Tensor,
        mass: Tensor,
    ) -> HeadFlow:
        """Dense flow from a coarse match, see `RecurrentHead.forward`."""
        everything = (*flat_levels(target), *flat_levels(source), coarse, mass)
        each = [self._head(*(part[i : i + 1] for part in everything)) for i in range(len(coarse))]
        flow, certainty = (torch.cat(parts) for parts in zip(*each, strict=True))
        return HeadFlow(flow, certainty, ())
