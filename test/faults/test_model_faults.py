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

"""FAULTS rows 17, 18 and 24: model files that are not what they should be, and no GPU."""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
from pathlib import Path
import pickle
from types import SimpleNamespace
from typing import Any
import zipfile

import node_process
import node_scenes as scenes
import pytest
import ros_harness

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")
from diagnostic_msgs.msg import DiagnosticArray
from refusals import refusal


@pytest.fixture(scope="module", params=scenes.SUBJECTS.values(), ids=scenes.SUBJECTS)
def idle_node(request: pytest.FixtureRequest, weights: str) -> Iterator[SimpleNamespace]:
    """
    One unconfigured node without a GPU, asked to configure with one bad model after another.

    In the end it configures with a good one: nothing that was tried has harmed it.
    """
    subject, probe = request.param, ros_harness.Probe("models")
    values = scenes.parameters(weights, subject, autostart=False, backend="torch")
    with node_process.running(
        subject.module, values, environment={"CUDA_VISIBLE_DEVICES": ""}
    ) as node:
        diagnostics = probe.collect(DiagnosticArray, "/diagnostics")
        yield SimpleNamespace(subject=subject, node=node, probe=probe, diagnostics=diagnostics)
        for name, value in (("weights", weights), ("device", "cpu")):
            assert scenes.set_parameter(probe, name, value, subject.path).successful
        assert scenes.transition(probe, "configure", subject.path), node.log
        assert scenes.transition(probe, "activate", subject.path)
        assert node.stop() == 0
        assert "Traceback" not in node.log
    probe.close()


def other_network(path: Path) -> None:
    """Write a small torch model that has nothing to do with CroCo."""
    import torch

    torch.save({"model": torch.nn.Linear(3, 3).state_dict()}, path)


def without_a_layer(path: Path, weights: str) -> None:
    """Our file with one tensor missing."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(weights, "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        del tensors["enc_blocks.0.attn.qkv.weight"]
        save_file(tensors, path, file.metadata())


def plain_state(path: Path) -> None:
    """Write what another program saves with safetensors, without our description."""
    from safetensors.torch import save_file
    import torch

    save_file({"layer.weight": torch.zeros(3)}, path)


def damaged_file(kind: str, path: Path, weights: str) -> Path:
    """Return a file (or none) that must not become a model."""
    whole = Path(weights).read_bytes()
    if kind == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("no model")
    elif kind == "folder":
        path.mkdir()
    elif kind == "truncated pickle":
        other_network(path)
        path.write_bytes(path.read_bytes()[:600])
    elif kind == "other network":
        other_network(path)
    elif kind == "missing tensor":
        without_a_layer(path, weights)
    elif kind == "other program":
        plain_state(path)
    return path


@pytest.mark.fault(17, "FAILURE that names the path and what is wrong")
@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("missing", "does not exist"),
        ("folder", "is a folder"),
        ("empty", "empty"),
        ("text", "not a model file"),
        ("truncated", "truncated"),
        ("truncated pickle", "damaged"),
        ("other network", "patch_embed.proj.weight"),
        ("missing tensor", "enc_blocks.0.attn.qkv.weight"),
        ("other program", ""),
    ],
)
def test_row_17_a_bad_model_file_is_refused_with_its_path(
    idle_node: SimpleNamespace, weights: str, tmp_path: Path, kind: str, told: str
) -> None:
    path = damaged_file(kind, tmp_path / "model.file", weights)
    reason = refusal(idle_node, weights=str(path))
    assert str(path) in reason
    assert told in reason


class Payload:
    """Pickles to a call that creates a file when it is loaded carelessly."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.target,))


def careless_pickle(path: Path, target: Path) -> None:
    path.write_bytes(pickle.dumps({"model": Payload(target)}, protocol=2))


def careless_archive(path: Path, target: Path) -> None:
    import torch

    torch.save({"model": {"enc": torch.zeros(1)}, "args": Payload(target)}, path)
    assert zipfile.is_zipfile(path)


def careless_string(path: Path, target: Path) -> None:
    """Keep the model's constructor as text, made to be evaluated, as the official layouts do."""
    import argparse

    import torch

    text = f"CroCoNet(enc_depth=__import__('pathlib').Path({str(target)!r}).touch())"
    state = {"patch_embed.proj.weight": torch.zeros(1)}
    torch.save({"model": state, "args": argparse.Namespace(model=text)}, path)


@pytest.mark.fault(18, "nothing in the file is executed; FAILURE")
@pytest.mark.parametrize("write", [careless_pickle, careless_archive, careless_string])
def test_row_18_nothing_in_a_model_file_is_executed(
    idle_node: SimpleNamespace, tmp_path: Path, write: Any
) -> None:
    path, target = tmp_path / "payload.pth", tmp_path / "owned"
    write(path, target)
    reason = refusal(idle_node, weights=str(path))
    assert str(path) in reason
    assert not target.exists()
    if write is not careless_string:  # the payload is real
        import torch

        with contextlib.suppress(Exception):
            torch.load(path, weights_only=False)
        assert target.exists()


@pytest.mark.fault(24, "no GPU: FAILURE in one sentence")
def test_row_24_no_gpu_is_a_clear_sentence(idle_node: SimpleNamespace, weights: str) -> None:
    reason = refusal(idle_node, weights=weights, device="cuda")
    assert "device 'cuda' is not available" in reason
    assert "use device 'cpu'" in reason
