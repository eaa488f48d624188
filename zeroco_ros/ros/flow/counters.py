"""What flow_node counts. No rclpy."""

from __future__ import annotations

from collections.abc import Mapping

from zeroco_ros.ros import metrics

COUNTERS: Mapping[str, str] = {
    **metrics.COUNTERS,
    "unmatched": "with `pairing: synchronized`: images that have no partner, or none yet",
}
ENDS = (*metrics.ENDS, "started", "unmatched")
