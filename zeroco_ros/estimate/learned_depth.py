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

"""The depth head on two encoded frames: inverse depth of the target up to a scale, with sigma."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from zeroco_ros.engine.backend import Backend, NonFiniteOutput
from zeroco_ros.engine.bundle import sha256
from zeroco_ros.engine.graph_backend import GraphBackend
from zeroco_ros.engine.graph_heads import GraphDepthHead
from zeroco_ros.engine.pair import sides_of
from zeroco_ros.engine.pair_heads import DepthHeadRunner, TorchDepthHead
from zeroco_ros.errors import ConfigError
from zeroco_ros.estimate.frames import EncodedFrame, network_input
from zeroco_ros.estimate.results import FlowResult
from zeroco_ros.geometry.epipolar import relative_pose
from zeroco_ros.heads.aggregation import Direction
from zeroco_ros.heads.checkpoint import load_head
from zeroco_ros.heads.depth import DepthHead
from zeroco_ros.heads.depth_geometry import (
    CELL,
    cell_centers,
    geometry_channels,
    RelativeMotion,
)
from zeroco_ros.matching.cost_volume import reciprocal_volume
from zeroco_ros.matching.flow import interpolation, Letterbox, PATCH
from zeroco_ros.weights import resolve

FloatArray = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

SURE = 1e-3  # confidences are cut off at these odds


@dataclass(frozen=True)
class RelativeDepth:
    """
    A relative depth.

    inverse: (H, W) float32 > 0, inverse depth of each pixel of the target, its median is 1: the
    true one is this times one unknown factor; sigma: (H, W) float32 > 0, its standard deviation as
    a share of itself (and so of depth); motion: whether a relative pose was given or found.
    """

    inverse: FloatArray
    sigma: FloatArray
    motion: bool


@dataclass(frozen=True)
class DepthFrame:
    """What the depth head keeps of one image: its features on the valid tokens (batch 1)."""

    frame: EncodedFrame
    features: Tensor


class LearnedDepth:
    """
    A depth head beside a backbone that is already running.

    head: shipped weights or a file of `zeroco train depth`; backend: of the flow estimator whose
    frames it is given, its device and precision are used. An engine brings its own depth head,
    which has to be this one (None: whichever it is). Raises WeightsError for an unreadable file,
    ConfigError for another kind of head or an engine without it.
    """

    def __init__(self, backend: Backend, head: str | Path | None = "depth_head") -> None:
        self.backend = backend
        self.metadata: Mapping[str, Any]
        self._runner: DepthHeadRunner
        if isinstance(backend, GraphBackend):
            self._runner, self.metadata = _of_engine(backend, head)
        else:
            loaded = load_head(resolve(head or "depth_head"))
            if not isinstance(loaded.head, DepthHead):
                raise ConfigError(f"head '{head}' is of kind {loaded.kind!r}: depth is needed")
            self._runner = TorchDepthHead(loaded.head, backend.device, backend.precision)
            self.metadata = loaded.metadata
        self._factor = float(self.metadata.get("sigma_factor", 1.0))

    def encode(self, frame: EncodedFrame) -> DepthFrame:
        """
        Return what depends on one image only.

        Kept by the caller, reused for every pair it is in.
        """
        pixels = network_input(frame.image, frame.letterbox, "area")
        rows, columns = frame.letterbox.valid
        content = pixels[..., : PATCH * rows, : PATCH * columns]
        return DepthFrame(frame, self._runner.encode(content))

    def predict(
        self,
        target: EncodedFrame | DepthFrame,
        source: EncodedFrame | DepthFrame,
        flow: FlowResult,
        K: Matrix,
        K_source: Matrix | None = None,
        *,
        motion: Matrix | None = None,
    ) -> RelativeDepth:
        """
        Relative depth of the target's pixels.

        flow: target to source, of the same frames. K, K_source: (3, 3) in pixels of the target's
        and the source's (default: the same) undistorted image. motion: (4, 4) or (3, 4) source
        from target, at any scale, where it is known; else it is estimated from the flow. Raises
        ConfigError for frames or a flow of other sizes, NonFiniteOutput when the network failed.
        """
        ours = target if isinstance(target, DepthFrame) else self.encode(target)
        theirs = source.frame if isinstance(source, DepthFrame) else source
        size = ours.frame.size
        if flow.flow.shape[:2] != size:
            raise ConfigError(
                f"a flow of {flow.flow.shape[1]}x{flow.flow.shape[0]} pixels for a target of "
                f"{size[1]}x{size[0]}: give the flow of these frames"
            )
        boxes = ours.frame.letterbox, theirs.letterbox
        field, sure = _on_cells(flow, *boxes)
        intrinsics = in_model(K, boxes[0]), in_model(K if K_source is None else K_source, boxes[1])
        known = _unit(motion) if motion is not None else seen_motion(field, sure, *intrinsics)
        geometry = _channels(field, sure, intrinsics, known)
        direction = self._direction(ours.frame, theirs)
        found = self._runner.depth(direction, ours.features, geometry)
        both = torch.stack([found.log_inverse[0], found.log_sigma[0]]).float().cpu().numpy()
        if not np.isfinite(both).all():
            raise NonFiniteOutput("the depth head returned NaN or Inf: use precision 'fp32'")
        logs, spread = _to_image(both, boxes[0])
        inverse = np.exp(logs - np.median(logs))
        return RelativeDepth(inverse, self._factor * np.exp(spread), known is not None)

    def _direction(self, target: EncodedFrame, source: EncodedFrame) -> Direction:
        """Return target's side of the pair: reciprocal volume and features on the valid tokens."""
        valid = target.letterbox.valid, source.letterbox.valid
        pair = self.backend.match(target.encoding, source.encoding, features=True, valid=valid)
        ahead, back = sides_of(pair, valid)
        with torch.inference_mode():
            volume = reciprocal_volume(ahead.volume, back.volume)
        return Direction(volume, ahead.features, *valid)


def _of_engine(
    backend: GraphBackend, head: str | Path | None
) -> tuple[DepthHeadRunner, Mapping[str, Any]]:
    """Return the engine's depth head and its metadata, which has to be the head that is meant."""
    origin = backend.manifest.depth
    if origin is None:
        raise ConfigError(
            "this engine was exported without a depth head: export it with --depth, or use mode "
            "'geometric'"
        )
    found = origin.sha256 if head is None else sha256(resolve(head).read_bytes())
    if found != origin.sha256:
        raise ConfigError(
            f"this engine's depth head is '{origin.name}' (sha256 {origin.sha256[:12]}), not "
            f"'{head}' ({found[:12]}): give that one, or export the engine with --depth {head}"
        )
    return GraphDepthHead(backend), origin.metadata


def in_model(K: Matrix, box: Letterbox) -> Matrix:
    """Intrinsics of an image (3, 3) as those of the network's input."""
    (height, width), (h, w) = box.image, box.content
    scale = np.array([w / width, h / height])
    found = np.asarray(K, dtype=np.float64).copy()
    found[:2, 2] += 0.5
    found[:2] *= scale[:, None]
    found[:2, 2] -= 0.5
    return found


def _on_cells(
    flow: FlowResult, target: Letterbox, source: Letterbox
) -> tuple[FloatArray, FloatArray]:
    """
    Return the flow and its certainty on the 4-pixel cells of the target's valid tokens.

    Flow (h, w, 2) in pixels of the network's inputs; certainty (h, w), a logit.
    """
    height, width = target.image
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    here = np.stack([x, y], -1)
    there = source.to_model(here + flow.flow) - target.to_model(here)
    odds = np.clip(flow.confidence, SURE, 1 - SURE)
    logits = np.log(odds / (1 - odds))
    whole = np.concatenate([there, logits[..., None]], -1).astype(np.float32)
    content = cv2.resize(whole, target.content[::-1], interpolation=cv2.INTER_AREA)
    sides = [PATCH * count for count in target.valid]
    content = content[: sides[0], : sides[1]]
    missing = [(0, side - n) for side, n in zip(sides, content.shape[:2], strict=True)]
    content = np.pad(content, [*missing, (0, 0)], mode="edge")
    cells = functional.avg_pool2d(torch.from_numpy(content).permute(2, 0, 1)[None], CELL)[0]
    arrays = cells.permute(1, 2, 0).numpy()
    return np.ascontiguousarray(arrays[..., :2]), np.ascontiguousarray(arrays[..., 2])


def seen_motion(
    flow: FloatArray, certainty: FloatArray, K_target: Matrix, K_source: Matrix
) -> tuple[Matrix, Matrix] | None:
    """
    Rotation (3, 3) and unit translation (3,) that a flow shows without doubt, else None.

    As `heads.depth_geometry.estimate_motion`, with which the head was trained, but by the fit that
    also knows when nothing moved, when the camera only turned, and when two answers are as good.
    """
    points = cell_centers(certainty.shape).permute(1, 2, 0).reshape(-1, 2).numpy()
    logits = certainty.reshape(-1).astype(np.float64)
    weights = np.where(logits > 0, 1 / (1 + np.exp(-logits)), 0.0)
    found = relative_pose(points, points + flow.reshape(-1, 2), K_target, K_source, weights)
    if found.kind != "general" or found.alternative is not None:
        return None
    return found.R, found.t


def _unit(motion: Matrix) -> tuple[Matrix, Matrix] | None:
    """Rotation and unit translation of a motion; None where it has no translation."""
    translation = np.asarray(motion, dtype=np.float64)[:3, 3]
    length = float(np.linalg.norm(translation))
    if length < 1e-9:
        return None
    return np.asarray(motion, dtype=np.float64)[:3, :3], translation / length


def _channels(
    flow: FloatArray,
    certainty: FloatArray,
    intrinsics: tuple[Matrix, Matrix],
    known: tuple[Matrix, Matrix] | None,
) -> Tensor:
    """`geometry_channels` of one pair."""
    rotation, direction = known or (np.eye(3), np.array([0.0, 0.0, 1.0]))
    motion = RelativeMotion(
        torch.from_numpy(rotation)[None].float(),
        torch.from_numpy(direction)[None].float(),
        torch.tensor([float(known is not None)]),
    )
    first, second = (torch.from_numpy(K)[None].float() for K in intrinsics)
    field = torch.from_numpy(flow).permute(2, 0, 1)[None]
    return geometry_channels(field, torch.from_numpy(certainty)[None, None], first, second, motion)


def _to_image(fields: FloatArray, box: Letterbox) -> FloatArray:
    """Resize maps (2, h, w) on the pixels of the network's input to the image's (2, H, W)."""
    (height, width), (high, wide) = box.image, box.content
    rows = interpolation(height, fields.shape[1], high / height)
    columns = interpolation(width, fields.shape[2], wide / width)
    return np.asarray(rows @ fields @ columns.T, dtype=np.float32)
