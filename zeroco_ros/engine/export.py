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
From a network to ONNX graphs at a fixed resolution, checked before they are written.

Positions and rotary tables become constants; sizes are fixed; there are no Range, If or Loop nodes
for a TensorRT parser to stumble over.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import logging
from pathlib import Path
import tempfile
from typing import Any
import warnings

import torch
from torch import Tensor

from zeroco_ros.engine.graphs import Graph
from zeroco_ros.errors import BackendError

OPSET = 18
ONE_FILE = 1_900_000_000  # bytes of weights; a protobuf file ends at 2 GiB
FORBIDDEN = frozenset({"If", "Loop", "Scan", "Range", "Tile"})
MISSING = (
    "{name} cannot be imported: it is needed to export; install it with "
    "'python3 -m pip install \"zeroco_ros[onnx]\"'"
)


@dataclass(frozen=True)
class Exported:
    """
    A graph's files.

    files: NAME.onnx, and NAME.onnx.data with its weights where they are too many for one file;
    difference: largest absolute difference to PyTorch, relative to the largest value of that
    output, over all outputs, as ONNX Runtime computes it on the CPU.
    """

    files: dict[str, bytes]
    difference: float


def export_graph(name: str, graph: Graph) -> Exported:
    """
    Export one graph, check it with onnx.checker and run it once in ONNX Runtime.

    Raises BackendError where a library is missing or the graph is not what was asked for.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise BackendError(MISSING.format(name=error.name)) from None
    module = graph.module.eval()
    with _quiet():
        program = torch.onnx.export(
            module,
            graph.example,
            dynamo=True,
            opset_version=OPSET,
            input_names=list(graph.signature.inputs),
            output_names=list(graph.signature.outputs),
            external_data=False,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _forget_origin(model)
    _narrow_tables(model)
    found = FORBIDDEN & {node.op_type for node in model.graph.node}
    if found:
        raise BackendError(f"{name}: the exported graph has {', '.join(sorted(found))} nodes")
    with tempfile.TemporaryDirectory(prefix="zeroco_export_") as folder:
        path = _save(model, Path(folder), f"{name}.onnx")
        content = {file.name: file.read_bytes() for file in sorted(Path(folder).iterdir())}
        return Exported(content, difference(path, graph))


def _forget_origin(model: Any) -> None:
    """Drop the exporter's notes: stack traces with paths of this machine, half of a small file."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output):
        del part.metadata_props[:]
    for value in graph.initializer:
        del value.metadata_props[:]
    for node in graph.node:
        node.ClearField("doc_string")


def _narrow_tables(model: Any) -> None:
    """
    Store float64 tables, of positions, as the float32 that the graph casts them to.

    TensorRT's parser has no float64.
    """
    from onnx import numpy_helper, TensorProto

    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.DOUBLE:
            values = numpy_helper.to_array(tensor).astype("float32")
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    for value in model.graph.value_info:
        if value.type.tensor_type.elem_type == TensorProto.DOUBLE:
            value.type.tensor_type.elem_type = TensorProto.FLOAT


def _save(model: Any, folder: Path, name: str) -> Path:
    """Write a model, its weights beside it if need be, and check what was written."""
    import onnx

    weights = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    if weights > ONE_FILE:
        onnx.external_data_helper.convert_model_to_external_data(model, location=f"{name}.data")
    path = folder / name
    onnx.save_model(model, path)
    onnx.checker.check_model(path, full_check=True)
    return path


def difference(model: bytes | Path, graph: Graph) -> float:
    """How far ONNX Runtime is from PyTorch on the graph's example; see `Exported`."""
    from zeroco_ros.engine.onnx_backend import open_session

    session = open_session(model, "cpu", threads=None)
    feed = {
        name: value.numpy()
        for name, value in zip(graph.signature.inputs, graph.example, strict=True)
    }
    with torch.inference_mode():
        expected = graph.module(*graph.example)
    wanted = (expected,) if isinstance(expected, Tensor) else expected
    worst = 0.0
    for value, reference in zip(session.run(None, feed), wanted, strict=True):
        gap = (torch.from_numpy(value) - reference).abs().max()
        worst = max(worst, float(gap / reference.abs().max().clamp(min=1e-6)))
    return worst


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's notes about libraries that play no part here."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(before)
