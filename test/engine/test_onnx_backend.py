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

"""An exported engine in ONNX Runtime: the same flow as PyTorch, and clear refusals."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
import shutil
import sys
from typing import Any

import numpy as np
import pytest
import torch

from zeroco_ros.engine.bundle import MANIFEST, Manifest, read_manifest, write_bundle
from zeroco_ros.errors import BackendError, ConfigError
from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.exported import export_engine
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.estimate.parity import check_engine

CONFIG = FlowConfig(max_side=64, refine="none")


def pictures(height: int = 48, width: int = 64) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    first = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
    return first, np.roll(first, 5, axis=1)


@pytest.fixture(scope="module")
def in_torch(tiny_weights: Path) -> FlowEstimator:
    config = dataclasses.replace(CONFIG, precision="fp32")
    return FlowEstimator(config, weights=tiny_weights, device="cpu")


def test_the_flow_is_that_of_torch(tiny_engine: Path, in_torch: FlowEstimator):
    engine = FlowEstimator.from_engine(tiny_engine, CONFIG, threads=1)
    assert engine.backend.name == "onnx" and engine.beta == in_torch.beta
    found, expected = (e.estimate(*pictures()) for e in (engine, in_torch))
    np.testing.assert_allclose(found.flow, expected.flow, atol=1e-3)
    np.testing.assert_allclose(found.confidence, expected.confidence, atol=1e-4)
    assert np.abs(expected.flow).max() > 1  # not two zero flows


def test_other_images_are_letterboxed(tiny_engine: Path):
    engine = FlowEstimator.from_engine(tiny_engine, CONFIG, threads=1)
    tall = FlowEstimator.from_backend(
        engine.backend, dataclasses.replace(engine.config), metadata={"matching": {"beta": 0.1}}
    ).estimate(*pictures(80, 40))
    assert tall.flow.shape == (80, 40, 2) and np.isfinite(tall.flow).all()


def test_padding_takes_no_part(tiny_engine: Path, tiny_weights: Path):
    """The volume of the valid tokens is that of PyTorch at the same letterbox."""
    engine = FlowEstimator.from_engine(tiny_engine, CONFIG, threads=1)
    fixed = dataclasses.replace(engine.config, precision="fp32")
    plain = FlowEstimator(fixed, weights=tiny_weights, device="cpu")
    found, expected = (e.estimate(*pictures(80, 40)) for e in (engine, plain))
    assert found.coarse.shape == expected.coarse.shape != (3, 4, 2)
    np.testing.assert_allclose(found.coarse, expected.coarse, atol=1e-4)


def test_what_an_engine_cannot_do(tiny_engine: Path):
    with pytest.raises(BackendError, match="exported without a flow head"):
        FlowEstimator.from_engine(tiny_engine, "default")
    with pytest.raises(ConfigError, match="register_fix True"):
        FlowEstimator.from_engine(tiny_engine, FlowConfig(register_fix=True))
    engine = FlowEstimator.from_engine(tiny_engine, CONFIG)
    with pytest.raises(ConfigError, match=r"input of \(32, 32\).*\(48, 64\)"):
        engine.backend.encode(torch.zeros(1, 3, 32, 32))
    with pytest.raises(ConfigError, match="provider 'npu': one of cpu, cuda, tensorrt"):
        FlowEstimator.from_engine(tiny_engine, CONFIG, provider="npu")


def test_a_provider_that_is_not_there(tiny_engine: Path):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    with pytest.raises(BackendError, match=r"no CUDAExecutionProvider .*CPUExecutionProvider"):
        FlowEstimator.from_engine(tiny_engine, CONFIG, provider="cuda")


def test_without_onnxruntime(tiny_engine: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(BackendError, match="pip install onnxruntime"):
        FlowEstimator.from_engine(tiny_engine, CONFIG)


@pytest.fixture
def copy(tiny_engine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_engine, tmp_path / "copy"))


def test_a_file_that_was_changed_is_not_run(copy: Path):
    content = bytearray((copy / "matcher.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (copy / "matcher.onnx").write_bytes(content)
    with pytest.raises(BackendError, match=r"matcher\.onnx is truncated or changed"):
        FlowEstimator.from_engine(copy, CONFIG)


def test_a_missing_file(copy: Path):
    (copy / "encoder.onnx").unlink()
    with pytest.raises(BackendError, match=r"encoder\.onnx: No such file"):
        FlowEstimator.from_engine(copy, CONFIG)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "other"}'])
def test_a_manifest_that_is_none(copy: Path, text: str):
    (copy / MANIFEST).write_text(text)
    with pytest.raises(BackendError, match="no manifest of an engine"):
        read_manifest(copy)


def test_a_manifest_cannot_name_files_elsewhere(copy: Path):
    values = json.loads((copy / MANIFEST).read_text())
    values["files"]["../secret"] = "0"
    with pytest.raises(ConfigError, match="outside"):
        Manifest.from_json(json.dumps(values))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"precision": "int4"}, "'int4'.*fp32, fp16, bf16, int8 only"),
        ({"config": {"flux": 1}}, "flux.*export it"),
    ],
)
def test_a_manifest_of_another_version_is_one_line(copy: Path, change: dict[str, Any], text: str):
    values = json.loads((copy / MANIFEST).read_text())
    (copy / MANIFEST).write_text(json.dumps(values | change))
    with pytest.raises(BackendError, match=text):
        check_engine(copy)


def test_a_former_engine_stays_until_the_new_one_is_there(
    copy: Path, monkeypatch: pytest.MonkeyPatch
):
    before = sorted((path.name, path.read_bytes()) for path in copy.iterdir())
    rename = Path.rename

    def failing(path: Path, target: Path) -> Path:
        if path.name.endswith(".partial"):
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(BackendError, match="No space left"):
        write_bundle(copy, read_manifest(copy), {"encoder.onnx": b"new"})
    assert sorted((path.name, path.read_bytes()) for path in copy.iterdir()) == before
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]
    monkeypatch.undo()
    write_bundle(copy, read_manifest(copy), {"encoder.onnx": b"new"})
    assert sorted(path.name for path in copy.iterdir()) == ["encoder.onnx", MANIFEST]
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_a_folder_that_is_no_engine(tmp_path: Path, tiny_weights: Path):
    with pytest.raises(BackendError, match="zeroco export"):
        FlowEstimator.from_engine(tmp_path, CONFIG)
    (tmp_path / "thesis.txt").write_text("do not delete")
    with pytest.raises(ConfigError, match="is no engine: give another folder"):
        export_engine(tmp_path, CONFIG, (48, 64), weights=tiny_weights)
    assert (tmp_path / "thesis.txt").read_text() == "do not delete"


def test_zeroco_flow_runs_an_engine(tiny_engine: Path, tmp_path: Path, capsys):
    from zeroco_ros.cli import main
    from zeroco_ros.media.images import write_image

    for name, image in zip(("a.png", "b.png"), pictures(), strict=True):
        write_image(tmp_path / name, image)
    files = [str(tmp_path / name) for name in ("a.png", "b.png")]
    options = ["--preset", "fast", "--engine", str(tiny_engine), "--threads", "1"]
    assert main(["flow", *files, "-o", str(tmp_path / "f.flo"), *options]) == 0
    assert f"engine {tiny_engine}" in capsys.readouterr().out
    assert (tmp_path / "f.flo").stat().st_size == 12 + 48 * 64 * 8


def test_a_wrong_image_size_is_told(capsys, tmp_path: Path):
    from zeroco_ros.cli import main

    assert main(["export", "-o", str(tmp_path / "e"), "--image", "640"]) == 2
    assert "WIDTHxHEIGHT" in capsys.readouterr().err
    assert not (tmp_path / "e").exists()
