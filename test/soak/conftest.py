"""A soak talks to a real node; see `ros_harness`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "ros"))
import ros_harness

ros_harness.isolate()


@pytest.fixture(scope="session", autouse=True)
def _clean_up() -> Iterator[None]:
    yield
    ros_harness.clean_up()
