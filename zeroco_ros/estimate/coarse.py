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

"""The attention's own match of two encoded frames, on their token grids, in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import json
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zeroco_ros.croco.model import Encoding
from zeroco_ros.engine.backend import Backend, NonFiniteOutput
from zeroco_ros.engine.bundle import Readout
from zeroco_ros.engine.pair import first_features_of, GraphPair, Pair, volumes_of
from zeroco_ros.engine.readout import PairRead, SPREAD_BETA
from zeroco_ros.errors import WeightsError
from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.frames import EncodedFrame
from zeroco_ros.matching.argmax import Match, match_volume
from zeroco_ros.matching.confidence import forward_backward_error, sample, token_confidence
from zeroco_ros.matching.cost_volume import feature_volume, reciprocal_volume, select_tokens
from zeroco_ros.matching.flow import token_flow

Grid = tuple[int, int]
FloatArray = npt.NDArray[np.float32]

# Temperature of the cosine similarities of the "encoder" and "decoder" correlations (SFNet).
FEATURE_BETA = 0.02
NON_FINITE = "the network returned NaN or Inf: use precision 'fp32'"


@dataclass(frozen=True)
class CoarseMatch:
    """
    Matches of a batch of pairs on the token grids that hold image.

    forward: (B, h_t, w_t, 2) tokens, target to source; backward: (B, h_s, w_s, 2), source to
    target; forward_mass and backward_mass: (B, h, w) in [0, 1], the share of the probability near
    the match.
    """

    forward: Tensor
    backward: Tensor
    forward_mass: Tensor
    backward_mass: Tensor


def resolved_register_fix(config: FlowConfig, metadata: Mapping[str, Any]) -> bool:
    """Whether volumes get the register fix: as configured, else as the weights' file says."""
    if config.register_fix is not None:
        return config.register_fix
    return bool(matching_metadata(metadata).get("register_fix", True))


def resolved_beta(config: FlowConfig, metadata: Mapping[str, Any]) -> float | None:
    """
    Return the temperature: as configured, else of the correlation, else of the weights' file.

    None: from the spread of each volume.
    """
    stored = matching_metadata(metadata)
    if config.beta is not None:
        return config.beta
    if config.correlation != "cross_attention":
        return FEATURE_BETA
    return float(stored["beta"]) if "beta" in stored else None


def readout_of(config: FlowConfig, metadata: Mapping[str, Any]) -> Readout | None:
    """
    Return the read-out of the attention's volume that a configuration asks for.

    None where it reads another volume.
    """
    if config.correlation != "cross_attention":
        return None
    beta = resolved_beta(config, metadata)
    return Readout(config.readout, config.window, beta, config.reciprocity)


@dataclass(frozen=True)
class Matcher:
    """
    Turns two encodings into a coarse match as a configuration says.

    register_fix and beta are resolved: what the configuration left open came with the weights
    (beta None: from the spread of each volume).
    """

    backend: Backend
    config: FlowConfig
    register_fix: bool
    beta: float | None

    def match(
        self,
        target: Encoding,
        source: Encoding,
        valid_target: Grid,
        valid_source: Grid,
        pair: Pair | None = None,
    ) -> CoarseMatch:
        """
        Match a batch of pairs; valid: the top-left tokens of each grid that are not padding.

        pair: what the backend makes of the two, where that is known already. Raises
        NonFiniteOutput when the network returned NaN or Inf.
        """
        valid = valid_target, valid_source
        read = self._read_by_backend(target, source, valid, pair)
        if read is None:
            forward, backward = self.volumes(target, source, *valid, pair)
            ahead = self._read(forward, valid_source)
            back = self._read(backward, valid_target)
            read = PairRead(
                token_flow(ahead.position, valid_target).flatten(1, 2),
                ahead.mass,
                token_flow(back.position, valid_source).flatten(1, 2),
                back.mass,
            )
        return CoarseMatch(
            read.forward.reshape(-1, *valid_target, 2),
            read.backward.reshape(-1, *valid_source, 2),
            read.forward_mass.reshape(-1, *valid_target),
            read.backward_mass.reshape(-1, *valid_source),
        )

    def _read_by_backend(
        self, target: Encoding, source: Encoding, valid: tuple[Grid, Grid], pair: Pair | None
    ) -> PairRead | None:
        """Return the backend's own read-out, where it has the configured one."""
        config = self.config
        if config.correlation != "cross_attention":
            return None
        how = Readout(config.readout, config.window, self.beta, config.reciprocity)
        if pair is None:
            read = self.backend.read(target, source, valid, how)
        else:
            read = pair.read(how) if isinstance(pair, GraphPair) else None
        if read is not None:
            flows = read.forward, read.backward
            if not all(bool(torch.isfinite(flow).all()) for flow in flows):
                raise NonFiniteOutput(NON_FINITE)
        return read

    @torch.inference_mode()
    def volumes(
        self,
        target: Encoding,
        source: Encoding,
        valid_target: Grid,
        valid_source: Grid,
        pair: Pair | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the cost volumes, (B, Nt, Ns) and, images swapped, (B, Ns, Nt)."""
        config = self.config
        if config.correlation == "encoder":
            forward = feature_volume(
                select_tokens(target.tokens, target.grid, valid_target),
                select_tokens(source.tokens, source.grid, valid_source),
            )
            backward = forward.transpose(1, 2)
        elif config.correlation == "decoder":
            if pair is None:
                valid = valid_target, valid_source
                pair = self.backend.match(target, source, features=True, valid=valid)
            forward = feature_volume(
                *first_features_of(pair, (valid_target, valid_source)),
                over_tokens=config.feature_norm == "tokens",
            )
            backward = forward.transpose(1, 2)
        else:
            valid, fix = (valid_target, valid_source), self.register_fix
            if pair is None:
                forward, backward = self.backend.volumes(target, source, valid, register_fix=fix)
            else:
                forward, backward = volumes_of(pair, valid, fix)
            if config.reciprocity:
                forward = reciprocal_volume(forward, backward)
                backward = forward.transpose(1, 2)
        if not bool(torch.isfinite(forward).all()):
            raise NonFiniteOutput(NON_FINITE)
        return forward, backward

    @torch.inference_mode()
    def _read(self, volume: Tensor, grid: Grid) -> Match:
        beta = self.beta
        if beta is None:
            beta = max(1e-6, SPREAD_BETA * float(volume.std()))
        return match_volume(volume, grid, self.config.readout, beta, self.config.window)


def coarse_confidence(
    coarse: CoarseMatch, target: EncodedFrame, source: EncodedFrame
) -> FloatArray:
    """Confidence (h, w) of the coarse match on the target's valid tokens."""
    forward, backward = as_array(coarse.forward[0]), as_array(coarse.backward[0])
    error = forward_backward_error(forward, backward)
    there = source_texture(forward, source)
    return token_confidence(as_array(coarse.forward_mass[0]), error, target.texture, there)


def seen_texture(coarse: CoarseMatch, target: EncodedFrame, source: EncodedFrame) -> FloatArray:
    """Texture (h, w) in [0, 1] of the target's tokens and of their matches, the lesser of both."""
    there = source_texture(as_array(coarse.forward[0]), source)
    return np.asarray(np.minimum(target.texture, there), dtype=np.float32)


def source_texture(forward: FloatArray, source: EncodedFrame) -> FloatArray:
    """Return the source's texture where token flow (h, w, 2) leads, (h, w)."""
    rows, columns = forward.shape[:2]
    x = forward[..., 0] + np.arange(columns, dtype=np.float32)[None, :]
    y = forward[..., 1] + np.arange(rows, dtype=np.float32)[:, None]
    return sample(source.texture, x, y)


def as_array(tensor: Tensor) -> FloatArray:
    """Return a tensor's values on the CPU in float32."""
    return np.asarray(tensor.float().cpu().numpy(), dtype=np.float32)


def matching_metadata(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a model file says about matching: a mapping, or its JSON text."""
    stored = metadata.get("matching", {})
    try:
        stored = json.loads(stored) if isinstance(stored, str) else stored
        beta = stored.get("beta")
        if beta is not None and not float(beta) > 0:
            raise ValueError(f"beta {beta}")
    except (ValueError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"the model file's 'matching' metadata is unreadable: {error}"
        ) from None
    return dict(stored)
