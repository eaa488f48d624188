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

"""What the launch files would start, started without the launch system: nodes, bag, recording."""

from __future__ import annotations

from pathlib import Path
import signal
import subprocess
import sys

import launch_scenes
import pytest

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")
import node_process
import node_scenes as scenes
import ros_harness
from sensor_msgs.msg import Image

from zeroco_ros.bag.reader import BagReader
from zeroco_ros.ros.launch_plan import NodeStart
from zeroco_ros.ros.launch_replay import replay_plan
from zeroco_ros.ros.launch_tables import REPLAY

ROOT = launch_scenes.ROOT


def start_verb(*words: str) -> subprocess.Popen[str]:
    from zeroco_ros.ros.environment import child_environment

    return subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=child_environment(),
    )


def zeroco_record(*words: object) -> subprocess.Popen[str]:
    return start_verb(sys.executable, "-m", "zeroco_ros.cli", "record", *map(str, words))


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=ros_harness.PATIENCE)
    return process.returncode, out, err


def start_node(start: NodeStart, weights: str) -> node_process.NodeProcess:
    file, chosen = start.parameters
    values = {**chosen, **scenes.parameters(weights)}
    lossless = {f"qos_overrides.{launch_scenes.IMAGE_TOPIC}.subscription.reliability": "reliable"}
    arguments = ["--params-file", str(file), "-r", f"__ns:=/{start.namespace}"]
    return node_process.NodeProcess(
        f"zeroco_ros.ros.{start.executable}",
        {**values, **lossless},
        remap=dict(start.remaps),
        ros_arguments=arguments,
    )


def test_a_replay_ends_in_a_bag_of_outputs(
    probe: ros_harness.Probe, tiny_weights: Path, tmp_path: Path
) -> None:
    given = {
        "bag": str(launch_scenes.make_bag(tmp_path / "drive")),
        "namespace": "robot",
        "record": str(tmp_path / "out"),
        "bag_rate": "0.2",
    }
    values = {**{name: default or "" for name, default, _text in REPLAY}, **given}
    plan = replay_plan(ROOT, values)
    node = start_node(plan.nodes[0], str(tiny_weights))
    recorder = start_verb(*plan.commands[0].command)
    player = None
    flow = "/robot/flow_node/flow"
    try:
        node.wait_for_log("configured: ")
        probe.wait_until(lambda: probe.node.count_subscribers(flow), "the recorder")
        results = probe.collect(Image, flow)
        player = start_verb(*plan.commands[1].command)
        results.wait_for(1)
        code, out, err = ended(player)
        assert code == 0, out + err
        node.stop()
        recorder.send_signal(signal.SIGINT)
        code, out, err = ended(recorder)
        assert code == 0, out + err
    finally:
        node.kill()
        for process in filter(None, (recorder, player)):
            process.kill()
            process.wait()
    assert out.startswith("recorded ")
    with BagReader(tmp_path / "out") as reader:
        assert reader.topics[flow].count > 0
        assert reader.topics[flow].type == "sensor_msgs/msg/Image"
        stamps = [m.stamp_ns for m in reader.messages([flow])]
    assert all(10 * scenes.SECOND <= stamp <= 11 * scenes.SECOND for stamp in stamps)  # the bag's


def test_two_cameras_do_not_meet(probe: ros_harness.Probe, tiny_weights: Path) -> None:
    """Two nodes in two namespaces: what one camera sees comes out of its node only."""
    weights = str(tiny_weights)
    with (
        scenes.running(scenes.FLOW, weights, {"__ns": "/front"}) as front,
        scenes.running(scenes.FLOW, weights, {"__ns": "/rear"}) as rear,
    ):
        results = {
            name: probe.collect(Image, f"/{name}/flow_node/flow") for name in ("front", "rear")
        }
        cameras = {name: probe.publisher(Image, f"/{name}/image") for name in results}
        for process, name in ((front, "front"), (rear, "rear")):
            scenes.connect(probe, process, cameras[name])
        probe.wait_connected(*results.values())
        for number in range(2):
            stamp = scenes.SECOND + number * 10**8
            cameras["front"].publish(scenes.image(scenes.view(number), stamp, "front_eye"))
        results["front"].wait_for(1)
        for number in range(2):
            stamp = 5 * scenes.SECOND + number * 10**8
            cameras["rear"].publish(scenes.image(scenes.view(-number), stamp, "rear_eye"))
        results["rear"].wait_for(1)
        seen = {name: [m.header.frame_id for m in got.messages] for name, got in results.items()}
        topics = {name for name, _kinds in probe.node.get_topic_names_and_types()}
    assert seen == {"front": ["front_eye"], "rear": ["rear_eye"]}
    assert not {"/image", "/flow_node/flow"} & topics


def test_record_says_what_is_missing(tmp_path: Path) -> None:
    done = zeroco_record("/silent", "--duration", "0.2", "-o", tmp_path / "bag")
    code, out, err = ended(done)
    assert (code, err) == (1, "")
    assert "recorded 0 messages (nothing)" in out
    assert "nothing came on /silent" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give the topics to record"),
        (["/a", "--all"], "give the topics to record"),
        (["a"], "give full topic names, as in /a"),
        (["/a", "--duration", "0"], "--duration is 0"),
    ],
)
def test_record_refuses_nonsense(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from zeroco_ros.cli import main

    assert main(["record", *words, "-o", str(tmp_path / "bag")]) == 2
    assert said in capsys.readouterr().err


def test_record_keeps_the_clock_and_the_latched(tmp_path: Path, probe: ros_harness.Probe) -> None:
    """A latched message from before the first /clock is kept, with the time of that."""
    from rclpy.qos import DurabilityPolicy, QoSProfile
    from rosgraph_msgs.msg import Clock
    from std_msgs.msg import String

    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    words = probe.node.create_publisher(String, "/words", latched)
    words.publish(String(data="early"))
    clock = probe.publisher(Clock, "/clock")
    process = zeroco_record("/words", "--sim-time", "-o", tmp_path / "bag")
    try:
        probe.wait_connected(words, clock)
        tick = Clock()
        tick.clock.sec = 7
        clock.publish(tick)
        assert clock.wait_for_all_acked()
        assert words.wait_for_all_acked()
        process.send_signal(signal.SIGINT)
        code, _out, err = ended(process)
    finally:
        process.kill()
        process.wait()
    assert code == 0, err
    with BagReader(tmp_path / "bag") as reader:
        assert reader.topics["/words"].qos.durability == "transient_local"
        assert [message.stamp_ns for message in reader.messages()] == [7 * scenes.SECOND]
