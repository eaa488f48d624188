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

"""Small exported engines, each made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
import sys
from typing import Any

import pytest
import torch
from torch import nn

from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.exported import export_engine
from zeroco_ros.heads.checkpoint import build_head, save_head

sys.path.insert(0, str(Path(__file__).parent))

CONFIG = FlowConfig(max_side=64, refine="none")
IMAGE = (48, 64)
TINY_HEADS: dict[str, dict[str, Any]] = {
    "aggregation": {"tokens": 32, "dim": 8, "guide": 8, "fine": 4},
    "super_resolution": {
        "tokens": 32,
        "image": 8,
        "radius": 1,
        "refinement": {"dim": 16, "heads": 2, "windows": [8], "rounds": 1, "hidden": 8},
    },
    "depth": {
        "tokens": 32,
        "dim": 8,
        "guide": 8,
        "stem": 8,
        "widths": [8, 8, 16],
        "blocks": 1,
        "heads": 2,
    },
}


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_head(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """
    Return a file of a small head by kind.

    With weights in the layers that training starts at zero.
    """
    folder = tmp_path_factory.mktemp("heads")

    def make(kind: str) -> Path:
        path = folder / f"{kind}.safetensors"
        if not path.exists():
            torch.manual_seed(1)
            head = build_head(kind, TINY_HEADS[kind])
            for value in head.parameters():
                if not bool(value.any()):
                    nn.init.normal_(value, std=0.01)
            save_head(path, head)
        return path

    return make


@pytest.fixture(scope="session")
def tiny_engine(tmp_path_factory: pytest.TempPathFactory, tiny_weights: Path) -> Path:
    """Return the tiny backbone without a head, for images of 64x48."""
    pytest.importorskip("onnxscript", reason="zeroco_ros[onnx] is not installed")
    folder = tmp_path_factory.mktemp("engine") / "tiny"
    export_engine(folder, CONFIG, IMAGE, weights=tiny_weights)
    return folder


@pytest.fixture(scope="session")
def half_engine(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_weights: Path,
    tiny_head: Callable[[str], Path],
) -> Path:
    """Return the tiny backbone with a super-resolution head in fp16, weights beside the graphs."""
    pytest.importorskip("onnxscript", reason="zeroco_ros[onnx] is not installed")
    folder = tmp_path_factory.mktemp("engine") / "half"
    head = str(tiny_head("super_resolution"))
    config = FlowConfig(max_side=64, refine="none", head=head)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zeroco_ros.engine.export.ONE_FILE", 1000)
        export_engine(folder, config, IMAGE, weights=tiny_weights, precision="fp16")
    return folder
