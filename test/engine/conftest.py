"""A small exported engine, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.exported import export_engine

CONFIG = FlowConfig(max_side=64, refine="none")


@pytest.fixture(scope="session")
def tiny_engine(tmp_path_factory: pytest.TempPathFactory, tiny_weights: Path) -> Path:
    """The tiny backbone without a head, for images of 64x48."""
    pytest.importorskip("onnxscript", reason="zeroco_ros[onnx] is not installed")
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("engine") / "tiny"
    export_engine(folder, CONFIG, (48, 64), weights=tiny_weights)
    return folder
