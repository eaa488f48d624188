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

"""Exported graphs stay within what TensorRT's ONNX parser is documented to take."""

from __future__ import annotations

from pathlib import Path
import sys

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from onnx_tensorrt_limits import outside

onnx = pytest.importorskip("onnx", reason="zeroco_ros[onnx] is not installed")


def test_every_graph_is_within_the_limits(tiny_engine: Path, half_engine: Path):
    """Of float32 without a head, and of half precision with one on the volume."""
    graphs = [*tiny_engine.glob("*.onnx"), *half_engine.glob("*.onnx")]
    assert len(graphs) >= 5
    for path in graphs:
        assert not list(outside(onnx.load(path))), path.name


def test_the_limits_are_seen():
    helper, kinds = onnx.helper, onnx.TensorProto
    inputs = [
        helper.make_tensor_value_info("x", kinds.FLOAT, (1, 2, 4, 4)),
        helper.make_tensor_value_info("axes", kinds.INT64, (1,)),
        helper.make_tensor_value_info("wide", kinds.DOUBLE, (1,)),
    ]
    nodes = [
        helper.make_node("ReduceSum", ["x", "axes"], ["a"], "sum"),
        helper.make_node("Det", ["x"], ["b"], "det"),
        helper.make_node("Resize", ["x", "", "scales"], ["c"], "resize", mode="cubic"),
        helper.make_node("LayerNormalization", ["x", "scale"], ["d", "mean"], "norm"),
    ]
    constants = [
        helper.make_tensor("scales", kinds.FLOAT, (4,), (1, 1, 2, 2)),
        helper.make_tensor("scale", kinds.FLOAT, (4,), (1, 1, 1, 1)),
    ]
    outputs = [helper.make_tensor_value_info("c", kinds.FLOAT, None)]
    graph = helper.make_graph(nodes, "wrong", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    assert list(outside(model)) == [
        "wide is DOUBLE",
        "ReduceSum sum: its axes are no constant",
        "Det det: no such operator",
        "Resize resize: mode b'cubic'",
        "LayerNormalization norm: more than one output",
    ]
