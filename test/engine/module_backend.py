"""A backend of the modules that an engine is exported from: the same numbers without an export."""

from __future__ import annotations

import torch
from torch import Tensor, nn

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
    """A backend of the modules that an engine would be exported from."""
    runners = {name: ModuleRunner(graph.module) for name, graph in plan.graphs.items()}
    return GraphBackend(plan.manifest, runners, name="onnx", device="cpu")
