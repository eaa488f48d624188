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

"""`zeroco build`: from weights or an engine to plans that were checked; TensorRT is a stand-in."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
import shutil
import sys
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tensorrt_stand_in import Faults, install

from zeroco_ros.cli import main
from zeroco_ros.engine.bundle import MANIFEST, read_manifest
from zeroco_ros.engine.cache import PlanCache
from zeroco_ros.engine.resolutions import image_size, RESOLUTIONS
from zeroco_ros.engine.tensorrt_backend import EngineRefused, open_tensorrt
from zeroco_ros.errors import ConfigError
from zeroco_ros.estimate import exported


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    return install(monkeypatch)


@pytest.fixture
def options(tiny_weights: Path, tmp_path: Path) -> list[str]:
    return ["--weights", str(tiny_weights), "--cache", str(tmp_path / "cache")]


def test_an_engine_is_built_and_checked(
    faults: Faults, tiny_engine: Path, options: list[str], capsys: pytest.CaptureFixture[str]
):
    assert main(["build", str(tiny_engine), *options]) == 0
    told = capsys.readouterr()
    assert "encoder " in told.out and "built in" in told.out
    assert "\npassed\n" in told.out and "zeroco flow" in told.out
    assert "building encoder (1 of " in told.err
    assert main(["build", str(tiny_engine), *options]) == 0
    assert "from the cache" in capsys.readouterr().out


def test_what_became_of_the_layers(
    faults: Faults, tiny_engine: Path, options: list[str], tmp_path: Path
):
    folder = tmp_path / "layers"
    command = ["build", str(tiny_engine), *options, "--verbosity", "detailed"]
    assert main([*command, "--layers", str(folder), "--no-check"]) == 2
    assert main([*command, "--layers", str(folder)]) == 0
    assert "images" in (folder / "encoder.layers.json").read_text()


def test_a_wrong_engine_is_refused(
    faults: Faults, tiny_engine: Path, options: list[str], capsys: pytest.CaptureFixture[str]
):
    faults.scale = 1.02
    assert main(["build", str(tiny_engine), *options]) == 1
    told = capsys.readouterr().out
    assert "WRONG " in told and "are not run from now on" in told
    with pytest.raises(EngineRefused):
        open_tensorrt(tiny_engine, cache=options[-1])
    faults.scale = 1.0
    assert main(["build", str(tiny_engine), *options, "--force"]) == 0
    assert open_tensorrt(tiny_engine, cache=options[-1]).verdict.passed


def test_without_a_cache_it_is_built_and_checked_all_the_same(
    faults: Faults, tiny_engine: Path, options: list[str], capsys: pytest.CaptureFixture[str]
):
    Path(options[-1]).write_text("in the way")
    assert main(["build", str(tiny_engine), *options]) == 0
    told = capsys.readouterr()
    assert "in memory only" in told.out and "\npassed\n" in told.out
    assert "warning: cache" in told.err and "--cache, ZEROCO_CACHE" in told.err


def test_from_weights_to_plans_in_one_step(
    faults: Faults,
    tiny_engine: Path,
    tmp_path: Path,
    options: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    """The export itself is a copy here: its own tests run it."""
    call = inspect.signature(exported.export_engine)

    def copy(*given: Any, **named: Any) -> None:
        asked = call.bind(*given, **named).arguments
        folder = Path(shutil.copytree(tiny_engine, asked["folder"], dirs_exist_ok=True))
        manifest = dataclasses.replace(
            read_manifest(folder),
            config=dataclasses.asdict(asked["config"]),
            image=asked["image"],
            precision=asked["precision"],
        )
        (folder / MANIFEST).write_text(manifest.to_json())

    monkeypatch.setattr(exported, "export_engine", copy)
    monkeypatch.setitem(RESOLUTIONS, "tiny", (64, 48))
    command = ["build", "--image", "tiny", "--preset", "fast", *options]
    assert main([*command, "--no-check"]) == 0
    told = capsys.readouterr().out
    folder = tmp_path / "cache" / "engines" / "tiny-64x48-fast-fp16"
    assert f"{folder}: exported for images of 64x48, fp16\n" in told
    assert len(PlanCache(tmp_path / "cache").records()) == faults.built == told.count("built in")
    assert main([*command, "--no-check"]) == 0
    assert f"{folder}: was exported before\n" in capsys.readouterr().out
    for other in (["--force"], ["--preset", "paper", "--out", str(folder)]):
        assert main([*command, "--no-check", *other]) == 0
        assert "exported for images of 64x48" in capsys.readouterr().out


def test_the_cache_is_listed(
    faults: Faults, tiny_engine: Path, options: list[str], capsys: pytest.CaptureFixture[str]
):
    cache = options[-2:]
    assert main(["build", "--list", *cache]) == 0
    assert capsys.readouterr().out.endswith(": 0 plans\n")
    main(["build", str(tiny_engine), *options, "--no-check"])
    plan = next(Path(cache[1]).rglob("encoder-*.plan"))
    plan.write_bytes(plan.read_bytes()[:-1])
    capsys.readouterr()
    sys.modules["tensorrt"] = None  # listing needs none
    assert main(["build", "--list", *cache]) == 0
    told = capsys.readouterr().out
    assert "TensorRT 10.3.0  stand-in GPU (8.7)" in told and "workspace_mb=1024" in told
    assert "UNUSABLE: encoder-" in told and told.count("UNUSABLE") == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "what to build"),
        (["engine", "--image", "vga"], "either a FOLDER or --image"),
        (["engine", "--precision", "fp16"], "--precision is for a new engine"),
        (["--image", "vga", "--precision", "int8"], "fp32 or fp16"),
        (["missing"], "zeroco export"),
        (["missing", "--workspace", "1"], "16 to 65536"),
        (["--image", "qqvga"], "vga (640x480)"),
        (["--image", "vga", "--preset", "best"], "best"),
    ],
)
def test_wrong_options_are_one_line(
    faults: Faults, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments, text: str
):
    assert main(["build", *arguments, "--cache", str(tmp_path)]) == 2
    told = capsys.readouterr()
    assert text in told.err and told.err.count("\n") == 1 and not told.out


def test_without_tensorrt_it_is_one_sentence(
    tiny_engine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert main(["build", str(tiny_engine)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("zeroco build: tensorrt cannot be imported") and told.count("\n") == 1


def test_without_a_gpu_it_is_one_sentence(
    tiny_engine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    import torch

    from zeroco_ros.engine import device

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    real = device.open_device
    install(monkeypatch)
    monkeypatch.setattr(device, "open_device", real)
    assert main(["build", "--image", "vga"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("zeroco build: TensorRT needs a CUDA GPU") and told.count("\n") == 1


def test_resolutions():
    assert image_size("640x480") == image_size(" VGA ") == (640, 480)
    assert image_size("1280X720") == image_size("720p") == (1280, 720)
    for text in ("640", "x480", "6x4", "10x640", "640x480x3", "uhd"):
        with pytest.raises(ConfigError, match=r"vga \(640x480\)"):
            image_size(text)
