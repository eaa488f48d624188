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

"""The dense zoom-in of a pair of frames: the images, flows and tiles that it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from zeroco_ros.estimate.coarse import Matcher
from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.frames import EncodedFrame, normalize, reduce_image
from zeroco_ros.matching.flow import (
    flow_to_image,
    interpolation,
    Letterbox,
    PATCH,
    upsample_flow,
)
from zeroco_ros.matching.zoom import dense_zoom, resize_flow, ZoomResult

ByteArray = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]

# Pairs of tiles that go through the network together: 2 and 3 both ways are 26.
TILES_AT_ONCE = 32


@dataclass(frozen=True)
class ZoomedFlow:
    """
    A zoomed flow.

    flow (H, W, 2) and backward (Hs, Ws, 2) in pixels; error (H, W): the zoom-in's uncertainty in
    pixels, None without zoom-in.
    """

    flow: FloatArray
    backward: FloatArray
    error: FloatArray | None


def attention_fields(
    matcher: Matcher,
    target: EncodedFrame,
    source: EncodedFrame,
    tokens: tuple[FloatArray, FloatArray],
) -> ZoomedFlow:
    """
    Return the attention's flow of both directions in image pixels, zoomed in where configured.

    tokens: its flow on the token grids, forward and backward, (h, w, 2) each.
    """
    if matcher.config.zoom:
        return zoom_in(matcher, target, source, *tokens)
    boxes, how = (target.letterbox, source.letterbox), matcher.config.upsampling
    return ZoomedFlow(
        upsample_flow(tokens[0], *boxes, how), upsample_flow(tokens[1], *boxes[::-1], how), None
    )


def zoom_in(
    matcher: Matcher,
    target: EncodedFrame,
    source: EncodedFrame,
    forward: FloatArray,
    backward: FloatArray,
) -> ZoomedFlow:
    """Refine a coarse match by zooming in; forward and backward are token flows (h, w, 2)."""
    config = matcher.config
    images, boxes = _views(target, source, config)
    upsample = pinned_upsample if config.align_corners else upsample_flow
    first = upsample(forward, *boxes), upsample(backward, *boxes[::-1])
    result = dense_zoom(
        (normalize(images[0]), normalize(images[1])),
        (_to_tensor(first[0]), _to_tensor(first[1])),
        boxes[0].content,
        config.zoom,
        tile_matcher(matcher, boxes[0]),
        align_corners=config.align_corners,
    )
    return _to_arrays(result, target.size, source.size)


def tile_matcher(matcher: Matcher, box: Letterbox) -> Callable[[Tensor, Tensor], Tensor]:
    """Return what matches batches of tiles (T, 3, h, w) of the size of `box`'s content."""
    tile = Letterbox(box.content, box.content, box.model)
    below, right = box.model[0] - box.content[0], box.model[1] - box.content[1]

    def flow_of(target: Tensor, source: Tensor) -> Tensor:
        pair = functional.pad(torch.cat([target, source]), (0, right, 0, below))
        encoded = matcher.backend.encode(pair)
        half = encoded.tokens.chunk(2)
        ahead = type(encoded)(half[0], encoded.grid), type(encoded)(half[1], encoded.grid)
        coarse = matcher.match(*ahead, box.valid, box.valid).forward.float().cpu().numpy()
        return torch.cat([_to_tensor(upsample_flow(one, tile, tile)) for one in coarse])

    def all_flows(target: Tensor, source: Tensor) -> Tensor:
        some = TILES_AT_ONCE
        pairs = zip(torch.split(target, some), torch.split(source, some), strict=True)
        return torch.cat([flow_of(one, other) for one, other in pairs])

    return all_flows


def pinned_upsample(coarse: FloatArray, target: Letterbox, source: Letterbox) -> FloatArray:
    """
    Token flow to image pixels as the released zoom-in does: corner pixels stay in the corners.

    Biased: the network's input is resized by (W - 1) / (w - 1) although its content was not.
    """
    (high, wide), (height, width) = target.content, target.image
    rows = interpolation(high, coarse.shape[0], 1 / PATCH)
    columns = interpolation(wide, coarse.shape[1], 1 / PATCH)
    in_model = np.einsum("ht,tsc,ws->hwc", rows, coarse * PATCH, columns, optimize=True)
    resized = resize_flow(_to_tensor(in_model), (height, width), align_corners=True)
    flow = resized[0].permute(1, 2, 0).numpy()
    for axis, (own, other) in enumerate(((width, source.image[1]), (height, source.image[0]))):
        stretch = (other - 1) / (own - 1)
        shift = (stretch - 1) * np.arange(own, dtype=np.float32)
        flow[..., axis] = flow[..., axis] * stretch + (shift[:, None] if axis else shift)
    return np.asarray(flow, dtype=np.float32)


def _to_tensor(flow: FloatArray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(flow, dtype=np.float32)).permute(2, 0, 1)[None]


def _views(
    target: EncodedFrame, source: EncodedFrame, config: FlowConfig
) -> tuple[tuple[ByteArray, ByteArray], tuple[Letterbox, Letterbox]]:
    """
    Return the images that are zoomed into: no larger than the highest ratio shows of them.

    The released code (align_corners) works on the images as they are.
    """
    images, boxes = [], []
    for frame in (target, source):
        box, image = frame.letterbox, frame.image
        most = tuple(side * max(config.zoom) for side in box.content)
        if not config.align_corners and most[0] * most[1] < image.shape[0] * image.shape[1]:
            image = reduce_image(image, (most[0], most[1]))
            box = Letterbox((most[0], most[1]), box.content, box.model)
        images.append(image)
        boxes.append(box)
    return (images[0], images[1]), (boxes[0], boxes[1])


def _to_arrays(
    result: ZoomResult, target_size: tuple[int, int], source_size: tuple[int, int]
) -> ZoomedFlow:
    """Results on the zoomed views to arrays on the images' pixels."""
    views = [(int(part.shape[-2]), int(part.shape[-1])) for part in (result.flow, result.backward)]
    target = Letterbox(target_size, views[0], views[0])
    source = Letterbox(source_size, views[1], views[1])
    error = _enlarged(result.uncertainty, target_size)[..., 0]
    return ZoomedFlow(
        flow_to_image(_enlarged(result.flow, target_size), target, source),
        flow_to_image(_enlarged(result.backward, source_size), source, target),
        error * np.float32(target_size[1] / views[0][1]),
    )


def _enlarged(field: Tensor, size: tuple[int, int]) -> FloatArray:
    if tuple(field.shape[-2:]) != size:
        field = functional.interpolate(field, size=size, mode="bilinear", align_corners=False)
    return np.ascontiguousarray(field[0].permute(1, 2, 0).numpy(), dtype=np.float32)
