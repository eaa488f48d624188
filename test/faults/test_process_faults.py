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

"""FAULTS rows 25 (signals at work), 27 (the lifecycle again and again), 4, 12 and 29 (flow)."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
import shutil
import signal

import node_scenes as scenes
import numpy as np
import pytest
import ros_harness

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import CameraInfo, Image
from stage import BASE, CAMERA, frame, INFO, MS

PERIOD = 100  # ms between frames
# Rounds of the lifecycle, and how many of them until memory has settled.
ROUNDS, SETTLED = int(os.environ.get("ZEROCO_LIFECYCLE_ROUNDS", "12")), 4


@pytest.mark.fault(25, "ends after the inference under way, exit code 0, no file left")
@pytest.mark.parametrize("subject", scenes.SUBJECTS.values(), ids=scenes.SUBJECTS)
def test_row_25_a_signal_during_inference_ends_the_node_cleanly(
    probe: ros_harness.Probe, weights: str, tmp_path: Path, subject: scenes.Subject
) -> None:
    """Two nodes on one camera, always at work; one gets SIGINT, the other SIGTERM."""
    weights = shutil.copy(weights, tmp_path)
    before = sorted(tmp_path.iterdir())
    large = np.tile(scenes.view(0), (4, 4, 1))
    camera = probe.publisher(Image, CAMERA)
    info = probe.publisher(CameraInfo, INFO)
    numbers = {"a": signal.SIGINT, "b": signal.SIGTERM}
    with contextlib.ExitStack() as stack:
        nodes = {
            name: stack.enter_context(
                scenes.running(
                    subject, weights, {"image": CAMERA, "__ns": f"/{name}"}, default_qos=True
                )
            )
            for name in numbers
        }
        found = {name: probe.collect(Image, f"/{name}{subject.output}") for name in nodes}
        for node in nodes.values():
            scenes.connect(probe, node, camera)
        probe.wait_connected(camera, count=len(nodes), timeout=scenes.STARTUP)
        sent = 0

        def results(name: str) -> int:
            """Keep the camera running, faster than the nodes can follow."""
            nonlocal sent
            info.publish(scenes.calibration())
            sent = scenes.overload(camera, large, sent)
            return len(found[name])

        for name, number in numbers.items():
            ready = len(found[name]) + 2
            probe.wait_until(lambda: results(name) >= ready, f"results of {name}")  # noqa: B023
            # At this load a pair is always in the making: more came in than went out.
            assert nodes[name].stop(number) == 0, nodes[name].log
            assert "Traceback" not in nodes[name].log
            assert "rror" not in nodes[name].log
            stamps = found[name].stamps
            assert stamps == sorted(set(stamps))
            assert sent > len(stamps) + 2
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.fault(27, "no growth of memory, no subscription while inactive")
@pytest.mark.parametrize("subject", scenes.SUBJECTS.values(), ids=scenes.SUBJECTS)
def test_row_27_the_lifecycle_over_and_over_leaves_nothing_behind(
    probe: ros_harness.Probe, weights: str, tmp_path: Path, subject: scenes.Subject
) -> None:
    """
    Memory may not grow; nothing is subscribed while inactive, though there is an audience.

    With a network that would show if one stayed behind: eight of them are 8 x 4 MB.
    """
    weights = weights if scenes.ENGINES else larger_network(tmp_path / "larger.safetensors")
    with scenes.running(subject, weights, {"image": CAMERA}, autostart=False) as node:
        camera = probe.publisher(Image, CAMERA)
        listener = probe.collect(Image, subject.output)
        memory = []
        for number in range(ROUNDS):
            for label in ("configure", "activate"):
                assert scenes.transition(probe, label, subject.path), node.log
            if number % SETTLED == 0:  # takes its time: the two find each other anew
                probe.wait_connected(camera, listener)
            assert scenes.transition(probe, "deactivate", subject.path)
            probe.wait_until(lambda: camera.get_subscription_count() == 0, "no subscription")
            assert scenes.transition(probe, "cleanup", subject.path)
            memory.append(resident_megabytes(node.process.pid))
        print(f"{ROUNDS} rounds:", *(f"{megabytes:.1f}" for megabytes in memory), "MB")
        # Allocators move by some MB from round to round; 100 rounds stay as flat as 12.
        assert memory[-1] - memory[SETTLED] < 8.0, memory
        assert node.stop() == 0
        assert "Traceback" not in node.log


def larger_network(path: Path) -> str:
    """Return a file with a random network of 4 MB."""
    from zeroco_ros.croco.checkpoint import save_croco
    from zeroco_ros.croco.config import CrocoConfig
    from zeroco_ros.croco.model import CroCo

    sizes = {"enc_embed_dim": 128, "enc_num_heads": 2, "dec_embed_dim": 128, "dec_num_heads": 2}
    config = CrocoConfig(
        **sizes, enc_depth=2, dec_depth=2, pos_embed="rope100", prediction_head=False
    )
    save_croco(path, CroCo(config), {"matching": {"beta": 0.1, "register_fix": False}})
    assert path.stat().st_size > 4_000_000
    return str(path)


def resident_megabytes(pid: int) -> float:
    """Memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.fault(4, "two cameras start anew together, no pair is lost", nodes="flow_node")
def test_row_04_a_bag_loop_with_two_cameras_loses_no_pair(
    probe: ros_harness.Probe, weights: str
) -> None:
    """
    The left camera has three frames more than the right one when the bag begins again.

    The synchronizers of message_filters alone keep the newest old stamps and starve then.
    """
    remap = {"left/image": "/rig/left", "right/image": "/rig/right"}
    values = {"pairing": "synchronized", "sync_queue_size": 3, "slop": 0.01}
    with scenes.flow_node(weights, remap, **values) as node:
        diagnostics = probe.collect(DiagnosticArray, "/diagnostics")
        flow = probe.collect(Image, "/flow_node/flow")
        cameras = [probe.publisher(Image, f"/rig/{side}") for side in ("left", "right")]
        scenes.connect(probe, node, *cameras)
        expected: list[int] = []
        for passes in range(1, 4):
            for time in range(0, 6 * PERIOD, PERIOD):
                for camera in cameras:
                    camera.publish(frame(time))
                expected.append(BASE + time * MS)
                flow.wait_for(len(expected))
            for time in (6 * PERIOD, 7 * PERIOD, 8 * PERIOD):
                cameras[0].publish(frame(time))
            # Between topics nothing is in order: the next pass may not overtake these.
            scenes.wait_status(probe, diagnostics, **{"in": str(15 * passes)})
        assert flow.stamps == expected
        told = scenes.wait_status(probe, diagnostics, jumps="2", paired="18", out="18")
        assert (told["dropped"], told["out_of_order"]) == ("0", "0")
        assert node.log.count("time jumped back") == 2
        assert node.stop() == 0
        assert "Traceback" not in node.log


@pytest.mark.fault(12, "flow runs: it does not read camera_info", nodes="flow_node")
@pytest.mark.fault(29, "WARN, and the node works", nodes="flow_node")
def test_rows_12_and_29_flow_needs_neither_camera_info_nor_clock(
    probe: ros_harness.Probe, weights: str
) -> None:
    with scenes.flow_node(weights, {"image": CAMERA}, use_sim_time=True) as node:
        diagnostics = probe.collect(DiagnosticArray, "/diagnostics")
        camera, info = probe.publisher(Image, CAMERA), probe.publisher(CameraInfo, INFO)
        flow = probe.collect(Image, "/flow_node/flow")
        scenes.connect(probe, node, camera)
        told = scenes.wait_status(probe, diagnostics, state="active", level="1")
        assert told["message"].startswith("use_sim_time is set and /clock is silent")
        assert told["input topics"] == CAMERA
        for time in (0, 100):
            camera.publish(frame(time))
        flow.wait_for(1)
        assert flow.stamps == [BASE + 100 * MS]
        assert info.get_subscription_count() == 0
        assert node.stop() == 0
        assert "Traceback" not in node.log
