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

"""Both ways of installing carry everything a user needs: colcon and pip, from a clean copy."""

from __future__ import annotations

import os
from pathlib import Path
import shutil
import subprocess
import sys
import zipfile

import pytest

from zeroco_ros import __version__

ROOT = Path(__file__).resolve().parents[2]
LEAVE_OUT = shutil.ignore_patterns(
    ".git",
    ".venv",
    "build",
    "install",
    "log",
    "demo_out",
    "runs",
    "__pycache__",
    "*.egg-info",
    "test",
)
SCRIPTS = {"depth_node", "flow_node", "zeroco"}
SHARED_FILES = sorted(
    str(path.relative_to(ROOT))
    for folder, pattern in [
        ("launch", "*.launch.py"),
        ("config", "*.yaml"),
        ("config", "*.xml"),
        ("config/rviz", "*.rviz"),
    ]
    for path in (ROOT / folder).glob(pattern)
)
PACKAGE_FILES = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / "zeroco_ros").rglob("*")
    if path.suffix in {".py", ".safetensors", ".md", ".yaml", ".typed"}
)


@pytest.fixture(scope="module")
def clean_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("source") / "zeroco_ros"
    shutil.copytree(ROOT, copy, ignore=LEAVE_OUT)
    return copy


def _run(command: list[str], cwd: Path) -> None:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_there_is_something_to_install() -> None:
    assert any(name.endswith(".safetensors") for name in PACKAGE_FILES)
    assert {Path(name).suffix for name in SHARED_FILES} >= {".py", ".yaml", ".rviz", ".xml"}


@pytest.fixture(scope="module")
def prefix(clean_copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `colcon build` installed the package."""
    colcon = Path(sys.executable).parent / "colcon"
    if not colcon.exists():
        pytest.skip("colcon is not installed beside this Python")
    workspace = tmp_path_factory.mktemp("workspace")
    _run([str(colcon), "--log-base", "log", "build", "--base-paths", str(clean_copy)], workspace)
    return workspace / "install" / "zeroco_ros"


def test_colcon_build_installs_everything(prefix: Path) -> None:
    assert {path.name for path in (prefix / "lib" / "zeroco_ros").iterdir()} == SCRIPTS
    share = prefix / "share" / "zeroco_ros"
    for name in [*SHARED_FILES, "package.xml"]:
        assert (share / name).read_bytes() == (ROOT / name).read_bytes()
    assert (prefix / "share/ament_index/resource_index/packages/zeroco_ros").is_file()
    (site,) = prefix.glob("lib/python*/site-packages")
    for name in PACKAGE_FILES:
        assert (site / name).read_bytes() == (ROOT / name).read_bytes()


def test_colcon_script_runs_the_installed_package(prefix: Path, tmp_path: Path) -> None:
    (site,) = prefix.glob("lib/python*/site-packages")
    done = subprocess.run(
        [str(prefix / "lib/zeroco_ros/zeroco"), "--version"],
        env={**os.environ, "PYTHONPATH": str(site)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(__version__)


def test_wheel_carries_everything(clean_copy: Path, tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    _run([*pip, "--no-index", "--wheel-dir", str(tmp_path), str(clean_copy)], tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert set(PACKAGE_FILES) <= names
    shared = {name.split("/data/", 1)[1] for name in names if "/data/" in name}
    assert {f"share/zeroco_ros/{name}" for name in [*SHARED_FILES, "package.xml"]} <= shared
