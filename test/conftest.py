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

"""Fixtures for every room: a tiny network; where the shared reference numbers and images are."""

from __future__ import annotations

from collections.abc import Callable
import os
from pathlib import Path
import signal
from typing import Any, ClassVar

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("ZEROCO_SHARED", ROOT.parent / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder with golden/ and data/; a user's clone does not have it."""
    if not SHARED.is_dir():
        pytest.skip(f"reference data is not beside this checkout ({SHARED})")
    return SHARED


@pytest.fixture(scope="session")
def shared_data(shared: Path) -> Path:
    """Real images with ground truth (shared/data)."""
    return shared / "data"


@pytest.fixture(scope="session")
def reference(shared: Path) -> Path:
    """Folder of reference arrays and tiny checkpoints (shared/golden/reference)."""
    return shared / "golden" / "reference"


class ReferenceArrays(dict[str, np.ndarray]):
    """The arrays of one reference file; notes which of them a test has looked at."""

    used: ClassVar[set[tuple[str, str]]] = set()

    def __init__(self, stem: str, path: Path) -> None:
        self.stem = stem
        with np.load(path) as arrays:
            super().__init__({key: arrays[key] for key in arrays.files})

    def __getitem__(self, key: str) -> np.ndarray:
        self.used.add((self.stem, key))
        return super().__getitem__(key)


@pytest.fixture(scope="session")
def golden(reference: Path) -> Callable[[str], ReferenceArrays]:
    """Return what loads one reference file, as `load("zeroco_v2_224")["enc_target"]`."""
    return lambda stem: ReferenceArrays(stem, reference / f"{stem}.npz")


@pytest.fixture(scope="session")
def used_reference_arrays() -> set[tuple[str, str]]:
    """(stem, key) of every reference array that a test of this run has looked at so far."""
    return ReferenceArrays.used


def _tiny_network() -> Any:
    import torch

    from zeroco_ros.croco.config import CrocoConfig
    from zeroco_ros.croco.model import CroCo

    config = CrocoConfig(
        enc_embed_dim=32,
        enc_depth=1,
        enc_num_heads=2,
        dec_embed_dim=32,
        dec_depth=2,
        dec_num_heads=2,
        pos_embed="rope100",
        prediction_head=False,
    )
    torch.manual_seed(0)
    return CroCo(config)


@pytest.fixture(scope="module")
def tiny_network() -> Any:
    """
    Return a random CroCo that runs in milliseconds.

    For the way through the house, not the flow.
    """
    return _tiny_network()


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return tiny network in a file of our own format; refinement finds small motion even so."""
    from zeroco_ros.croco.checkpoint import save_croco

    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_croco(path, _tiny_network(), {"matching": {"beta": 0.1, "register_fix": False}})
    return path


@pytest.fixture(scope="session")
def tiny_engine(tmp_path_factory: pytest.TempPathFactory, tiny_weights: Path) -> Path:
    """Return the tiny backbone without a head as an engine in float32, for images of 64x48."""
    return _export(tmp_path_factory, tiny_weights, (48, 64), max_side=64)


@pytest.fixture(scope="session")
def engines(request: pytest.FixtureRequest) -> dict[str, Path]:
    """
    With --backend onnx: the engine of each model file that nodes and commands are given.

    Empty with torch. Both have the shipped flow head.
    """
    if request.config.getoption("--backend") == "torch":
        return {}
    factory, tiny = (request.getfixturevalue(n) for n in ("tmp_path_factory", "tiny_weights"))
    return {
        str(tiny): _export(factory, tiny, (96, 128), max_side=128, head="flow_head"),
        "default": _export(factory, "default", (120, 160), max_side=160, head="flow_head"),
    }


def _export(
    factory: pytest.TempPathFactory, weights: str | Path, image: tuple[int, int], **config: Any
) -> Path:
    """Return an engine of these weights."""
    pytest.importorskip("onnxscript", reason="zeroco_ros[onnx] is not installed")
    import torch

    from zeroco_ros.estimate.config import FlowConfig
    from zeroco_ros.estimate.exported import export_engine

    torch.set_num_threads(1)
    folder = factory.mktemp("engine") / Path(weights).stem
    export_engine(folder, FlowConfig(**config, refine="none"), image, weights=weights)
    return folder


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what runs the network in the tests of nodes, faults, `zeroco flow` and `depth`."""
    parser.addoption(
        "--backend",
        choices=("torch", "onnx"),
        default="torch",
        help="run the networks of nodes and commands in PyTorch, or as engines in ONNX Runtime",
    )


def pytest_configure() -> None:
    """Hear SIGINT, which a shell's background job and what it starts ignore."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


FAULT_ROWS = range(1, 33)
FAULT_NODES = ("flow_node", "depth_node")


def faults_of(item: pytest.Item) -> list[tuple[int, str, tuple[str, ...]]]:
    """
    (row, behavior, nodes) of each fault that a test provokes, by its `fault` markers.

    Raises pytest.UsageError for a marker that docs/FAULTS.md cannot show.
    """
    markers = reversed(list(item.iter_markers("fault")))
    try:
        return [_fault(item, *marker.args, **marker.kwargs) for marker in markers]
    except TypeError as error:
        raise pytest.UsageError(f"{item.nodeid}: marker fault: {error}") from error


def _fault(
    item: pytest.Item, row: int, behavior: str, nodes: str | None = None
) -> tuple[int, str, tuple[str, ...]]:
    if row not in FAULT_ROWS:
        raise TypeError(f"row {row!r} is none of 1 to 32")
    if not isinstance(behavior, str) or not behavior.strip() or behavior.endswith("."):
        raise TypeError(f"behavior {behavior!r} is no phrase without a full stop")
    named = tuple(name for name in FAULT_NODES if name in item.name.partition("[")[2])
    if nodes is None and named:
        return row, behavior, named
    if nodes in (*FAULT_NODES, "shared"):
        return row, behavior, (nodes,)
    raise TypeError(f"nodes is {nodes!r}: give flow_node, depth_node or shared")


# Tests that look at reference arrays, and the one that judges whether all of them were looked at.
REFERENCE_ROOMS = tuple(
    f"test/{room}/"
    for room in ("croco", "matching", "estimate", "heads", "evaluation", "geometry")
)
COVERAGE = "test/package/test_reference_coverage.py"


@pytest.fixture(scope="session")
def reference_rooms() -> tuple[str, ...]:
    """Return the beginnings of the names of all tests that look at reference arrays."""
    return REFERENCE_ROOMS


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """
    Check the fault markers and keep what they say.

    Run the coverage check of the reference arrays after everything that uses them, and in the same
    process; any other file may run beside these and beside the others, as a whole.
    """
    for item in items:
        item.user_properties += [("fault", fault) for fault in faults_of(item)]
    items.sort(key=lambda item: COVERAGE in item.nodeid)
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            file = item.nodeid.partition("::")[0]
            judged = file.startswith((*REFERENCE_ROOMS, COVERAGE))
            item.add_marker(pytest.mark.xdist_group("reference" if judged else file))
