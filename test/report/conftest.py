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

"""Runs of zeroco replay, made without a network; see `run_fixture`."""

from __future__ import annotations

from pathlib import Path
import sys

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import run_fixture


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """Return the folder of a run with two bags and one that failed."""
    return run_fixture.write_run(tmp_path / "before", run_fixture.make_run())


@pytest.fixture
def worse_folder(tmp_path: Path) -> Path:
    """Return the folder of the same run with an end-point error that is 0.1 px larger."""
    return run_fixture.write_run(tmp_path / "after", run_fixture.make_run(worse=0.1))
