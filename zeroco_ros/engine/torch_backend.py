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

"""The network in PyTorch, on CPU or CUDA."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from zeroco_ros.croco.decoder import DecoderFrame
from zeroco_ros.croco.model import CroCo, Encoding, PairDescriptors
from zeroco_ros.croco.positions import Grid
from zeroco_ros.engine.accelerated import Accelerated, captured, compiled
from zeroco_ros.engine.bundle import Readout
from zeroco_ros.engine.layers import computes_bf16, computes_int8, DTYPES, prepared
from zeroco_ros.errors import BackendError, ConfigError
from zeroco_ros.matching.cost_volume import attention_volume, select_tokens, VolumeSum

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "fp32", "bf16", "fp16", "int8")
# A frame's keys and values for every layer are kept up to this size, which a CPU's caches can
# still use; above it each pair makes them anew, which costs a twentieth of the time.
_KEPT_BYTES = 16_000_000


class TorchBackend:
    """
    Runs a CroCo network in PyTorch, without gradients.

    model: the network; a copy in the precision and layout of the device is run, the original stays
    as it is and is not kept.
    device: "cpu", "cuda" or "auto" (CUDA where there is one). precision: see `resolve_precision`.
    threads: CPU threads for the whole process, None leaves them alone.
    compile: run `encode` and `volumes` through torch.compile. cuda_graph: capture them as CUDA
    graphs. Either costs seconds to minutes for each new size of images.
    Raises ConfigError for an unknown name or options that do not go together, BackendError
    for a device that is not there.
    """

    name = "torch"

    def __init__(
        self,
        model: CroCo,
        device: str = "auto",
        precision: str = "auto",
        threads: int | None = None,
        *,
        compile: bool = False,
        cuda_graph: bool = False,
    ) -> None:
        self.device = resolve_device(device)
        self.precision = resolve_precision(precision, self.device)
        if threads is not None:
            if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
                raise ConfigError(f"threads is {threads!r}: give a whole number from 1")
            torch.set_num_threads(threads)
        _check_acceleration(compile, cuda_graph, self.device, self.precision)
        self.model = prepared(model, self.device, self.precision, pack=not compile)
        self._key = object()
        self._accelerated: Accelerated | None = None
        if compile or cuda_graph:
            self._accelerated = Accelerated(self.model, compiled if compile else captured)

    def encode(self, images: Tensor) -> Encoding:
        """Encode (B, 3, H, W) normalized images."""
        with torch.inference_mode(), self._arithmetic():
            images = images.to(self.device, non_blocking=True)
            if self._accelerated is not None:
                grid = self.model.grid_of(images)
                return Encoding(self._accelerated.encode(images), grid)
            return self.model.encode(images)

    def match(
        self,
        target: Encoding,
        source: Encoding,
        *,
        features: bool = False,
        valid: tuple[Grid, Grid] | None = None,
    ) -> PairDescriptors:
        """Descriptors of both directions, of every token: `valid` plays no part here."""
        with torch.inference_mode(), self._arithmetic():
            frames = self._prepare(target), self._prepare(source)
            return self.model.decode_frames(*frames, features=features)

    def volumes(
        self,
        target: Encoding,
        source: Encoding,
        valid: tuple[Grid, Grid],
        *,
        register_fix: bool,
    ) -> tuple[Tensor, Tensor]:
        """Cost volumes of both directions, see `Backend.volumes`; no layer's maps are kept."""
        if self._accelerated is not None:
            with torch.inference_mode(), self._arithmetic():
                return self._accelerated.volumes(target, source, valid, register_fix)
        grids = (target.grid, source.grid), (source.grid, target.grid)
        parts = valid, valid[::-1]
        sums = [VolumeSum(register_fix=register_fix) for _ in grids]

        def add(direction: int, queries: Tensor, keys: Tensor) -> None:
            (own, other), (kept, there) = grids[direction], parts[direction]
            sums[direction].add(
                select_tokens(queries, own, kept), select_tokens(keys, other, there)
            )

        with torch.inference_mode(), self._arithmetic():
            self.model.walk_pair(self._prepare(target), self._prepare(source), add)
            return sums[0].mean(), sums[1].mean()

    def _prepare(self, frame: Encoding) -> DecoderFrame:
        """Return what the decoder makes of a frame alone, made once and kept with the frame."""
        found: DecoderFrame | None = frame.kept.get(self._key)
        if found is None:
            config = self.model.config
            size = 2 * config.dec_depth * config.dec_embed_dim * DTYPES[self.precision].itemsize
            keep = size * frame.tokens.shape[0] * frame.tokens.shape[1] <= _KEPT_BYTES
            found = frame.kept[self._key] = self.model.prepare(frame, keep=keep)
        return found

    def read(
        self, target: Encoding, source: Encoding, valid: tuple[Grid, Grid], how: Readout
    ) -> None:
        """Return None: the estimator reads the volumes out itself, see `Backend.read`."""

    def _arithmetic(self) -> AbstractContextManager[object]:
        """On CUDA normalization of half-precision values still needs autocast."""
        if self.precision == "fp32" or self.device == "cpu":
            return nullcontext()
        return torch.autocast(self.device, dtype=DTYPES[self.precision])


@torch.inference_mode()
def pair_volumes(
    pair: PairDescriptors, valid: tuple[Grid, Grid], register_fix: bool
) -> tuple[Tensor, Tensor]:
    """Return the cost volumes of a pair's descriptors, see `Backend.volumes`."""
    sides = (pair.forward, *valid), (pair.backward, *valid[::-1])
    ahead, back = (
        attention_volume(
            select_tokens(side.queries, side.grid_target, own),
            select_tokens(side.keys, side.grid_source, other),
            register_fix=register_fix,
        )
        for side, own, other in sides
    )
    return ahead, back


def _check_acceleration(compile: bool, cuda_graph: bool, device: str, precision: str) -> None:
    if compile and cuda_graph:
        raise ConfigError("compile and cuda_graph: use one of them")
    if cuda_graph and device != "cuda":
        raise ConfigError(f"cuda_graph needs a GPU and the device is '{device}': leave it out")
    if compile and precision == "int8":
        raise ConfigError("compile with precision 'int8': use 'bf16', 'fp32' or no compile")


def resolve_device(device: str) -> str:
    """
    Return "cpu" or "cuda".

    Raises ConfigError for another name, BackendError without a CUDA device.
    """
    if device not in DEVICES:
        raise ConfigError(f"unknown device {device!r}: use one of {', '.join(DEVICES)}")
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        reason = "this PyTorch is a CPU build" if torch.version.cuda is None else "no GPU found"
        raise BackendError(f"device 'cuda' is not available ({reason}): use device 'cpu'")
    return "cuda" if available and device != "cpu" else "cpu"


def resolve_precision(precision: str, device: str) -> str:
    """
    Return "fp32", "bf16", "fp16" or "int8" (see `engine.layers.prepared`).

    "auto" is fp16 on CUDA, and on a CPU bf16 where it has that. Raises ConfigError for an unknown
    name, for fp16 on a CPU, and for int8 on CUDA and on a CPU without the instructions.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"unknown precision {precision!r}: use one of {', '.join(PRECISIONS)}")
    if precision == "fp16" and device == "cpu":
        raise ConfigError("precision 'fp16' on a CPU: use 'bf16', 'fp32' or 'auto'")
    if precision == "int8" and device == "cuda":
        raise ConfigError("precision 'int8' is for CPUs: use 'fp16', 'fp32' or 'auto' on CUDA")
    if precision == "int8" and not computes_int8():
        raise ConfigError(
            "precision 'int8': this CPU has no instructions for it (VNNI), or this PyTorch does "
            "not use them: use 'auto'"
        )
    if precision != "auto":
        return precision
    if device == "cuda":
        return "fp16"
    return "bf16" if computes_bf16() else "fp32"
