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

"""The public face: two images in, flow with confidence out; pairs or a stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

from zeroco_ros.croco.model import CroCo, Encoding
from zeroco_ros.engine.backend import Backend, NonFiniteOutput
from zeroco_ros.engine.pair import Pair
from zeroco_ros.engine.torch_backend import TorchBackend
from zeroco_ros.errors import ConfigError
from zeroco_ros.estimate.aligned import best_pose, tokens_to_source
from zeroco_ros.estimate.coarse import (
    as_array,
    coarse_confidence,
    CoarseMatch,
    Matcher,
    resolved_beta,
    resolved_register_fix,
    seen_texture,
)
from zeroco_ros.estimate.config import FlowConfig, preset
from zeroco_ros.estimate.dense import CoarseField, DenseHead, DenseMatch
from zeroco_ros.estimate.flow_stream import FlowStream
from zeroco_ros.estimate.frames import (
    check_image,
    EncodedFrame,
    frame_texture,
    HeadFrame,
    letterbox_of,
    network_input,
    VolumeFrame,
)
from zeroco_ros.estimate.results import FlowResult
from zeroco_ros.estimate.volume_head import open_head, VolumeHead
from zeroco_ros.estimate.zoomed import attention_fields, ZoomedFlow
from zeroco_ros.matching.alignment import Pose, posed
from zeroco_ros.matching.calibration import Calibration
from zeroco_ros.matching.confidence import forward_backward_error, occlusion
from zeroco_ros.matching.flow import Letterbox, PATCH, upsample_map
from zeroco_ros.refine.dis import refine_flow

Image = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]


# Forward-backward error, in token strides, that an unrefined reverse flow has where it is right.
COARSE_TOLERANCE = 0.4


class FlowEstimator:
    """
    Dense correspondence of two images.

    config: a FlowConfig or the name of a preset. weights: the name of shipped weights or a model
    file. device: "auto", "cpu" or "cuda". precision: "auto", "fp32", "bf16", "fp16" or None for
    the configuration's. threads: CPU threads of PyTorch for this process, None leaves them alone.
    Raises ConfigError, WeightsError or BackendError.
    """

    def __init__(
        self,
        config: FlowConfig | str = "default",
        *,
        weights: str | Path = "default",
        device: str = "auto",
        precision: str | None = None,
        threads: int | None = None,
    ) -> None:
        from zeroco_ros.croco.checkpoint import load_croco
        from zeroco_ros.weights import resolve

        config = preset(config) if isinstance(config, str) else config
        loaded = load_croco(resolve(weights))
        backend = TorchBackend(loaded.model, device, precision or config.precision, threads)
        self._set_up(backend, config, loaded.metadata)

    @classmethod
    def from_model(
        cls,
        model: CroCo,
        config: FlowConfig | str = "default",
        *,
        metadata: Mapping[str, Any] | None = None,
        device: str = "auto",
        precision: str | None = None,
    ) -> FlowEstimator:
        """Return an estimator around a network in memory, with the metadata of its file if any."""
        config = preset(config) if isinstance(config, str) else config
        backend = TorchBackend(model, device, precision or config.precision)
        return cls.from_backend(backend, config, metadata=metadata)

    @classmethod
    def from_backend(
        cls,
        backend: Backend,
        config: FlowConfig | str = "default",
        *,
        metadata: Mapping[str, Any] | None = None,
        head: DenseHead | VolumeHead | None = None,
    ) -> FlowEstimator:
        """
        Return an estimator on a backend, and a head, that are already running.

        metadata: of the weights' file; head: None for the one that the configuration names.
        """
        estimator = cls.__new__(cls)
        config = preset(config) if isinstance(config, str) else config
        estimator._set_up(backend, config, metadata or {}, head)
        return estimator

    @classmethod
    def from_engine(
        cls,
        folder: str | Path,
        config: FlowConfig | str = "default",
        *,
        provider: str = "cpu",
        threads: int | None = None,
    ) -> FlowEstimator:
        """
        Return an estimator on an engine of `zeroco export`.

        See `estimate.exported.open_engine`.
        """
        from zeroco_ros.estimate.exported import open_engine

        config = preset(config) if isinstance(config, str) else config
        engine = open_engine(folder, config, provider, threads)
        return cls.from_backend(
            engine.backend, engine.config, metadata=engine.metadata, head=engine.head
        )

    def _set_up(
        self,
        backend: Backend,
        config: FlowConfig,
        metadata: Mapping[str, Any],
        head: DenseHead | VolumeHead | None = None,
    ) -> None:
        self.backend = backend
        self.config = config
        fix, beta = resolved_register_fix(config, metadata), resolved_beta(config, metadata)
        self._matcher = Matcher(backend, config, fix, beta)
        self._head: DenseHead | VolumeHead | None = None
        if config.head != "none":
            self._head = head or open_head(config, backend)
            self.calibration = Calibration.from_metadata(self._head.metadata)
        # A blank wall says nothing, whatever a network makes of it; fitting switches this off.
        self.plain_is_unsure = True

    @property
    def beta(self) -> float | None:
        """Softmax temperature in use; None: from the spread of each volume."""
        return self._matcher.beta

    @property
    def register_fix(self) -> bool:
        """Whether the top-left key token is set to the map's minimum."""
        return self._matcher.register_fix

    def estimate(self, target: Image, source: Image) -> FlowResult:
        """
        Flow from each pixel of target to its match in source.

        Images: (H, W, 3) uint8 RGB or (H, W) uint8 gray, at least 16x16; the two may differ in
        size. Raises ImageError for other input, NonFiniteOutput when the network failed.
        """
        first, second = self._encode([target, source])
        return self.match(first, second)

    def encode(self, image: Image) -> EncodedFrame:
        """Everything that depends on one image only. Raises ImageError as `estimate`."""
        return self._encode([image])[0]

    def _encode(
        self, images: Sequence[Image], *, dense: bool = True, room: int = 1
    ) -> list[EncodedFrame]:
        """dense: for the head too; room: times `max_pixels` that is allowed."""
        checked = [check_image(image, room * self.config.max_pixels) for image in images]
        boxes = [letterbox_of(image, self.config) for image in checked]
        inputs = [
            network_input(image, box, self.config.resample)
            for image, box in zip(checked, boxes, strict=True)
        ]
        if all(box.model == boxes[0].model for box in boxes):
            batch = self.backend.encode(torch.cat(inputs))
            encodings = [Encoding(batch.tokens[i : i + 1], batch.grid) for i in range(len(inputs))]
        else:
            encodings = [self.backend.encode(pixels) for pixels in inputs]
        heads: Sequence[HeadFrame | VolumeFrame | None] = [None] * len(checked)
        if isinstance(self._head, VolumeHead) and dense:
            heads = self._head.encode(inputs, boxes)
        elif isinstance(self._head, DenseHead) and dense:
            heads = self._head.encode(checked)
        frames = []
        for image, box, encoding, head in zip(checked, boxes, encodings, heads, strict=True):
            gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
            spots = frame_texture(gray, box)
            frames.append(EncodedFrame(encoding, box, image, gray, spots, head))
        return frames

    def match(self, target: EncodedFrame, source: EncodedFrame) -> FlowResult:
        """Flow from target to source, both from `encode` of this estimator."""
        coarse, pair = self._coarse(target, source)
        if self.config.alignment:
            pose = best_pose(source, coarse, lambda image: self._rough(target, image))
            if pose is not None:
                return self._match_posed(target, source, pose)
        return self._finish(target, source, coarse, pair)

    def _coarse(
        self, target: EncodedFrame, source: EncodedFrame
    ) -> tuple[CoarseMatch, Pair | None]:
        """Return the attention's match, and the descriptors where the head needs them too."""
        pair = None
        frames = target.encoding, source.encoding
        valid = target.letterbox.valid, source.letterbox.valid
        if isinstance(self._head, VolumeHead):
            pair = self.backend.match(*frames, features=True, valid=valid)
        return self._matcher.match(*frames, *valid, pair), pair

    def _rough(self, target: EncodedFrame, image: Image) -> CoarseMatch:
        """Return the attention's match of a frame and an image that is tried as its source."""
        return self._coarse(target, self._encode([image], dense=False, room=3)[0])[0]

    def _match_posed(self, target: EncodedFrame, source: EncodedFrame, pose: Pose) -> FlowResult:
        """Match in a pose of the source; the flow leads to the source as it was given."""
        copy = posed(source.image, pose)
        moved = self._encode([copy.image], room=3)[0]
        result = self._finish(target, moved, *self._coarse(target, moved))
        boxes = target.letterbox, moved.letterbox, source.letterbox
        return dataclasses.replace(
            result,
            flow=copy.flow_to_source(result.flow),
            coarse=tokens_to_source(result.coarse, boxes, copy),
        )

    def _finish(
        self,
        target: EncodedFrame,
        source: EncodedFrame,
        coarse: CoarseMatch,
        pair: Pair | None,
    ) -> FlowResult:
        """From the coarse match to the result."""
        boxes = target.letterbox, source.letterbox
        tokens, back_tokens = as_array(coarse.forward[0]), as_array(coarse.backward[0])
        fields = attention_fields(self._matcher, target, source, (tokens, back_tokens))
        dense = self._dense(coarse, target, source, fields, pair) if self._head else None
        flow, backward = fields.flow, fields.backward
        if dense is not None:
            flow, backward = dense.flow, dense.backward
        if self.config.refine == "dis":
            effort = self.config.refine_preset
            flow = refine_flow(target.gray, source.gray, flow, effort, beside=dense is None)
            if self.config.refine_backward and dense is None:
                backward = refine_flow(source.gray, target.gray, backward, "fast")
        error = fields.error
        if error is None or dense is not None or self.config.refine == "dis":
            error = forward_backward_error(flow, backward)
        if dense is not None:
            confidence = self.calibration.confidence(dense.certainty, error)
            if self.plain_is_unsure:
                confidence *= upsample_map(seen_texture(coarse, target, source), boxes[0])
            least = 3.0
        else:
            confidence = upsample_map(coarse_confidence(coarse, target, source), boxes[0])
            refined = self.config.refine == "dis" and self.config.refine_backward
            least = 3.0 if refined else max(3.0, COARSE_TOLERANCE * _stride(boxes[0]))
        occluded = occlusion(flow, error, confidence, least)
        return FlowResult(flow, confidence, occluded, error, tokens)

    def _dense(
        self,
        coarse: CoarseMatch,
        target: EncodedFrame,
        source: EncodedFrame,
        fields: ZoomedFlow,
        pair: Pair | None,
    ) -> DenseMatch:
        """Return the head's dense match of both directions."""
        ours, theirs = target.head, source.head
        if isinstance(ours, HeadFrame) and isinstance(theirs, HeadFrame):
            assert isinstance(self._head, DenseHead)
            mass = upsample_map(as_array(coarse.forward_mass[0]), target.letterbox)
            back_mass = upsample_map(as_array(coarse.backward_mass[0]), source.letterbox)
            starts = CoarseField(fields.flow, mass), CoarseField(fields.backward, back_mass)
            found = self._head.match(ours, theirs, *starts)
        elif isinstance(ours, VolumeFrame) and isinstance(theirs, VolumeFrame):
            assert isinstance(self._head, VolumeHead) and pair is not None
            found = self._head.match(pair, ours, theirs, self.beta)
        else:
            raise ConfigError("a frame encoded without a head or for another: encode it anew")
        if not np.isfinite(found.flow).all():
            raise NonFiniteOutput("the flow head returned NaN or Inf: use precision 'fp32'")
        return found

    def stream(self) -> FlowStream:
        """Return a stream that encodes each frame once and pairs it with the one before."""
        return FlowStream(self)


def _stride(box: Letterbox) -> float:
    """Image pixels from one token to the next."""
    return PATCH * max(box.image[0] / box.content[0], box.image[1] / box.content[1])
