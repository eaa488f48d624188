"""Every test process talks on a ROS domain of its own; see ros_harness."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import node_scenes
import ros_harness

ros_harness.isolate()


@pytest.fixture
def probe() -> Iterator[ros_harness.Probe]:
    """A node in this process for publishing, collecting and calling services."""
    pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")
    node = ros_harness.Probe()
    yield node
    node.close()


@pytest.fixture(scope="session", autouse=True)
def _backend(engines: dict[str, Path]) -> None:
    node_scenes.ENGINES.update(engines)


@pytest.fixture(scope="session", autouse=True)
def _clean_up() -> Iterator[None]:
    yield
    ros_harness.clean_up()
