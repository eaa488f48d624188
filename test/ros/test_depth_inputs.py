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

"""What depth_node knows of camera and poses, without a process: latch, buffer, tf2, job."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import node_scenes as scenes
import numpy as np
import pytest
import ros_harness

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")

from zeroco_ros.geometry.transforms import pose_to_matrix
from zeroco_ros.online.camera_latch import CameraLatch
from zeroco_ros.online.pose_buffer import MOST, PoseBuffer

SECOND = scenes.SECOND


def at(x: float, degrees: float = 0.0) -> np.ndarray:
    """Return a pose with x as given, turned about z."""
    half = np.radians(degrees) / 2
    return pose_to_matrix((x, 0, 0), (0, 0, np.sin(half), np.cos(half)))


class Notes:
    """A journal that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.voids = 0

    def note(self, _key: str, text: str) -> None:
        self.lines.append(text)

    error = note

    def non_finite(self, text: str) -> None:
        self.voids += 1
        self.lines.append(f"void: {text}")

    def refuse(self, topic: str, text: str) -> None:
        self.lines.append(f"refused: {topic} {text}")


def test_poses_are_interpolated_and_never_extrapolated() -> None:
    buffer = PoseBuffer()
    assert buffer.at(SECOND, 1.0) is None
    buffer.add(SECOND, at(1.0))
    buffer.add(2 * SECOND, at(3.0, 90))
    assert np.allclose(buffer.at(SECOND, 0.0), at(1.0))  # its own stamp needs no neighbor
    assert np.allclose(buffer.at(SECOND * 3 // 2, 1.0), at(2.0, 45))
    assert buffer.at(SECOND * 3 // 2, 0.9) is None
    assert buffer.at(SECOND - 1, 1.0) is None
    assert buffer.at(2 * SECOND + 1, 1.0) is None


def test_poses_come_late_twice_or_after_a_jump() -> None:
    buffer = PoseBuffer()
    for stamp in (10, 12, 11, 12):  # in tenths of a second
        buffer.add(stamp * SECOND // 10, at(stamp))
    assert list(buffer) == [SECOND, SECOND * 11 // 10, SECOND * 12 // 10]
    buffer.add(SECOND // 10, at(0))  # the bag begins again
    assert list(buffer) == [SECOND // 10]
    for stamp in range(MOST + 50):
        buffer.add(SECOND + stamp, at(0))
    assert len(buffer) == MOST


def test_poses_of_the_future_are_forgotten_when_the_images_jump_back() -> None:
    buffer = PoseBuffer()
    for stamp in (10, 20, 30):
        buffer.add(stamp * SECOND, at(stamp))
    buffer.forget_after(10 * SECOND)
    assert list(buffer) == [10 * SECOND]  # it may be of the new beginning already
    buffer.forget_after(SECOND)
    assert len(buffer) == 0


def test_the_latch_takes_changes_but_not_jitter() -> None:
    notes = Notes()
    latch = CameraLatch("/cam/camera_info", False, notes)
    assert latch.take(scenes.calibration(focal=100.0))
    first = latch.camera
    assert not latch.take(scenes.calibration(focal=100.0))
    assert not latch.take(scenes.calibration(focal=100.05))
    assert latch.camera == first
    assert latch.take(scenes.calibration(focal=101.0))
    assert (latch.changes, latch.camera.K[0, 0]) == (1, 101.0)
    assert latch.take(scenes.calibration(focal=0.0))
    assert latch.camera is None and "K has no focal length" in latch.refusal
    assert not latch.take(scenes.calibration(focal=0.0))
    assert latch.take(scenes.calibration(focal=101.0))
    assert latch.camera is not None and latch.refusal == ""
    assert len(notes.lines) == 4


def test_the_latch_fits_the_camera_to_the_images() -> None:
    latch = CameraLatch("/cam/camera_info", False, Notes())
    assert latch.camera_for((96, 128)) is None
    latch.take(scenes.calibration((128, 96), 100.0))
    assert latch.camera_for(None) == latch.camera_for((96, 128)) == latch.camera
    half = latch.camera_for((48, 64))
    assert (half.width, half.height, half.K[0, 0]) == (64, 48, 50.0)
    assert latch.camera_for((96, 96)) is None


def test_rectified_images_use_p() -> None:
    p = [80.0, 0, 60, 0, 0, 80, 40, 0, 0, 0, 1, 0]
    message = scenes.calibration((128, 96), 100.0, d=[0.1, 0, 0, 0, 0], p=p)
    latch = CameraLatch("/cam/camera_info", True, Notes())
    latch.take(message)
    assert (latch.camera.K[0, 0], latch.camera.distorted) == (80.0, False)


def test_camera_info_is_looked_for_beside_the_image(probe: ros_harness.Probe) -> None:
    from zeroco_ros.ros.depth.inputs import info_topic

    assert info_topic(probe.node, "/front/image_raw") == "/front/camera_info"
    assert info_topic(probe.node, "/image") == "/camera_info"
    remapped = SimpleNamespace(resolve_topic_name=lambda _: "/its/info", get_namespace=lambda: "/")
    assert info_topic(remapped, "/front/image_raw") == "/its/info"


class StandInTf:
    """What depth_node uses of tf2_ros, with one transform: (world, eye) at one second."""

    class TransformException(Exception):  # noqa: N818
        pass

    def __init__(self) -> None:
        self.listening = self.cleared = 0

    def Buffer(self) -> StandInTf:  # noqa: N802
        return self

    def TransformListener(self, buffer: Any, node: Any, *, spin_thread: bool) -> Any:  # noqa: N802
        assert not spin_thread
        self.listening += 1
        return SimpleNamespace(unregister=self._end)

    def _end(self) -> None:
        self.listening -= 1

    def clear(self) -> None:
        self.cleared += 1

    def lookup_transform(self, world: str, frame: str, when: Any) -> Any:
        if (world, frame, when.nanoseconds) != ("map", "eye", SECOND + 7):
            raise self.TransformException("extrapolation into the future")
        place, turn = SimpleNamespace(x=1.0, y=2.0, z=3.0), SimpleNamespace(x=0, y=0, z=0, w=1)
        return SimpleNamespace(transform=SimpleNamespace(translation=place, rotation=turn))


@pytest.mark.fault(29, "tf is asked without waiting", nodes="depth_node")
def test_tf_is_asked_without_waiting(
    probe: ros_harness.Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zeroco_ros.ros.depth.tf_poses import TfPoses

    tf = StandInTf()
    monkeypatch.setitem(sys.modules, "tf2_ros", tf)
    poses = TfPoses(probe.node, "map")
    (topic,) = poses.topics
    assert (topic.topic, topic.publishers) == ("/tf", 0)
    for _ in range(2):
        topic.subscribe()
    assert tf.listening == 1
    assert poses.at(SECOND, "eye") is None
    assert poses.problem == "tf: extrapolation into the future"
    assert np.allclose(poses.at(SECOND + 7, "eye")[:3, 3], [1, 2, 3])
    assert poses.problem == ""
    poses.jumped_to(0)
    topic.unsubscribe()
    assert (tf.listening, tf.cleared) == (0, 1)


class StandInStream:
    """A stream that answers with what it is told to."""

    def __init__(self, answers: list[Any]) -> None:
        self.answers = answers
        self.calls: list[str] = []
        self.camera: Any = None

    def stream(self, camera: Any) -> StandInStream:
        self.camera = camera
        return self

    def set_camera(self, camera: Any) -> None:
        self.camera = camera
        self.calls.append("set_camera")

    def clear(self) -> None:
        self.calls.append("clear")

    def push(self, image: Any, stamp: int, pose: Any) -> Any:
        self.calls.append("push")
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def result(value: float) -> Any:
    """Return a DepthResult as far as the job looks."""
    depth = np.full((2, 2), value, np.float32)
    return SimpleNamespace(
        depth=depth, sigma=depth, scale="metric", state="ok", parallax_px=1.0, keyframe=True
    )


@pytest.mark.fault(14, "infinite or negative depth is dropped; `non_finite`", nodes="depth_node")
def test_void_results_are_dropped_and_epochs_and_cameras_start_anew() -> None:
    """Row 14: a result that is not finite is counted and not published."""
    from zeroco_ros.engine.backend import NonFiniteOutput
    from zeroco_ros.online.depth_intake import DepthItem
    from zeroco_ros.ros.depth.job import DepthJob
    from zeroco_ros.ros.depth.node import DepthNode
    from zeroco_ros.ros.metrics import Metrics

    answers = [None, NonFiniteOutput("NaN"), result(np.inf), result(-1.0), result(np.nan)]
    stream, notes, metrics = StandInStream(answers), Notes(), Metrics(DepthNode.COUNTERS)
    published: list[Any] = []
    outputs = SimpleNamespace(
        wanted=lambda: {"depth"},
        publish_depth=lambda result, item, limit: published.append(result) or {"depth"},
    )
    model = SimpleNamespace(estimator=stream)
    values = {"max_depth": 0.0, "max_non_finite": 9}
    job = DepthJob(model, outputs, notes, metrics, lambda: values, SimpleNamespace())
    latch = CameraLatch("info", False, notes)
    latch.take(scenes.calibration((128, 96)))
    for epoch, size in ((1, 1), (1, 1), (2, 1), (3, 2), (3, 2)):
        pixels = np.zeros((96 * size, 128 * size), np.uint8)
        frame = SimpleNamespace(decode=lambda p=pixels: p, stamp=1, arrival=0.0, topic="image")
        job(DepthItem(frame, latch.camera, None, epoch))
    assert stream.calls == ["push", "push", "clear", "push", "set_camera", "push", "push"]
    assert [line for line in notes.lines if line.startswith("void")] == [
        "void: NaN",
        *["void: the depth has values that are infinite or negative"] * 2,
    ]
    assert len(published) == 1 and metrics.counts()["without_result"] == 1
    assert job.newest.coverage == 0.0
    assert metrics.counts()["restarts"] == 0
    anew = SimpleNamespace(**{**vars(result(np.nan)), "state": "starting"})
    stream.answers.append(anew)
    job(DepthItem(frame, latch.camera, None, 3))
    assert metrics.counts()["restarts"] == 1
    assert notes.lines[-1].startswith("tracking begins anew")


def test_what_goes_wrong_with_an_image_that_waits_is_its_own_affair(
    probe: ros_harness.Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The images after it go on; nothing waits in vain once the audience has left."""
    from zeroco_ros.online import depth_intake
    from zeroco_ros.ros.depth import inputs
    from zeroco_ros.ros.depth.node import DepthNode
    from zeroco_ros.ros.depth.parameters import TABLE
    from zeroco_ros.ros.metrics import Metrics

    monkeypatch.setattr(depth_intake, "MOST_WAITING", 3)
    submitted: list[Any] = []
    values = {**TABLE.defaults(), "pose_source": "pose", "patience": 60.0}
    failed: list[str] = []
    journal = SimpleNamespace(
        event=lambda *_: None,
        error=lambda *_: None,
        note=lambda *_: None,
        failed=lambda _where, error: failed.append(str(error)),
    )
    source = inputs.DepthInput(
        probe.node, values, journal, Metrics(DepthNode.COUNTERS), submitted.append
    )
    source.latch.take(scenes.calibration((128, 96)))
    answers: list[Any] = []

    def at(_stamp: int, _frame: str) -> Any:
        answer = answers.pop(0) if answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    source.poses.at = at

    def push(number: int) -> None:
        header = ros_harness.make_header(SECOND + number * 10**8)
        frame = SimpleNamespace(stamp=SECOND + number * 10**8, header=header)
        frame.arrival = float("inf")  # it has only just come
        source.push(frame, (96, 128))

    push(0)
    answers[:] = [RuntimeError("a broken library")]
    push(1)
    assert failed == ["a broken library"]
    assert source.waiting == 1
    answers[:] = [np.eye(4)]
    push(2)
    assert [item.frame.stamp for item in submitted] == [SECOND + 10**8]
    for number in range(3, 7):
        push(number)
    assert source.counts()["dropped"] == 2  # three may wait
    source.clear()
    assert source.counts()["dropped"] == 2 + 3
