"""Runs of zeroco replay, made without a network; see `run_fixture`."""

from __future__ import annotations

import sys
from pathlib import Path

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
