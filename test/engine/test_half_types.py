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

"""Half precision is typed in the exported graph, and float32 stays where it has to be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
import shutil
from typing import Any

import pytest

from zeroco_ros.engine.bundle import read_manifest
from zeroco_ros.errors import BackendError
from zeroco_ros.estimate.parity import check_engine

onnx = pytest.importorskip("onnx", reason="zeroco_ros[onnx] is not installed")
FLOAT, HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
pytestmark = pytest.mark.timeout(1500)  # the first test waits for an export
GRAPHS = ("encoder", "matcher", "volume_head", "volume_head_features")


class Types:
    """A graph's nodes with the types of what goes in and comes out."""

    def __init__(self, folder: Path, name: str) -> None:
        self.model = onnx.load(folder / f"{name}.onnx")
        self.graph = onnx.shape_inference.infer_shapes(self.model, strict_mode=True).graph
        values = [*self.graph.value_info, *self.graph.input, *self.graph.output]
        self.types = {value.name: value.type.tensor_type.elem_type for value in values}
        self.weights = {value.name: value for value in self.graph.initializer}
        self.types |= {name: value.data_type for name, value in self.weights.items()}
        self.makers = {name: node for node in self.graph.node for name in node.output}

    def of(self, *operators: str) -> list[Any]:
        return [node for node in self.graph.node if node.op_type in operators]

    def inputs(self, node: Any) -> set[int]:
        return {self.types[name] for name in node.input if name}

    def behind(self, name: str, *passed: str) -> Any:
        """Return the node that makes a value, looking through the operators that pass it on."""
        node = self.makers.get(name)
        while node is not None and node.op_type in passed:
            node = self.makers.get(node.input[0])
        return node


@pytest.fixture(scope="module")
def graphs(half_engine: Path) -> dict[str, Types]:
    return {name: Types(half_engine, name) for name in GRAPHS}


@pytest.mark.parametrize("name", GRAPHS)
def test_both_ends_are_float32(graphs: dict[str, Types], name: str):
    graph = graphs[name].graph
    for value in (*graph.input, *graph.output):
        assert value.type.tensor_type.elem_type == FLOAT, value.name


@pytest.mark.parametrize("name", GRAPHS)
def test_layers_have_half_weights(graphs: dict[str, Types], name: str):
    types = graphs[name]
    layers = [
        node
        for node in types.of("MatMul", "Gemm", "Conv")
        if any(part in types.weights for part in node.input)
    ]
    assert layers
    for node in layers:
        assert types.inputs(node) == {HALF}, node.name


@pytest.mark.parametrize("name", GRAPHS)
def test_normalization_and_softmax_are_float32(graphs: dict[str, Types], name: str):
    found = graphs[name].of(
        "LayerNormalization",
        "GroupNormalization",
        "InstanceNormalization",
        "Softmax",
        "LogSoftmax",
    )
    assert found or name == "volume_head_features"
    for node in found:
        assert graphs[name].inputs(node) == {FLOAT}, node.name


def test_volumes_and_read_out_are_float32(graphs: dict[str, Types]):
    types = graphs["matcher"]
    outputs = {value.name for value in types.graph.output}
    exact = ("Exp", "ReduceMax", "ReduceSum", "ArgMax", "Where", "ReduceMin")
    assert len(types.of("Exp")) == 2  # one per direction
    for node in types.of(*exact):
        assert types.inputs(node) <= {FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.BOOL}
    for volume in ("ahead", "back"):
        assert volume in outputs
        product = types.behind(volume, "Div", "Add", "Concat", "Slice", "Mul", "Identity")
        assert product.op_type == "MatMul" and types.inputs(product) == {FLOAT}


@pytest.mark.parametrize("name", ["encoder", "matcher", "volume_head"])
def test_queries_are_scaled_before_the_product(graphs: dict[str, Types], name: str):
    """Attention is fused by TensorRT only then; and half-precision logits stay small."""
    types = graphs[name]
    moves = ("Transpose", "Cast", "Add", "Reshape", "Identity")
    found = 0
    for softmax in types.of("Softmax"):
        product = types.behind(softmax.input[0], *moves)
        if product is None or product.op_type != "MatMul" or types.inputs(product) != {HALF}:
            continue  # a read-out, not an attention
        scale = types.behind(product.input[0], "Transpose", "Reshape", "Cast")
        assert scale.op_type == "Mul"
        factor = [types.weights[part] for part in scale.input if part in types.weights]
        assert [onnx.numpy_helper.to_array(value).size for value in factor] == [1]
        found += 1
    others = {"encoder": 0, "matcher": 0, "volume_head": len(types.of("Softmax")) - 1}[name]
    assert found == len(types.of("Softmax")) - others > 0


def test_a_half_engine_is_right(
    half_engine: Path, tiny_weights: Path, tiny_head: Callable[[str], Path]
):
    parity = check_engine(half_engine, weights=tiny_weights, head=tiny_head("super_resolution"))
    # A token of this network is 80 pixels wide: its flow is held against a thousandth of that.
    assert not [fault for fault in parity.faults if "flow_median" not in fault]
    for pair in parity.pairs:
        assert pair.flow_median < 0.1
        assert pair.volume_rms > 2e-5  # not computed in float32


def test_weights_beside_a_graph_are_hashed(half_engine: Path, tmp_path: Path, tiny_weights: Path):
    files = read_manifest(half_engine).files
    assert {f"{name}.onnx{end}" for name in GRAPHS for end in ("", ".data")} == set(files)
    assert (half_engine / "matcher.onnx").stat().st_size < 150_000
    assert b".py" not in (half_engine / "matcher.onnx").read_bytes()  # no paths of this machine
    copy = Path(shutil.copytree(half_engine, tmp_path / "copy"))
    content = bytearray((copy / "matcher.onnx.data").read_bytes())
    content[len(content) // 2] ^= 1
    (copy / "matcher.onnx.data").write_bytes(content)
    with pytest.raises(BackendError, match=r"matcher\.onnx\.data is truncated or changed"):
        check_engine(copy, weights=tiny_weights)
