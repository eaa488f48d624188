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
What a backend knows of a pair of frames, and what the estimator asks of it.

PyTorch returns descriptors, from which everything follows; an engine's graph returns the volumes,
the read-out and the decoder features themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from zeroco_ros.croco.descriptors import PairDescriptors
from zeroco_ros.croco.positions import Grid
from zeroco_ros.engine.bundle import Readout
from zeroco_ros.engine.graphs import FIRST, LAST, PLAIN, READ, VOLUMES
from zeroco_ros.engine.readout import PairRead
from zeroco_ros.engine.torch_backend import pair_volumes
from zeroco_ros.errors import ConfigError
from zeroco_ros.heads.aggregation import Direction
from zeroco_ros.heads.dense import as_direction
from zeroco_ros.matching.cost_volume import select_tokens

Valid = tuple[Grid, Grid]


@dataclass(frozen=True)
class GraphPair:
    """
    A matcher graph's outputs for a batch of pairs.

    outputs: by name, on the whole grid; grid: of both images; valid: rows and columns of the
    tokens that are not padding, in the target and in the source, which the graph was told;
    register_fix: of the volumes; readout: what the graph's read-out is, None without one.
    """

    outputs: Mapping[str, Tensor]
    grid: Grid
    valid: Valid
    register_fix: bool
    readout: Readout | None

    def volumes(self, valid: Valid, register_fix: bool) -> tuple[Tensor, Tensor]:
        """
        Return the volumes of both directions, see `Backend.volumes`.

        Raises ConfigError where the graph holds only those with, or without, the register fix.
        """
        if register_fix == self.register_fix:
            names = VOLUMES
        elif not register_fix and PLAIN[0] in self.outputs:
            names = PLAIN
        else:
            raise ConfigError(
                f"register_fix {register_fix} with an engine exported with {self.register_fix}: "
                "export it again"
            )
        ahead, back = (self.outputs[name] for name in names)
        rows, columns = (self._index(part, ahead.device) for part in valid)
        return ahead[:, rows][:, :, columns], back[:, columns][:, :, rows]

    def features(self, names: tuple[str, str], valid: Valid) -> tuple[Tensor, Tensor]:
        """Return decoder features of the target's and of the source's valid tokens."""
        if names[0] not in self.outputs:
            raise ConfigError(
                "this engine was exported without the decoder features that this correlation or "
                "head needs: export it again with --correlation, --head or --depth"
            )
        ahead, back = (
            select_tokens(self.outputs[name], self.grid, part)
            for name, part in zip(names, valid, strict=True)
        )
        return ahead, back

    def read(self, how: Readout) -> PairRead | None:
        """Return the graph's own read-out of the valid tokens; None where it is another one."""
        several = len(self.outputs[VOLUMES[0]]) > 1  # PyTorch's spread is that of a whole batch
        if how != self.readout or (several and how.beta is None):
            return None
        flow, mass, back, back_mass = (self.outputs[name] for name in READ)
        rows, columns = (self._index(part, flow.device) for part in self.valid)
        return PairRead(flow[:, rows], mass[:, rows], back[:, columns], back_mass[:, columns])

    def _index(self, valid: Grid, device: torch.device) -> Tensor:
        return token_index(self.grid, valid).to(device)


Pair = PairDescriptors | GraphPair


def volumes_of(pair: Pair, valid: Valid, register_fix: bool) -> tuple[Tensor, Tensor]:
    """Return the cost volumes of a pair, see `Backend.volumes`."""
    if isinstance(pair, GraphPair):
        return pair.volumes(valid, register_fix)
    return pair_volumes(pair, valid, register_fix)


def sides_of(pair: Pair, valid: Valid) -> tuple[Direction, Direction]:
    """
    Return what heads on the volume see: plain volumes and last features of both directions.

    Raises ConfigError where the pair was matched without features.
    """
    if isinstance(pair, GraphPair):
        volumes, features = pair.volumes(valid, False), pair.features(LAST, valid)
        return (
            Direction(volumes[0], features[0], *valid),
            Direction(volumes[1], features[1], *valid[::-1]),
        )
    with torch.inference_mode():
        return as_direction(pair.forward, *valid), as_direction(pair.backward, *valid[::-1])


def first_features_of(pair: Pair, valid: Valid) -> tuple[Tensor, Tensor]:
    """
    Return the first decoder block's outputs (B, N, C) of the target and of the source.

    Raises ConfigError where the pair was matched without features.
    """
    if isinstance(pair, GraphPair):
        return pair.features(FIRST, valid)
    target, source = pair.forward, pair.backward
    if target.features is None or source.features is None:
        raise ConfigError("the pair was matched without decoder features: ask for features=True")
    return (
        select_tokens(target.features[0], target.grid_target, valid[0]),
        select_tokens(source.features[0], source.grid_target, valid[1]),
    )


def token_index(grid: Grid, valid: Grid) -> Tensor:
    """Return the indices of the top-left `valid` tokens of a row-major grid."""
    return torch.arange(grid[0] * grid[1]).view(grid)[: valid[0], : valid[1]].reshape(-1)
