"""Faults are provoked on a real node over real topics; see `stage`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "ros"))
import node_scenes
import ros_harness

ros_harness.isolate()


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny model file."""
    return node_scenes.tiny_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def probe() -> Iterator[ros_harness.Probe]:
    """A node in this process for publishing, collecting and calling services."""
    node = ros_harness.Probe()
    yield node
    node.close()


@pytest.fixture(scope="session", autouse=True)
def _clean_up() -> Iterator[None]:
    yield
    ros_harness.clean_up()
