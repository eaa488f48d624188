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

"""What is measured: networks and frames, the same on every machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch

from zeroco_ros.croco.checkpoint import load_croco
from zeroco_ros.croco.model import CroCo, CrocoConfig
from zeroco_ros.errors import ConfigError
from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.parity import PAIRS
from zeroco_ros.media.images import read_image
from zeroco_ros.weights import resolve

Image = npt.NDArray[np.uint8]
Pair = tuple[Image, Image]

_VIT_B = CrocoConfig(
    dec_embed_dim=768, dec_depth=12, dec_num_heads=12, pos_embed="rope100", prediction_head=False
)
_TINY = CrocoConfig(
    enc_embed_dim=32,
    enc_depth=2,
    enc_num_heads=2,
    dec_embed_dim=32,
    dec_depth=2,
    dec_num_heads=2,
    pos_embed="rope100",
    prediction_head=False,
)
RANDOM = {"vit_b": _VIT_B, "tiny": _TINY}
NETWORKS = (*RANDOM, "default")


@dataclass(frozen=True)
class Subject:
    """A network with what its file says of matching. about: in words."""

    name: str
    about: str
    model: CroCo
    metadata: dict[str, object]

    @property
    def beta(self) -> float | None:
        """Softmax temperature of the file, None without one."""
        matching = self.metadata.get("matching")
        return float(matching["beta"]) if isinstance(matching, dict) else None

    @property
    def register_fix(self) -> bool:
        """Whether volumes get the register fix."""
        matching = self.metadata.get("matching")
        return bool(matching.get("register_fix", True)) if isinstance(matching, dict) else True


def open_subject(name: str) -> Subject:
    """
    Return a network by name.

    "vit_b" (ViT-B encoder, Base decoder as CroCo v2, random weights), "tiny" (random, for tests),
    or "default" (the shipped weights). Raises ConfigError for another.
    """
    if name in RANDOM:
        torch.manual_seed(0)
        config = RANDOM[name]
        about = f"{name}: encoder {config.enc_depth} x {config.enc_embed_dim}, decoder "
        about += f"{config.dec_depth} x {config.dec_embed_dim}, random weights"
        return Subject(name, about, CroCo(config).eval(), {})
    if name != "default":
        raise ConfigError(f"unknown network {name!r}: use one of {', '.join(NETWORKS)}")
    loaded = load_croco(resolve(name))
    return Subject(name, "the shipped weights", loaded.model, loaded.metadata)


def network_config(size: tuple[int, int], precision: str = "auto") -> FlowConfig:
    """Return the network alone: no head, no refinement, input of (height, width)."""
    return FlowConfig(size=size, refine="none", precision=precision)  # type: ignore[arg-type]


def moving_frames(size: tuple[int, int], count: int = 4, step: float = 3.0) -> list[Image]:
    """Frames (H, W, 3) of a camera that pans over a stored picture, `step` pixels per frame."""
    picture = read_image(PAIRS / "scene_target.png")
    height, width = size
    scale = max((height + 8) / picture.shape[0], (width + step * count + 8) / picture.shape[1])
    large = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    frames = []
    for number in range(count):
        shift = np.array([[1, 0, -number * step], [0, 1, -2]], dtype=np.float32)
        frame = cv2.warpAffine(large, shift, (width, height), flags=cv2.INTER_LINEAR)
        frames.append(np.ascontiguousarray(frame, dtype=np.uint8))
    return frames


def agreement_pairs(size: tuple[int, int], count: int = 6) -> Iterator[tuple[str, Pair]]:
    """
    Pairs (target, source) of a size with moderate motion.

    The stored pairs cut out, and views of a stored picture under homographies drawn from a fixed
    seed.
    """
    for name in ("plane", "scene"):
        pair = [read_image(PAIRS / f"{name}_{side}.png") for side in ("target", "source")]
        yield name, (_middle(pair[0], size), _middle(pair[1], size))
    random = np.random.default_rng(0)
    picture = read_image(PAIRS / "scene_target.png")
    for number in range(count):
        height, width = picture.shape[:2]
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        moved = corners + random.uniform(-16, 16, (4, 2)).astype(np.float32)
        turn = cv2.getPerspectiveTransform(corners, moved)
        seen = cv2.warpPerspective(picture, turn, (width, height), borderMode=cv2.BORDER_REFLECT)
        yield (
            f"homography {number}",
            (_middle(picture, size), _middle(np.asarray(seen, dtype=np.uint8), size)),
        )


def _middle(image: Image, size: tuple[int, int]) -> Image:
    """Return the middle of an image, enlarged first where it is smaller than (height, width)."""
    scale = max(1.0, size[0] / image.shape[0], size[1] / image.shape[1])
    if scale > 1:
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale), dtype=np.uint8)
    top, left = (image.shape[0] - size[0]) // 2, (image.shape[1] - size[1]) // 2
    return np.ascontiguousarray(image[top : top + size[0], left : left + size[1]])
