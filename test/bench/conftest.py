"""The node's bench talks to a real node; see `ros_harness`."""

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


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """A bench sets the threads of its process."""
    import cv2
    import torch

    before = torch.get_num_threads(), cv2.getNumThreads()
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])
