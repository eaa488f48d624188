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
The backbone as functions of tensors, compiled by torch.compile or captured as CUDA graphs.

Both pay for every new size of images once, in time and memory, and then spare Python and the
launching of kernels. CUDA graphs: not run on a GPU by this project so far.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from zeroco_ros.croco.descriptors import Encoding
from zeroco_ros.croco.model import CroCo
from zeroco_ros.croco.positions import Grid
from zeroco_ros.errors import BackendError
from zeroco_ros.matching.cost_volume import select_tokens, VolumeSum

Call = Callable[..., tuple[Tensor, ...]]
_SIZES = 8  # sizes of images for which graphs are kept
_WARM_UP = 3  # runs before a capture: libraries allocate and choose in them


def encode_tokens(model: CroCo, images: Tensor) -> tuple[Tensor, ...]:
    """(B, 3, H, W) normalized images -> (tokens,)."""
    return (model.encode(images).tokens,)


def pair_volumes_of(
    model: CroCo,
    grids: tuple[Grid, Grid],
    valid: tuple[Grid, Grid],
    register_fix: bool,
    target: Tensor,
    source: Tensor,
) -> tuple[Tensor, ...]:
    """Tokens of both frames -> cost volumes of both directions, see `Backend.volumes`."""
    sums = [VolumeSum(register_fix=register_fix) for _ in grids]
    turned = (grids, grids[::-1]), (valid, valid[::-1])

    def add(direction: int, queries: Tensor, keys: Tensor) -> None:
        (own, other), (kept, there) = turned[0][direction], turned[1][direction]
        sums[direction].add(select_tokens(queries, own, kept), select_tokens(keys, other, there))

    frames = [
        model.prepare(Encoding(tokens, grid), keep=False)
        for tokens, grid in zip((target, source), grids, strict=True)
    ]
    model.walk_pair(frames[0], frames[1], add)
    return sums[0].mean(), sums[1].mean()


class Accelerated:
    """Runs a network's two functions through a maker of faster ones (`compiled`, `captured`)."""

    def __init__(self, model: CroCo, make: Callable[[Call], Call]) -> None:
        self._model, self._make = model, make
        self._calls: OrderedDict[Any, Call] = OrderedDict()

    def encode(self, images: Tensor) -> Tensor:
        """As `encode_tokens`."""
        call = self._call(("encode", images.shape), partial(encode_tokens, self._model))
        return call(images)[0]

    def volumes(
        self, target: Encoding, source: Encoding, valid: tuple[Grid, Grid], register_fix: bool
    ) -> tuple[Tensor, Tensor]:
        """As `pair_volumes_of`."""
        grids = target.grid, source.grid
        key = "volumes", grids, valid, register_fix, target.tokens.shape
        function = partial(pair_volumes_of, self._model, grids, valid, register_fix)
        ahead, back = self._call(key, function)(target.tokens, source.tokens)
        return ahead, back

    def _call(self, key: Any, function: Call) -> Call:
        call = self._calls.pop(key, None) or self._make(function)
        self._calls[key] = call
        while len(self._calls) > 2 * _SIZES:
            self._calls.popitem(last=False)
        return call


def compiled(function: Call) -> Call:
    """
    Return a function through torch.compile, at the first call, which takes a minute.

    That call raises BackendError where there is no compiler (g++ on a CPU, Triton on CUDA).
    """
    fast = torch.compile(function, dynamic=False)

    def call(*tensors: Tensor) -> tuple[Tensor, ...]:
        try:
            found: tuple[Tensor, ...] = fast(*tensors)
        except torch._dynamo.exc.TorchDynamoException as error:
            words = str(error).strip().splitlines()
            raise BackendError(
                f"torch.compile failed ({words[0] if words else type(error).__name__}): a C++ "
                "compiler (g++) is needed on a CPU and Triton on CUDA; or run without compile"
            ) from error
        return found

    return call


def captured(function: Call) -> Call:
    """
    Return a function of CUDA tensors of fixed shapes as a CUDA graph, captured at the first call.

    Inputs are copied to where the graph reads them, outputs from where it writes them.
    """
    state: list[Any] = []

    def call(*tensors: Tensor) -> tuple[Tensor, ...]:
        if not state:
            state.extend(_capture(function, tensors))
        graph, inputs, outputs = state
        for own, given in zip(inputs, tensors, strict=True):
            own.copy_(given)
        graph.replay()
        return tuple(output.clone() for output in outputs)

    return call


def _capture(function: Call, tensors: tuple[Tensor, ...]) -> tuple[Any, list[Tensor], Any]:
    inputs = [tensor.clone() for tensor in tensors]
    # What the default stream still does must not get into the capture.
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(_WARM_UP):
            function(*inputs)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        outputs = function(*inputs)
    return graph, inputs, outputs
