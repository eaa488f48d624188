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
Every name of tensorrt that the engine room uses exists in the bindings from 10.3 to 11.x.

The source is read, not run: whatever is annotated `trt.X`, or made by `trt.X(...)`, is an X, and
every attribute of it must be in the table of X of every version.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path
import re
import sys

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tensorrt_stand_in import Faults, make_module

ENGINE = Path(__file__).resolve().parents[2] / "zeroco_ros" / "engine"
SOURCES = sorted(path for path in ENGINE.glob("*.py") if "tensorrt as trt" in path.read_text())
# Set by the Python part of the package, not by the bindings that the tables list.
OUTSIDE_THE_TABLES = ("__version__",)
# The name under which the bindings' C++ side calls back; in Python the class has num_errors.
CALLED_BACK = ("IErrorRecorder", "get_num_errors")
# Gone in 11, gone already in 10, or never in all of them.
FORBIDDEN = {
    "FP16",
    "BF16",
    "INT8",
    "FP8",
    "OBEY_PRECISION_CONSTRAINTS",
    "EXPLICIT_BATCH",
    "execute_async_v2",
    "num_bindings",
    "get_binding_index",
    "platform_has_fast_fp16",
    "set_output_type",
    "device_memory_size",
    "max_workspace_size",
    "build_engine_with_config",
    "int8_calibrator",
}
# What the reading must find; it shall not pass because it found nothing.
EXPECTED = {
    ("Builder", "build_serialized_network"),
    ("Builder", "create_network"),
    ("Builder", "error_recorder"),
    ("BuilderFlag", "TF32"),
    ("IBuilderConfig", "builder_optimization_level"),
    ("IBuilderConfig", "clear_flag"),
    ("IBuilderConfig", "create_timing_cache"),
    ("IBuilderConfig", "progress_monitor"),
    ("IBuilderConfig", "profiling_verbosity"),
    ("IBuilderConfig", "set_memory_pool_limit"),
    ("IBuilderConfig", "set_timing_cache"),
    ("EngineInspector", "get_engine_information"),
    ("ICudaEngine", "create_engine_inspector"),
    ("ICudaEngine", "create_execution_context"),
    ("ICudaEngine", "device_memory_size_v2"),
    ("ICudaEngine", "get_tensor_mode"),
    ("ICudaEngine", "get_tensor_shape"),
    ("ICudaEngine", "num_io_tensors"),
    ("IExecutionContext", "execute_async_v3"),
    ("IExecutionContext", "set_tensor_address"),
    ("ILogger", "WARNING"),
    ("IErrorRecorder", "report_error"),
    ("IProgressMonitor", "__init__"),
    ("IProgressMonitor", "phase_start"),
    ("IProgressMonitor", "step_complete"),
    ("ITimingCache", "serialize"),
    ("NetworkDefinitionCreationFlag", "STRONGLY_TYPED"),
    ("OnnxParser", "get_error"),
    ("OnnxParser", "num_errors"),
    ("OnnxParser", "parse"),
    ("ParserError", "desc"),
    ("Runtime", "deserialize_cuda_engine"),
}


def _class_of(node: ast.expr | None) -> str | None:
    """X of an annotation `trt.X` or `trt.X | None`."""
    if isinstance(node, ast.BinOp):
        return _class_of(node.left) or _class_of(node.right)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.attr if node.value.id == "trt" else None
    return None


class _Reader(ast.NodeVisitor):
    """Collects (class, attribute) of tensorrt's objects, and results whose class is not said."""

    def __init__(self, methods: dict[str, str]) -> None:
        self.used: set[tuple[str, str]] = set()
        self.untyped: list[str] = []
        self._methods = methods  # our own functions that return an object of tensorrt
        self._known: list[dict[str, str]] = [{}]

    def _type(self, node: ast.expr) -> str | None:
        if isinstance(node, ast.Name):
            return next((s[node.id] for s in reversed(self._known) if node.id in s), None)
        if isinstance(node, ast.Attribute):
            found = next((s for s in reversed(self._known) if ast.unparse(node) in s), None)
            return found[ast.unparse(node)] if found else _class_of(node)
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).removeprefix("self.").rpartition(".")[2]
            return _class_of(node.func) or self._methods.get(name)
        return None

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        kinds = [kind for kind in map(_class_of, node.bases) if kind]
        for kind in kinds:
            methods = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
            self.used |= {(kind, name) for name in methods} - {CALLED_BACK}
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        inside = {}
        for argument in (*node.args.args, *node.args.kwonlyargs):
            kind = _class_of(argument.annotation)
            if kind:
                inside[argument.arg] = kind
        self._known.append(inside)
        self.generic_visit(node)
        self._known.pop()

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        kind = _class_of(node.annotation)
        if kind:
            scope = self._known[0] if isinstance(node.target, ast.Attribute) else self._known[-1]
            scope[ast.unparse(node.target)] = kind
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        kind = self._type(node.value)
        for target in node.targets:
            if kind and isinstance(target, ast.Name):
                self._known[-1][target.id] = kind
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            owner = self._type(call.func.value)
            if owner and not kind:
                self.untyped.append(ast.unparse(node))
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        base = node.value
        if isinstance(base, ast.Name) and base.id == "trt":
            self.used.add((node.attr, "class"))
        elif (
            isinstance(base, ast.Call)
            and isinstance(base.func, ast.Attribute)
            and self._type(base.func.value)
        ):
            self.untyped.append(ast.unparse(node))
        kind = self._type(base)
        if kind:
            self.used.add((kind, node.attr))
        self.generic_visit(node)


def _methods() -> dict[str, str]:
    """Our functions that return an object of tensorrt, by name."""
    found = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                kind = _class_of(node.returns)
                if kind:
                    found[node.name] = kind
    return found


def _read(code: str, methods: dict[str, str]) -> _Reader:
    reader = _Reader(methods)
    reader.visit(ast.parse(code))
    return reader


@pytest.fixture(scope="module")
def used() -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    methods = _methods()
    for path in SOURCES:
        reader = _read(path.read_text(), methods)
        assert not reader.untyped, f"{path.name}: say the class of these: {reader.untyped}"
        found |= reader.used
    return found


def test_the_reading_finds_what_is_used(used: set[tuple[str, str]]):
    assert [path.stem for path in SOURCES] == [
        "build_progress",
        "tensorrt_builder",
        "tensorrt_library",
        "tensorrt_runner",
    ]
    assert used >= EXPECTED
    assert {name for name, what in used if what == "class"} >= {"Builder", "Runtime", "DataType"}


def test_every_name_is_in_every_version(used: set[tuple[str, str]], shared: Path):
    tables = json.loads((shared / "golden" / "tensorrt_api_names.json").read_text())
    assert len(tables) == 5
    for version, classes in tables.items():
        for kind, attribute in sorted(used):
            assert kind in classes, f"TensorRT {version} has no {kind}"
            if attribute != "class":
                assert attribute in classes[kind], f"TensorRT {version}: {kind}.{attribute}"


def test_the_module_itself_is_asked_for_its_version_only():
    code = (ENGINE / "tensorrt_library.py").read_text()
    assert re.findall(r"_module\(\)\.(\w+)", code) == list(OUTSIDE_THE_TABLES)


def test_no_name_of_one_version_only():
    for path in ENGINE.glob("*.py"):
        words = set(re.findall(r"\w+", path.read_text()))
        assert not words & FORBIDDEN, path.name


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("def f(builder: trt.Builder):\n    builder.max_batch_size = 1", "max_batch_size"),
        ("builder = trt.Builder(log)\nbuilder.build_cuda_engine(n, c)", "build_cuda_engine"),
        ("self._c: trt.IExecutionContext = x\nself._c.execute_async_v2(s)", "execute_async_v2"),
    ],
)
def test_the_reading_sees_a_wrong_name(code: str, found: str):
    assert found in {attribute for _kind, attribute in _read(code, {}).used}


def test_the_reading_wants_to_know_what_a_call_returns():
    code = "builder = trt.Builder(log)\nnetwork = builder.create_network(2)"
    assert _read(code, {}).untyped == ["network = builder.create_network(2)"]
    assert _read("builder = trt.Builder(log)\nbuilder.create_network(2).name", {}).untyped


def test_the_stand_in_offers_only_names_of_every_version(shared: Path):
    tables = json.loads((shared / "golden" / "tensorrt_api_names.json").read_text())
    module = make_module(Faults())
    classes = {name: value for name, value in vars(module).items() if isinstance(value, type)}
    assert len(classes) > 15
    for version, table in tables.items():
        for kind, value in classes.items():
            offered = {name for name in vars(value) if not name.startswith("_")}
            missing = offered - set(table[kind])
            assert not missing, f"TensorRT {version}: {kind} has no {missing}"
