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
`backend: auto` with TensorRT, by the stand-in of test/engine/tensorrt_stand_in.py.

The choice, the cache and the fallbacks are ours; nothing here says what TensorRT does.
"""

from __future__ import annotations

from pathlib import Path
import sys
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
import tensorrt_stand_in

from zeroco_ros.errors import BackendError
from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.network import NetworkOptions, open_flow, RunningFlow

CONFIG = FlowConfig(max_side=64, refine="none")


@pytest.fixture
def engine(tiny_engine: Path) -> Path:
    """Return the tiny backbone without a head, for images of 64x48."""
    return tiny_engine


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return a machine with the stand-in for TensorRT and GPU, and an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tensorrt_stand_in.install(monkeypatch)


def opened(engine: Path, tiny_weights: Path, **more: Any) -> RunningFlow:
    chosen = NetworkOptions(engine=engine, weights=tiny_weights, threads=1, **more)
    return open_flow(CONFIG, chosen)


def test_auto_is_tensorrt_once_it_is_built(faults: Any, engine: Path, tiny_weights: Path):
    found = opened(engine, tiny_weights)
    assert found.reason == "onnx: engine given, it is not built for TensorRT on this GPU"
    assert faults.built == 0
    with pytest.raises(BackendError, match=r"backend 'tensorrt': it is not built .*zeroco build"):
        opened(engine, tiny_weights, backend="tensorrt")
    found = opened(engine, tiny_weights, build=True)
    assert (found.backend, found.reason) == ("tensorrt", "tensorrt: engine given")
    built = faults.built
    assert built > 0
    again = opened(engine, tiny_weights)
    assert (again.backend, faults.built) == ("tensorrt", built)  # from the cache
    assert opened(engine, tiny_weights, device="cpu").backend == "onnx"


def test_a_build_that_computes_something_else_is_refused(
    faults: Any, engine: Path, tiny_weights: Path
):
    faults.scale = 1.5
    with pytest.raises(BackendError, match="is wrong in tensorrt on cuda"):
        opened(engine, tiny_weights, build=True, check=True)
    with pytest.raises(BackendError, match="was refused by the parity gate"):
        opened(engine, tiny_weights)  # that is kept, also where it is not asked again
    found = opened(engine, tiny_weights, check=True, fallback=True)
    assert (found.backend, found.reason) == ("onnx", "onnx: the engine is refused in tensorrt")
    assert found.parity is not None and "is wrong in tensorrt" in found.refused


def test_an_interrupted_build_is_no_reason_for_another_backend(
    faults: Any, engine: Path, tiny_weights: Path, tmp_path: Path
):
    def stop(line: str) -> None:
        assert line.startswith("building ")
        raise KeyboardInterrupt

    faults.step_seconds = 0.2  # time to say how far it is

    chosen = NetworkOptions(
        engine=engine, weights=tiny_weights, threads=1, build=True, fallback=True
    )
    with pytest.raises((KeyboardInterrupt, BackendError)) as caught:
        open_flow(CONFIG, chosen, progress=stop)
    assert caught.type.__name__ in ("KeyboardInterrupt", "BuildCancelled")
    assert not list((tmp_path / "cache").rglob("*.plan"))
