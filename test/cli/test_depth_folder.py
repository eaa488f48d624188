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

"""The folder of `zeroco depth`: one unit and one origin for cloud and trajectory."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from zeroco_ros.commands.depth_folder import DepthFolder
from zeroco_ros.commands.depth_summary import DepthSummary
from zeroco_ros.estimate.results import DepthResult, DepthState

SIZE = (24, 32)
K = np.array([[30.0, 0, 15.5], [0, 30, 11.5], [0, 0, 1]])


def result(
    index: int,
    depth: float,
    scale: Literal["metric", "relative"] = "relative",
    state: DepthState = "ok",
    keyframe: bool = True,
) -> DepthResult:
    """Return a wall, seen by a camera that goes sideways with the index."""
    pose = np.eye(4)
    pose[0, 3] = index
    known = depth if state == "ok" else np.nan
    return DepthResult(
        depth=np.full(SIZE, known, np.float32),
        sigma=np.full(SIZE, 0.01 * known, np.float32),
        scale=scale,
        K=K,
        image=np.full((*SIZE, 3), 90, np.uint8),
        pose=pose,
        pose_covariance=None,
        state=state,
        keyframe=keyframe,
        stamp=index * 10**9,
        parallax_px=5.0,
    )


def finished(out: Path, results: list[tuple[DepthResult, bool]]) -> tuple[DepthSummary, set[int]]:
    """Return the summary, and the seconds of the trajectory that was written."""
    folder = DepthFolder(out)
    summary = DepthSummary(str(out), "r", "c", "p", "default", "geometric", "default", {}, SIZE)
    for index, (found, posed) in enumerate(results):
        summary.count(found, posed, 0.1)
        folder.add(f"{index}", found, posed=posed)
    summary.finish(folder, [])
    path = out / "trajectory.txt"
    rows = np.loadtxt(path, ndmin=2) if path.exists() else np.zeros((0, 8))
    return summary, {round(row[0]) for row in rows}


def depths_of_cloud(out: Path) -> tuple[float, float]:
    """Smallest and largest z of the points."""
    head, _, body = (out / "cloud.ply").read_bytes().partition(b"end_header\n")
    count = int(head.partition(b"element vertex ")[2].split()[0])
    kind = np.dtype([("p", "<f4", 3), ("c", "u1", 3)])
    z = np.frombuffer(body, kind, count)["p"][:, 2]
    return float(z.min()), float(z.max())


def test_one_stretch_is_one_world(tmp_path: Path) -> None:
    summary, seconds = finished(tmp_path, [(result(i, 2.0), False) for i in range(3)])
    assert seconds == {0, 1, 2} and summary.warnings == []
    assert summary.facts["worlds"] == 1 and summary.facts["cloud_views"] == 3
    assert depths_of_cloud(tmp_path) == pytest.approx((2.0, 2.0))


def test_tracking_that_begins_anew_has_another_unit(tmp_path: Path) -> None:
    anew = result(3, 0.0, state="starting")
    lost = result(2, 0.0, state="lost", keyframe=False)
    results = [result(0, 2.0), result(1, 2.0), lost, anew, *(result(i, 7.0) for i in (4, 5, 6))]
    summary, seconds = finished(tmp_path, [(found, False) for found in results])
    assert seconds == {4, 5, 6}
    assert depths_of_cloud(tmp_path) == pytest.approx((7.0, 7.0))
    assert len(summary.warnings) == 1
    assert "2 worlds of their own unit or origin" in summary.warnings[0]
    assert "3 of 5 frames" in summary.warnings[0]


def test_a_metric_stretch_that_begins_anew_has_another_origin(tmp_path: Path) -> None:
    anew = result(1, 0.0, "metric", state="starting")
    results = [result(0, 2.0, "metric"), anew, result(2, 3.0, "metric"), result(3, 3.0, "metric")]
    _, seconds = finished(tmp_path, [(found, False) for found in results])
    assert seconds == {2, 3}


def test_given_poses_are_one_world_whatever_happens(tmp_path: Path) -> None:
    """Frames without a pose go on in it where they are metric, and are left out where not."""
    anew = result(3, 0.0, "metric", state="starting")
    results = [
        (result(0, 2.0, "metric"), True),
        (result(1, 2.0, "metric"), False),
        (result(2, 5.0, "relative"), False),
        (anew, True),
        (result(4, 2.0, "metric"), True),
    ]
    summary, seconds = finished(tmp_path, results)
    assert seconds == {0, 1, 4}
    assert depths_of_cloud(tmp_path) == pytest.approx((2.0, 2.0))
    assert "2 worlds" in summary.warnings[0] and "3 of 4 frames" in summary.warnings[0]
    assert (tmp_path / "depth" / "2.npy").exists() and not (tmp_path / "depth" / "2.png").exists()


def test_nothing_but_lost_frames(tmp_path: Path) -> None:
    lost = result(0, 0.0, state="lost", keyframe=False)
    summary, seconds = finished(tmp_path, [(lost, False)])
    assert seconds == set() and summary.failure == "no frame has depth: the frames do not overlap"
    assert not (tmp_path / "cloud.ply").exists()
