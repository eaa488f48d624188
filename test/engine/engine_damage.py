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

"""Damage to an engine that its files' hashes do not show."""

from __future__ import annotations

from collections.abc import Callable
import hashlib
import json
from pathlib import Path
import shutil

import numpy as np
import onnx
from onnx import numpy_helper

from zeroco_ros.engine.bundle import MANIFEST


def damaged(engine: Path, folder: Path, graph: str, damage: Callable) -> Path:
    """Return a copy whose graph was changed and whose manifest says that this is right."""
    copy = Path(shutil.copytree(engine, folder / "damaged"))
    model = onnx.load(copy / graph)  # weights beside it are read too
    damage(model.graph)
    (copy / f"{graph}.data").unlink(missing_ok=True)
    onnx.save(model, copy / graph)
    values = json.loads((copy / MANIFEST).read_text())
    values["files"].pop(f"{graph}.data", None)
    values["files"][graph] = hashlib.sha256((copy / graph).read_bytes()).hexdigest()
    (copy / MANIFEST).write_text(json.dumps(values))
    return copy


def largest(graph):
    """Return weight matrix with the most elements, as an array and a function that stores it."""
    tensor = max(graph.initializer, key=lambda t: int(np.prod(t.dims)) if len(t.dims) == 2 else 0)

    def store(values):
        found = numpy_helper.from_array(values.astype(before.dtype), tensor.name)
        tensor.CopyFrom(found)

    before = numpy_helper.to_array(tensor)
    return before.copy(), store


def change_one_weight(graph) -> None:
    values, store = largest(graph)
    values[3, 5] += 0.5
    store(values)


def scale_one_layer(graph) -> None:
    values, store = largest(graph)
    store(values * 1.02)


def make_one_weight_infinite(graph) -> None:
    values, store = largest(graph)
    values[0, 0] = np.inf
    store(values)
