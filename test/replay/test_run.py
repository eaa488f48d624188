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

"""One bag replayed: what is written, that it is right, and that it is always the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from zeroco_ros.bag.header import read_header
from zeroco_ros.bag.images import decode_image, header_stamp
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.bag.writer import BagWriter
from zeroco_ros.demo.synthetic import FRAME_ID, IMAGE_TOPIC
from zeroco_ros.replay.record import METRICS, ReplayRun

FLOW = ("/flow_node/flow", "/flow_node/confidence", "/flow_node/occluded")
DEPTH = ("/depth_node/depth", "/depth_node/depth_sigma", "/depth_node/camera_info")


def stamps(path: Path, topic: str) -> list[int]:
    with BagReader(path) as reader:
        return [read_header(message.data).stamp_ns for message in reader.messages([topic])]


def images(path: Path, topic: str) -> dict[int, np.ndarray]:
    with BagReader(path) as reader:
        decoded = [reader.decode(message) for message in reader.messages([topic])]
    return {header_stamp(one.header): decode_image(one) for one in decoded}


def contents(path: Path) -> list[tuple[str, int, bytes]]:
    with BagReader(path) as reader:
        return [(m.topic, m.stamp_ns, m.data) for m in reader]


def test_results_have_their_pictures_stamps_topics_and_encodings(
    bag: Path, first_run: Path, record: ReplayRun
) -> None:
    output = first_run / "output_bag" / "drive"
    taken = stamps(bag, IMAGE_TOPIC)
    with BagReader(output) as reader:
        kinds = {name: topic.type for name, topic in reader.topics.items()}
        encodings = {}
        for message in reader.messages([*FLOW, *DEPTH[:2]]):
            decoded = reader.decode(message)
            encodings[message.topic] = decoded.encoding
            assert decoded.header.frame_id == FRAME_ID
            assert message.stamp_ns == header_stamp(decoded.header)
    for topic in (*FLOW, *DEPTH):
        assert stamps(output, topic) == taken[1:], topic
    assert encodings == {
        "/flow_node/flow": "32FC2",
        "/flow_node/confidence": "32FC1",
        "/flow_node/occluded": "mono8",
        "/depth_node/depth": "32FC1",
        "/depth_node/depth_sigma": "32FC1",
    }
    assert kinds["/depth_node/odometry"] == "nav_msgs/msg/Odometry"
    assert kinds["/depth_node/camera_info"] == "sensor_msgs/msg/CameraInfo"
    assert kinds["/depth_node/scale"] == "std_msgs/msg/String"
    assert (first_run / "report.html").read_text(encoding="utf-8").lstrip().startswith("<!")
    (one,) = record.metrics.bags
    assert one.frames.stamp == taken
    assert one.folder == "output_bag/drive"
    assert all((first_run / worst.picture).is_file() for worst in one.worst)
    assert {worst.metric for worst in one.worst} >= {"epe", "forward_backward_error"}


def test_flow_is_that_of_the_estimator_and_its_error_that_of_the_truth(
    bag: Path, first_run: Path, record: ReplayRun, tiny_weights: Path
) -> None:
    """The topic says the motion from the frame before: minus what leads back there."""
    from zeroco_ros.estimate.flow import FlowEstimator

    estimator = FlowEstimator("fast", weights=tiny_weights, threads=1)
    pictures, truth = images(bag, IMAGE_TOPIC), images(bag, "/camera/flow_truth")
    flows = images(first_run / "output_bag" / "drive", "/flow_node/flow")
    frames = record.metrics.bags[0].frames
    for row in range(1, len(frames.stamp)):
        before, now = frames.stamp[row - 1 : row + 1]
        expected = estimator.estimate(pictures[now], pictures[before])
        np.testing.assert_array_equal(flows[now], -expected.flow)
        known = np.isfinite(truth[now]).all(axis=-1)
        error = np.hypot(*np.moveaxis(flows[now] - truth[now], -1, 0))[known].mean(dtype=float)
        assert frames.values["epe"][row] == pytest.approx(error, rel=1e-6)
        assert frames.values["flow_coverage"][row] == float((~expected.occluded).mean())
    assert frames.values["epe"][0] is None
    errors = [value for value in frames.values["epe"] if value is not None]
    assert record.metrics.summary["epe"] == pytest.approx(np.mean(errors), rel=1e-12)
    assert record.metrics.counters["flow_out"] == len(errors) == len(flows)


def test_the_same_bag_gives_the_same_bytes(
    bag: Path, first_run: Path, replay: Callable[..., Any], tmp_path: Path
) -> None:
    ran = replay(bag, "-o", tmp_path / "again", "--reference", "auto", "--no-report")
    assert ran.code == 0, ran.err
    assert not (tmp_path / "again" / "report.html").exists()
    assert (tmp_path / "again" / METRICS).read_bytes() == (first_run / METRICS).read_bytes()
    ours, theirs = (
        contents(folder / "output_bag" / "drive") for folder in (tmp_path / "again", first_run)
    )
    assert ours == theirs


def test_the_pace_changes_no_number_and_no_bag_is_written_unless_wanted(
    bag: Path, record: ReplayRun, replay: Callable[..., Any], tmp_path: Path
) -> None:
    paced = "--rate", 100, "--no-bag", "--no-report", "--task", "flow", "--reference", "auto"
    assert replay(bag, "-o", tmp_path, *paced).code == 0
    assert not (tmp_path / "output_bag").exists()
    found = ReplayRun.load(tmp_path).metrics
    flow = {name for name, metric in found.metrics.items() if metric.group == "flow"}
    assert flow and all(found.summary[name] == record.metrics.summary[name] for name in flow)
    assert not any(metric.group == "depth" for metric in found.metrics.values())


def test_given_poses_make_depth_metric(
    bag: Path, replay: Callable[..., Any], tmp_path: Path
) -> None:
    options = "--task", "depth", "--no-report", "--reference", "/camera/depth/image_raw"
    assert replay(bag, "-o", tmp_path, "--poses", "/camera/pose", *options).code == 0
    metrics = ReplayRun.load(tmp_path).metrics
    assert metrics.bags[0].topics["poses"] == "/camera/pose"
    with BagReader(tmp_path / "output_bag" / "drive") as reader:
        (said,) = (reader.decode(m).data for m in reader.messages(["/depth_node/scale"]))
        odometry = [reader.decode(m) for m in reader.messages(["/depth_node/odometry"])]
    with BagReader(bag) as reader:
        poses = {
            header_stamp(p.header): p.pose.position
            for p in (reader.decode(m) for m in reader.messages(["/camera/pose"]))
        }
    assert said == "metric"
    for message in odometry:
        place, true = message.pose.pose.position, poses[header_stamp(message.header)]
        assert (place.x, place.y, place.z) == pytest.approx((true.x, true.y, true.z))
        assert message.header.frame_id == "world"
    assert "ate" not in metrics.summary  # nothing was estimated
    assert 0 < metrics.summary["abs_rel"] < 10


def test_two_cameras_are_paired_by_stamp(
    bag: Path, replay: Callable[..., Any], tiny_weights: Path, tmp_path: Path
) -> None:
    """The right camera sees what the left one saw a frame before; one of its pictures is lost."""
    from zeroco_ros.estimate.flow import FlowEstimator

    stereo = tmp_path / "stereo"
    with BagReader(bag) as reader, BagWriter(stereo) as writer:
        frames = list(reader.messages([IMAGE_TOPIC]))
        for index in range(1, len(frames)):
            now, before = frames[index], frames[index - 1]
            writer.write("/left/image_raw", now.type, now.stamp_ns, now.data)
            if index != 3:
                data = before.data[:4] + now.data[4:12] + before.data[12:]  # the left one's stamp
                writer.write("/right/image_raw", now.type, now.stamp_ns + 5, data)
    options = "--topic", "/left/image_raw", "-p", "pairing:=synchronized", "--task", "flow"
    ran = replay(stereo, "-o", tmp_path / "out", "--no-report", *options)
    assert ran.code == 0, ran.err
    (record,) = ReplayRun.load(tmp_path / "out").metrics.bags
    assert record.topics["right"] == "/right/image_raw"
    counters = record.counters
    assert (counters["flow_in"], counters["flow_paired"], counters["flow_out"]) == (9, 4, 4)
    assert record.counters["flow_unmatched"] == 1
    assert len(record.frames.stamp) == 5 and record.frames.state.count("ok") == 4
    estimator = FlowEstimator("fast", weights=tiny_weights, threads=1)
    lefts, rights = (images(stereo, f"/{side}/image_raw") for side in ("left", "right"))
    flows = images(tmp_path / "out" / "output_bag" / "stereo", "/flow_node/flow")
    assert sorted(flows) == sorted(rights)
    for stamp, flow in flows.items():
        expected = estimator.estimate(lefts[stamp], rights[stamp]).flow
        np.testing.assert_array_equal(flow, expected)


def test_it_runs_where_there_is_no_ros(bag: Path, tiny_weights: Path, tmp_path: Path) -> None:
    """Hidden from the process are rclpy and every message package."""
    hidden = ("rclpy", "std_msgs", "sensor_msgs", "nav_msgs", "geometry_msgs", "rcl_interfaces")
    code = (
        f"import sys\nfor name in {hidden!r}: sys.modules[name] = None\n"
        "from zeroco_ros.cli import main\nsys.exit(main(sys.argv[1:]))"
    )
    words = ["replay", bag, "-o", tmp_path, "--no-bag", "--weights", tiny_weights]
    words += ["-p", "preset:=fast", "--threads", "1"]
    ran = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ReplayRun.load(tmp_path).metrics.counters["depth_out"] > 0
