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
Dense zoom-in (GLU-Net / ZeroCo): a second look at magnified tiles of the warped image.

A first flow F_0 both ways warps each image onto the other. For every ratio z the warped pair is
enlarged to z x z tiles of the network's input; their flow r is stitched, and F_z = F_0(p + r) + r.
Per pixel the candidate with the smallest forward-backward error wins, and that error is the
uncertainty in pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from zeroco_ros.geometry.warp import warp

# (target tiles, source tiles), each (T, 3, h, w) -> flow (T, 2, h, w), pixels of a tile.
TileFlow = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class ZoomResult:
    """flow: (1, 2, H, W) pixels; backward: (1, 2, Hs, Ws); uncertainty: (1, 1, H, W) pixels."""

    flow: Tensor
    backward: Tensor
    uncertainty: Tensor


def dense_zoom(
    images: tuple[Tensor, Tensor],
    flows: tuple[Tensor, Tensor],
    tile: tuple[int, int],
    ratios: Sequence[int],
    tile_flow: TileFlow,
    *,
    align_corners: bool = False,
) -> ZoomResult:
    """
    Refine the flow of a pair by zooming in.

    images: target (1, 3, H, W) and source (1, 3, Hs, Ws), normalized. flows: first flow target to
    source (1, 2, H, W) and source to target (1, 2, Hs, Ws), pixels. tile: (h, w) of what the
    network sees. tile_flow: matches a batch of tiles; it is called once, with the tiles of all
    ratios and both directions. align_corners: True reproduces the released code, whose resizing
    pins the corner pixels and with them magnifies by (h - 1) / (H - 1); False is unbiased.
    """
    zoomed = _tiles(images, flows, tile, ratios, align_corners)
    stitched = tile_flow(torch.cat([t for t, _ in zoomed]), torch.cat([s for _, s in zoomed]))
    parts = iter(torch.split(stitched, [len(t) for t, _ in zoomed]))
    candidates: tuple[list[Tensor], list[Tensor]] = ([flows[0]], [flows[1]])
    for ratio in ratios:
        for side in (0, 1):
            shape = images[side].shape[-2:]
            residual = _resize_flow(_stitch(next(parts), ratio), shape, align_corners)
            padding = "zeros" if align_corners else "border"
            first = warp(flows[side], residual, padding=padding)
            candidates[side].append(first + residual)
    forward, backward = torch.cat(candidates[0]), torch.cat(candidates[1])
    flow, back = _best(forward, backward), _best(backward, forward)
    return ZoomResult(flow, back, _cycle_error(flow, back))


def _tiles(
    images: tuple[Tensor, Tensor],
    flows: tuple[Tensor, Tensor],
    tile: tuple[int, int],
    ratios: Sequence[int],
    align_corners: bool,
) -> list[tuple[Tensor, Tensor]]:
    """Per ratio and direction the tiles of the image and of the other one warped onto it."""
    warped = warp(images[1], flows[0]), warp(images[0], flows[1])
    return [
        (
            _cut(_enlarge(images[side], tile, ratio, align_corners), ratio),
            _cut(_enlarge(warped[side], tile, ratio, align_corners), ratio),
        )
        for ratio in ratios
        for side in (0, 1)
    ]


def _enlarge(image: Tensor, tile: tuple[int, int], ratio: int, align_corners: bool) -> Tensor:
    size = (tile[0] * ratio, tile[1] * ratio)
    # The released code never filters; the default does where the enlarged view is still smaller.
    shrinks = size[0] < image.shape[-2] and not align_corners
    return functional.interpolate(
        image, size=size, mode="bilinear", align_corners=align_corners, antialias=shrinks
    )


def _cut(image: Tensor, ratio: int) -> Tensor:
    """(1, C, z h, z w) to (z * z, C, h, w), row by row."""
    _, channels, height, width = image.shape
    h, w = height // ratio, width // ratio
    grid = image.reshape(channels, ratio, h, ratio, w)
    return grid.permute(1, 3, 0, 2, 4).reshape(ratio * ratio, channels, h, w)


def _stitch(tiles: Tensor, ratio: int) -> Tensor:
    """(z * z, C, h, w) to (1, C, z h, z w)."""
    _, channels, h, w = tiles.shape
    grid = tiles.reshape(ratio, ratio, channels, h, w).permute(2, 0, 3, 1, 4)
    return grid.reshape(1, channels, ratio * h, ratio * w)


def _resize_flow(flow: Tensor, size: tuple[int, int] | torch.Size, align_corners: bool) -> Tensor:
    return resize_flow(flow, (int(size[0]), int(size[1])), align_corners=align_corners)


def resize_flow(flow: Tensor, size: tuple[int, int], *, align_corners: bool = False) -> Tensor:
    """
    Flow (B, 2, h, w) to `size` (H, W), its vectors scaled with it.

    align_corners: corner pixels stay corner pixels, so vectors scale by (W - 1) / (w - 1).
    """
    (height, width), (h, w) = size, flow.shape[-2:]
    pinned = 1 if align_corners else 0
    ratio = [(width - pinned) / (w - pinned), (height - pinned) / (h - pinned)]
    scale = torch.tensor(ratio, dtype=flow.dtype, device=flow.device)
    resized = functional.interpolate(flow, size=size, mode="bilinear", align_corners=align_corners)
    return resized * scale.view(1, 2, 1, 1)


def _cycle_error(forward: Tensor, backward: Tensor) -> Tensor:
    error: Tensor = torch.linalg.vector_norm(
        forward + warp(backward, forward), dim=1, keepdim=True
    )
    return error


def _best(forward: Tensor, backward: Tensor) -> Tensor:
    """Per pixel the candidate (K, 2, H, W) with the smallest forward-backward error."""
    best = _cycle_error(forward, backward).argmin(dim=0, keepdim=True)
    return forward.gather(0, best.expand(1, 2, -1, -1))
