"""A small exported engine, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from zeroco_ros.croco.checkpoint import save_croco
from zeroco_ros.croco.model import CroCo
from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.exported import export_engine

CONFIG = FlowConfig(max_side=64, refine="none")


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory, tiny_network: CroCo) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_croco(path, tiny_network, {"matching": {"beta": 0.1, "register_fix": True}})
    return path


@pytest.fixture(scope="session")
def tiny_engine(tmp_path_factory: pytest.TempPathFactory, tiny_weights: Path) -> Path:
    """Backbone only, network input 64x48, with the register fix baked in."""
    pytest.importorskip("onnxscript", reason="zeroco_ros[onnx] is not installed")
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("engine") / "tiny"
    export_engine(folder, CONFIG, (48, 64), weights=tiny_weights)
    return folder
