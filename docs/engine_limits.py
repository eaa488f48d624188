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
Derive the limits of the parity gate.

python3 docs/engine_limits.py [--damage]

Per precision the differences of backends that are right; with --damage what a layer that is 2 %
too large, and one changed weight, do to the cost volume.
"""

from __future__ import annotations

from collections.abc import Iterator
import copy
import dataclasses
from pathlib import Path
import sys
import tempfile

import torch
from torch import nn, Tensor

from zeroco_ros.croco.checkpoint import load_croco
from zeroco_ros.engine.graph_backend import GraphBackend
from zeroco_ros.engine.onnx_backend import OnnxBackend
from zeroco_ros.engine.torch_backend import TorchBackend
from zeroco_ros.estimate.config import preset
from zeroco_ros.estimate.exported import export_engine, plan_engine
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.estimate.parity import (
    check_backend,
    check_torch,
    network_alone,
    Parity,
    stored_pairs,
)
from zeroco_ros.estimate.parity_pair import estimator_volumes
from zeroco_ros.weights import resolve

IMAGE = (480, 640)


class ModuleRunner:
    """
    A graph's module run by PyTorch, which rounds after every half-precision operation.

    ONNX Runtime on a CPU computes half-precision graphs in float32 between casts, which it joins.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        """Run it."""
        with torch.inference_mode():
            found = self._module(*inputs)
        return [found] if isinstance(found, Tensor) else list(found)


def parities() -> Iterator[tuple[str, Parity]]:
    """Yield every backend that this machine can run, and its differences."""
    config = preset("default")
    for precision in ("fp32", "fp16"):
        with tempfile.TemporaryDirectory() as folder:
            engine = Path(folder) / "engine"
            export_engine(engine, config, IMAGE, depth="depth_head", precision=precision)
            yield f"ONNX Runtime {precision}", check_backend(OnnxBackend(engine, threads=1))
    for name in ("default", "fast", "paper"):  # with a head, without, and with a hard read-out
        config, depth = preset(name), "depth_head" if name == "default" else None
        plan = plan_engine(config, IMAGE, depth=depth, precision="fp16")
        runners = {part: ModuleRunner(graph.module) for part, graph in plan.graphs.items()}
        rounded = GraphBackend(plan.manifest, runners, name="onnx", device="cpu")
        yield f"{name} modules fp16", check_backend(rounded)
        for precision in ("bf16", "int8"):
            found = check_torch(config, precision, device="cpu", depth=depth)
            yield f"{name} torch {precision}", found


def damages() -> Iterator[tuple[str, float, float]]:
    """Yield a layer's name and the volume's rms difference: 2 % too large, one weight + 0.5."""
    loaded = load_croco(resolve("default"))
    config = dataclasses.replace(network_alone(preset("default")), head="none")
    _, target, source = list(stored_pairs())[1]

    def volume(model: nn.Module) -> Tensor:
        backend = TorchBackend(model, "cpu", "fp32")
        estimator = FlowEstimator.from_backend(backend, config, metadata=loaded.metadata)
        return estimator_volumes(estimator, estimator.encode(target), estimator.encode(source))

    right = volume(loaded.model)
    for name, weight in loaded.model.named_parameters():
        if weight.ndim < 2:
            continue
        found = []
        for change in (scaled, one_changed):
            model = copy.deepcopy(loaded.model)
            change(model.get_parameter(name).data)
            gap = (volume(model) - right).square().mean().sqrt() / right.std()
            found.append(float(gap))
        yield name, found[0], found[1]


def scaled(weight: Tensor) -> None:
    """Make a layer 2 % too large."""
    weight *= 1.02


def one_changed(weight: Tensor) -> None:
    """Change the 6th weight of the 4th output."""
    weight.flatten(1)[3, 5] += 0.5


def main() -> None:
    """Print both as tables."""
    torch.set_num_threads(1)
    if "--damage" in sys.argv:
        for row in sorted(damages(), key=lambda row: row[1]):
            print("{:40s} {:8.4f} {:8.4f}".format(*row), flush=True)
        return
    for what, parity in parities():
        for pair in parity.pairs:
            values = dataclasses.astuple(pair)
            cells = " ".join(
                f"{'-':>9s}" if value is None else f"{value:9.1e}" for value in values[1:7]
            )
            print(f"{what:20s} {pair.name:6s} {cells}  sure of {pair.sure:.0%}", flush=True)


if __name__ == "__main__":
    main()
