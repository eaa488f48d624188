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
What TensorRT's ONNX parser takes: the operator table of onnx-tensorrt 10.1, docs/operators.md.

Only operators that our graphs use. Not TensorRT itself: a graph within these limits can still be
refused, one outside of them is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

OPERATORS = {
    "Abs",
    "Add",
    "And",
    "ArgMax",
    "Cast",
    "Clip",
    "Concat",
    "Constant",
    "Conv",
    "ConvTranspose",
    "Div",
    "Erf",
    "Exp",
    "Expand",
    "Floor",
    "Gather",
    "GatherElements",
    "GatherND",
    "Gelu",
    "Gemm",
    "Greater",
    "GreaterOrEqual",
    "GridSample",
    "Identity",
    "InstanceNormalization",
    "LayerNormalization",
    "Less",
    "LessOrEqual",
    "Log",
    "LogSoftmax",
    "MatMul",
    "Max",
    "Min",
    "Mod",
    "Mul",
    "Neg",
    "Not",
    "Or",
    "Pad",
    "Pow",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Resize",
    "ScatterND",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Softplus",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Sum",
    "Tanh",
    "TopK",
    "Transpose",
    "Unsqueeze",
    "Where",
}
# Of which input, and of how many, must be known when the graph is parsed.
CONSTANT = {
    **dict.fromkeys(("ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum"), 1),
    **dict.fromkeys(("Squeeze", "Unsqueeze"), 1),
    **dict.fromkeys(("Pad", "Slice"), 3),
}
# DOUBLE is taken as FLOAT with a warning, "limited support".
TYPES = {"FLOAT", "FLOAT16", "INT32", "INT64", "BOOL"}
RESIZE = {
    "mode": {b"nearest", b"linear"},
    "coordinate_transformation_mode": {
        b"half_pixel",
        b"pytorch_half_pixel",
        b"asymmetric",
        b"align_corners",
    },
    "antialias": {0},
    "keep_aspect_ratio_policy": {b"stretch"},
}


def outside(model: Any) -> Iterator[str]:
    """Every violation in a graph, in words."""
    import onnx

    model = onnx.shape_inference.infer_shapes(model, data_prop=True)
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    constants |= {out for node in graph.node if node.op_type == "Constant" for out in node.output}
    name = onnx.TensorProto.DataType.Name
    types = {tensor.name: name(tensor.data_type) for tensor in graph.initializer}
    ranks: dict[str, int] = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        types[value.name] = name(value.type.tensor_type.elem_type)
        ranks[value.name] = len(value.type.tensor_type.shape.dim)
    for tensor, kind in types.items():
        if kind not in TYPES:
            yield f"{tensor} is {kind}"
    for node in graph.node:
        yield from _node(node, constants, ranks)


def _node(node: Any, constants: set[str], ranks: dict[str, int]) -> Iterator[str]:
    import onnx

    where = f"{node.op_type} {node.name}"
    if node.op_type not in OPERATORS:
        yield f"{where}: no such operator"
    index = CONSTANT.get(node.op_type)
    if index is not None and len(node.input) > index and node.input[index] not in constants:
        yield f"{where}: its axes are no constant"
    if node.op_type == "LayerNormalization" and len(node.output) > 1:
        yield f"{where}: more than one output"
    if node.op_type == "GridSample" and ranks.get(node.input[0], 4) != 4:
        yield f"{where}: its input has {ranks[node.input[0]]} dimensions"
    if node.op_type == "Resize":
        for attribute in node.attribute:
            allowed = RESIZE.get(attribute.name)
            value = onnx.helper.get_attribute_value(attribute)
            if allowed is not None and value not in allowed:
                yield f"{where}: {attribute.name} {value!r}"
