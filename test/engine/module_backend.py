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

"""A backend of the modules that an engine is exported from: the same numbers without an export."""

from __future__ import annotations

import torch
from torch import nn, Tensor

from zeroco_ros.engine.graph_backend import GraphBackend
from zeroco_ros.estimate.exported import EnginePlan


class ModuleRunner:
    """A graph's module itself, in place of what it is exported to."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        with torch.inference_mode():
            found = self._module(*inputs)
        return [found] if isinstance(found, Tensor) else list(found)


def in_modules(plan: EnginePlan) -> GraphBackend:
    """Return a backend of the modules that an engine would be exported from."""
    runners = {name: ModuleRunner(graph.module) for name, graph in plan.graphs.items()}
    return GraphBackend(plan.manifest, runners, name="onnx", device="cpu")
