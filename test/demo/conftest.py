"""A ROS domain of its own for this test process."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "ros"))
import ros_harness

ros_harness.isolate()
