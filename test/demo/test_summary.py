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

"""What the demo says of a run, and when it has failed."""

from __future__ import annotations

from dataclasses import replace
import json
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")

from zeroco_ros.bag.header import Header
from zeroco_ros.demo.depth_scoring import DepthFacts, DepthScore
from zeroco_ros.demo.node_run import NodeRun
from zeroco_ros.demo.nodes import DEPTH
from zeroco_ros.demo.session import Record
from zeroco_ros.demo.summary import DepthFound, Summary
from zeroco_ros.evaluation.bag_camera import CameraSource

STAMPS = tuple(range(10**9, 11 * 10**9, 10**9))
HEADERS = tuple(Header(stamp, "eye") for stamp in STAMPS)
CAMERA = CameraSource(
    Path("bag"), "/a/image", "", "rgb8", 64, 48, HEADERS, STAMPS[1:], "/a/info", "/a/pose"
)
SCORE = DepthScore(9, 0.9, 0.1, 0.8, 0.05, 0.15, (0.6, 0.9), scaled=False)


def run(answers: tuple[Header, ...] = HEADERS[1:]) -> NodeRun:
    """Return a run of depth_node with these answers, each half a second after its frame."""
    record = Record(
        sent={stamp: float(index) for index, stamp in enumerate(STAMPS)},
        answered={h.stamp_ns: STAMPS.index(h.stamp_ns) + 0.5 for h in answers},
        headers={"depth": list(answers), "depth_sigma": list(answers)},
        paced=list(STAMPS[5:]),
    )
    return NodeRun(DEPTH, CAMERA, record, ["it is dark"], "a model")


def found(node: NodeRun, **changes: object) -> DepthFound:
    whole = DepthFound(node, "/a/pose", "metric", "/a/depth", SCORE, DepthFacts(9, 0.9, 0.04))
    return replace(whole, **changes)


def test_a_good_run() -> None:
    summary = Summary("out", CAMERA, None, found(run()), [], ["summary.json"])
    assert summary.failure is None
    text = summary.as_text()
    for words in (
        "depth out 9 of 9 possible (100.0 %)",
        "latency   median 500 ms",
        "poses     given on /a/pose; scale: metric",
        "against depth on /a/depth: 9 frames\n",
        "AbsRel 0.100, 80.0 % within a factor of 1.25, on 90.0 %",
        "AbsRel 0.050 on the half with the smaller sigma / depth, 0.150 on the other",
        "node said it is dark",
    ):
        assert words in text
    assert json.loads(json.dumps(summary.as_json()))["depth"]["accuracy"]["abs_rel"] == 0.1


def test_answers_that_do_not_come_or_are_not_the_frames() -> None:
    assert run(HEADERS[1:-1]).failure == "only 88.9 % of the possible depth messages came"
    for answers in (
        (*HEADERS[1:], HEADERS[9]),  # twice
        (HEADERS[2], HEADERS[1], *HEADERS[3:]),  # out of order
        HEADERS,  # the first frame has no depth
        (*HEADERS[1:9], Header(STAMPS[9], "nose")),
    ):
        node = run(answers)
        assert node.wrong_headers > 0
        assert "answers of depth_node have a wrong stamp or frame_id" in str(node.failure)
        assert Summary("out", CAMERA, None, found(node), [], []).failure == node.failure


def test_what_is_not_known_is_said() -> None:
    node = run()
    rows = dict(found(node, truth=None, score=None).rows())
    assert rows["accuracy"] == "unknown: the bag has no measured depth"
    relative = found(node, poses=None, scale="relative", score=replace(SCORE, scaled=True))
    rows = dict(relative.rows())
    assert rows["poses"] == "estimated by the node; scale: relative"
    assert "each scaled to its median" in dict(relative.rows()[:-3])["accuracy"]
    nothing = found(node, score=None, facts=None, scale=None)
    assert ("depth", "none in any frame") in nothing.rows()
    skipped = Summary("out", CAMERA, None, None, ["depth_node: no calibration"], [])
    assert "skipped   depth_node: no calibration" in skipped.as_text()
