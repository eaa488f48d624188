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
def weights(tiny_weights: Path) -> str:
    """A tiny model file, as a node's parameter."""
    return str(tiny_weights)


@pytest.fixture
def probe() -> Iterator[ros_harness.Probe]:
    """A node in this process for publishing, collecting and calling services."""
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
