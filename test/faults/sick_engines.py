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

"""Engines and model files that are not what they should be, made from good ones."""

from __future__ import annotations

import json
from pathlib import Path
import shutil

import numpy as np


def damaged(kind: str, engine: Path, folder: Path) -> Path:
    """Return a copy of an engine that must not be run, or none at all."""
    copy = folder / "engine"
    if kind == "missing":
        return copy
    shutil.copytree(engine, copy)
    graph = copy / "encoder.onnx"
    if kind == "truncated":
        graph.write_bytes(graph.read_bytes()[:1000])
    elif kind == "graph missing":
        graph.unlink()
    elif kind == "manifest of another version":
        manifest = copy / "manifest.json"
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": "other"}))
    return copy


def scaled(engine: Path, folder: Path, factor: float) -> Path:
    """Return a copy with one layer multiplied, and a manifest that agrees."""
    import onnx
    from onnx import numpy_helper

    from zeroco_ros.engine.bundle import sha256

    copy = Path(shutil.copytree(engine, folder / "scaled"))
    path = copy / "matcher.onnx"
    model = onnx.load(path)
    layer = max(model.graph.initializer, key=lambda one: len(one.raw_data))
    values = numpy_helper.to_array(layer) * np.float32(factor)
    layer.CopyFrom(numpy_helper.from_array(values, layer.name))
    onnx.save(model, path)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"]["matcher.onnx"] = sha256(path.read_bytes())
    (copy / "manifest.json").write_text(json.dumps(manifest))
    return copy


def changed_weights(weights: str, path: Path, factor: float = 1.0) -> str:
    """Return the same network in another file, the decoder's queries multiplied."""
    import torch

    from zeroco_ros.croco.checkpoint import load_croco, save_croco

    loaded = load_croco(weights)
    with torch.no_grad():
        for name, value in loaded.model.named_parameters():
            if "cross_attn.projq.weight" in name:
                value.mul_(factor)
    save_croco(path, loaded.model, loaded.metadata)
    return str(path)


def large_weights(path: Path) -> str:
    """Return a random network of about 50 MB."""
    import torch

    from zeroco_ros.croco.checkpoint import save_croco
    from zeroco_ros.croco.config import CrocoConfig
    from zeroco_ros.croco.model import CroCo

    torch.manual_seed(0)
    sizes = {"enc_embed_dim": 512, "enc_depth": 3, "enc_num_heads": 2}
    sizes |= {"dec_embed_dim": 128, "dec_depth": 1, "dec_num_heads": 2}
    save_croco(path, CroCo(CrocoConfig(**sizes, pos_embed="rope100", prediction_head=False)))
    return str(path)
