"""Small exported engines, each made once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
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
    """A file of a small head by kind, with weights in the layers that training starts at zero."""
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
    """The tiny backbone without a head, for images of 64x48."""
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
    """The tiny backbone with a super-resolution head in fp16, weights beside the graphs."""
    pytest.importorskip("onnxscript", reason="zeroco_ros[onnx] is not installed")
    folder = tmp_path_factory.mktemp("engine") / "half"
    head = str(tiny_head("super_resolution"))
    config = FlowConfig(max_side=64, refine="none", head=head)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zeroco_ros.engine.export.ONE_FILE", 1000)
        export_engine(folder, config, IMAGE, weights=tiny_weights, precision="fp16")
    return folder
