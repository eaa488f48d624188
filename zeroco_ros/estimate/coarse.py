"""The attention's own match of two encoded frames, on their token grids, in both directions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zeroco_ros.croco.model import Encoding, PairDescriptors
from zeroco_ros.engine.backend import Backend, NonFiniteOutput
from zeroco_ros.engine.torch_backend import pair_volumes
from zeroco_ros.errors import WeightsError
from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.frames import EncodedFrame
from zeroco_ros.matching.argmax import Match, match_volume
from zeroco_ros.matching.confidence import forward_backward_error, sample, token_confidence
from zeroco_ros.matching.cost_volume import (
    feature_volume,
    reciprocal_volume,
    select_tokens,
)
from zeroco_ros.matching.flow import token_flow

Grid = tuple[int, int]
FloatArray = npt.NDArray[np.float32]

# Temperature of the cosine similarities of the "encoder" and "decoder" correlations (SFNet).
FEATURE_BETA = 0.02
# Attention logits of weights that bring no temperature: this share of the volume's spread.
SPREAD_BETA = 0.1


@dataclass(frozen=True)
class CoarseMatch:
    """Matches of a batch of pairs on the token grids that hold image.

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


@dataclass(frozen=True)
class Matcher:
    """Turns two encodings into a coarse match as a configuration says.

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
        pair: PairDescriptors | None = None,
    ) -> CoarseMatch:
        """Match a batch of pairs; valid: the top-left tokens of each grid that are not padding.

        pair: what the backend makes of the two, where that is known already. Raises
        NonFiniteOutput when the network returned NaN or Inf.
        """
        forward, backward = self.volumes(target, source, valid_target, valid_source, pair)
        ahead = self._read(forward, valid_source)
        back = self._read(backward, valid_target)
        return CoarseMatch(
            token_flow(ahead.position, valid_target),
            token_flow(back.position, valid_source),
            ahead.mass.reshape(-1, *valid_target),
            back.mass.reshape(-1, *valid_source),
        )

    @torch.inference_mode()
    def volumes(
        self,
        target: Encoding,
        source: Encoding,
        valid_target: Grid,
        valid_source: Grid,
        pair: PairDescriptors | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Cost volumes (B, Nt, Ns) and, images swapped, (B, Ns, Nt)."""
        config = self.config
        if config.correlation == "encoder":
            forward = feature_volume(
                select_tokens(target.tokens, target.grid, valid_target),
                select_tokens(source.tokens, source.grid, valid_source),
            )
            backward = forward.transpose(1, 2)
        elif config.correlation == "decoder":
            if pair is None:
                pair = self.backend.match(target, source, features=True)
            forward = self._decoder_features(pair, valid_target, valid_source)
            backward = forward.transpose(1, 2)
        else:
            valid, fix = (valid_target, valid_source), self.register_fix
            if pair is None:
                forward, backward = self.backend.volumes(target, source, valid, register_fix=fix)
            else:
                forward, backward = pair_volumes(pair, valid, fix)
            if config.reciprocity:
                forward = reciprocal_volume(forward, backward)
                backward = forward.transpose(1, 2)
        if not bool(torch.isfinite(forward).all()):
            raise NonFiniteOutput("the network returned NaN or Inf: use precision 'fp32'")
        return forward, backward

    def _decoder_features(
        self, pair: PairDescriptors, valid_target: Grid, valid_source: Grid
    ) -> Tensor:
        """Similarity of the first decoder block's outputs of either direction."""
        target, source = pair.forward.features, pair.backward.features
        if target is None or source is None:
            raise ValueError("the backend returned no decoder features")
        return feature_volume(
            select_tokens(target[0], pair.forward.grid_target, valid_target),
            select_tokens(source[0], pair.backward.grid_target, valid_source),
            over_tokens=self.config.feature_norm == "tokens",
        )

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
    """The source's texture where token flow (h, w, 2) leads, (h, w)."""
    rows, columns = forward.shape[:2]
    x = forward[..., 0] + np.arange(columns, dtype=np.float32)[None, :]
    y = forward[..., 1] + np.arange(rows, dtype=np.float32)[:, None]
    return sample(source.texture, x, y)


def as_array(tensor: Tensor) -> FloatArray:
    """A tensor's values on the CPU in float32."""
    return np.asarray(tensor.float().cpu().numpy(), dtype=np.float32)


def matching_metadata(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a model file says about matching: a mapping, or its JSON text."""
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
