"""A ROS domain of its own for this test process, and a small network."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "ros"))
import ros_harness

ros_harness.isolate()


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An untrained network: what is tested is the way through the house, not the flow."""
    import node_scenes

    return node_scenes.tiny_weights(tmp_path_factory.mktemp("weights"))
