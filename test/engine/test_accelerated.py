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
torch.compile and CUDA graphs of the backbone: what is refused, and what is kept per size.

No GPU has run the graphs: a stand-in named as such shows that inputs and outputs are copied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from zeroco_ros.croco.model import CroCo
from zeroco_ros.engine import accelerated
from zeroco_ros.engine.accelerated import Accelerated, Call, captured, compiled
from zeroco_ros.engine.torch_backend import TorchBackend
from zeroco_ros.errors import BackendError, ConfigError

GRIDS = ((2, 4), (2, 3))


def images(seed: int = 1, width: int = 64) -> Tensor:
    return torch.randn(1, 3, 32, width, generator=torch.Generator().manual_seed(seed))


def test_what_does_not_go_together(tiny_network: CroCo):
    with pytest.raises(ConfigError, match="cuda_graph needs a GPU and the device is 'cpu'"):
        TorchBackend(tiny_network, "cpu", cuda_graph=True)
    with pytest.raises(ConfigError, match="use one of them"):
        TorchBackend(tiny_network, "cpu", compile=True, cuda_graph=True)


def test_int8_is_not_compiled(tiny_network: CroCo, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("zeroco_ros.engine.torch_backend.computes_int8", lambda: True)
    with pytest.raises(ConfigError, match="compile with precision 'int8'"):
        TorchBackend(tiny_network, "cpu", "int8", compile=True)


@pytest.mark.parametrize("register_fix", [True, False])
def test_functions_of_tensors_are_the_backend(tiny_network: CroCo, register_fix: bool):
    """What is compiled or captured gives what the plain backend gives, in every size."""
    made: list[Call] = []

    def make(function: Call) -> Call:
        made.append(function)
        return function

    plain = TorchBackend(tiny_network, "cpu", "fp32")
    fast = TorchBackend(tiny_network, "cpu", "fp32")
    fast._accelerated = Accelerated(fast.model, make)
    for _ in range(2):
        frames = [(b.encode(images()), b.encode(images(2))) for b in (plain, fast)]
        torch.testing.assert_close(frames[1][0].tokens, frames[0][0].tokens)
        assert frames[1][0].grid == (2, 4)
        expected, found = (
            b.volumes(*pair, GRIDS, register_fix=register_fix)
            for b, pair in zip((plain, fast), frames, strict=True)
        )
        torch.testing.assert_close(found, expected)
    assert len(made) == 2  # once for the encoder, once for the volumes
    fast.encode(images(width=96))
    assert len(made) == 3


def test_few_sizes_are_kept(tiny_network: CroCo):
    fast = Accelerated(tiny_network, lambda function: function)
    with torch.inference_mode():
        for width in range(16, 16 * 40, 16):
            fast.encode(images(width=width))
    assert len(fast._calls) == 16


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch):
    def compile_in_vain(function: Call, **_: object) -> Callable[..., None]:
        def call(*_: Tensor) -> None:
            raise torch._dynamo.exc.TorchDynamoException("no g++ found\nmore")

        return call

    monkeypatch.setattr(torch, "compile", compile_in_vain)
    with pytest.raises(BackendError, match=r"torch.compile failed \(no g\+\+ found\).*or run wit"):
        compiled(lambda x: (x,))(torch.ones(1))


class StandInGraph:
    """Not a CUDA graph: it runs the function again and writes where the capture wrote."""

    replayed = 0

    def replay(self) -> None:
        StandInGraph.replayed += 1
        again = self.function(*self.inputs)
        for kept, value in zip(self.outputs, again, strict=True):
            kept.copy_(value)


def test_capture_copies_in_and_out(monkeypatch: pytest.MonkeyPatch):
    calls: list[tuple[Tensor, ...]] = []

    def function(*tensors: Tensor) -> tuple[Tensor, ...]:
        calls.append(tensors)
        return (tensors[0] + 2 * tensors[1],)

    def capture(given: Call, tensors: tuple[Tensor, ...]):
        graph = StandInGraph()
        graph.function, graph.inputs = given, [tensor.clone() for tensor in tensors]
        graph.outputs = given(*graph.inputs)
        return graph, graph.inputs, graph.outputs

    monkeypatch.setattr(accelerated, "_capture", capture)
    call = captured(function)
    first = call(torch.tensor([1.0]), torch.tensor([1.0]))[0]
    second = call(torch.tensor([5.0]), torch.tensor([1.0]))[0]
    assert (first.item(), second.item()) == (3.0, 7.0)  # the first result is the caller's
    assert StandInGraph.replayed == 2 and len(calls) == 3


@contextmanager
def _nothing(*_: object) -> Iterator[None]:
    yield


def test_warm_up_before_the_capture(monkeypatch: pytest.MonkeyPatch):
    class StandInStream:
        def wait_stream(self, _other: object) -> None:
            return None

    monkeypatch.setattr(torch.cuda, "Stream", StandInStream)
    monkeypatch.setattr(torch.cuda, "current_stream", StandInStream)
    monkeypatch.setattr(torch.cuda, "stream", _nothing)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", StandInGraph)
    monkeypatch.setattr(torch.cuda, "graph", _nothing)
    runs: list[int] = []

    def function(*tensors: Tensor) -> tuple[Tensor, ...]:
        runs.append(1)
        return tensors

    given = torch.ones(2)
    _, inputs, outputs = accelerated._capture(function, (given,))
    assert len(runs) == 4 and inputs[0].data_ptr() != given.data_ptr()
    assert outputs[0] is inputs[0]
