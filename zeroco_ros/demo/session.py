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

"""
Playing a camera into the running node and recording what it answers.

The pace is one the machine holds. The first frames go one by one, each waiting for its answer, and
show how long the node takes; the rest is played on the bag's own schedule, slowed down as far as
that asks for. Should the machine be slower for a while (something else runs), the next frame is
held back while two are unanswered: the node itself would drop one, as it must on a robot. With a
speed given by the user nothing is held back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
import threading
import time

import numpy as np
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String
from tqdm import tqdm

from zeroco_ros.bag.header import Header, read_header
from zeroco_ros.bag.images import IMAGE
from zeroco_ros.bag.player import on_time
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.bag.records import BagMessage, OfferedQos, Topic
from zeroco_ros.bag.writer import BagWriter
from zeroco_ros.demo.node_process import NodeProcess
from zeroco_ros.demo.nodes import NAMESPACE, NodeSpec
from zeroco_ros.errors import BackendError
from zeroco_ros.evaluation.bag_camera import CameraSource
from zeroco_ros.ros.bag_player import player_node, TopicSink
from zeroco_ros.ros.recorder import Received, Spinner, TopicRecorder

INPUT = f"{NAMESPACE}/camera/image_raw"
INPUT_INFO = f"{NAMESPACE}/camera/camera_info"
INPUT_POSE = f"{NAMESPACE}/camera/pose"

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)

START_PATIENCE = 180.0  # seconds until the node must listen; torch loads slowly from a cold disk
FIRST_PATIENCE = 60.0  # seconds for the first answer, which warms everything up
PATIENCE = 20.0  # seconds for any other
LATE = 5.0  # seconds for what is published beside the last answer, which not every frame has
MEASURED = 8  # frames that are played one by one, those that warm up among them
MARGIN = 1.25  # the pace leaves this much room over the measured time
UNANSWERED = 2  # frames: one in work, one waiting


@dataclass
class Record:
    """
    What happened, by header stamp in nanoseconds.

    sent: when each frame was published, answered: when its first output came (monotonic seconds).
    headers: of all answers, by output name in the order of arrival. paced: stamps of the frames
    that were played on schedule. rate: the speed of that; step: seconds that a frame took when
    they went one by one; held: frames held back; held_seconds: for how long in all. said: what the
    node said on its latched topics, in order, by output name.
    """

    sent: dict[int, float] = field(default_factory=dict)
    answered: dict[int, float] = field(default_factory=dict)
    headers: dict[str, list[Header]] = field(default_factory=dict)
    paced: list[int] = field(default_factory=list)
    rate: float = 1.0
    step: float = 0.0
    held: int = 0
    held_seconds: float = 0.0
    said: dict[str, list[str]] = field(default_factory=dict)


class Session:
    """
    One camera played into one node; use `run` once.

    spec: the node. process: it, running. keep: the bag that gets its answers, stamped with their
    headers' time. rate: speed, None to measure one. poses: topic of the bag that is played to it
    as the camera's poses, or None.
    """

    def __init__(
        self,
        reader: BagReader,
        camera: CameraSource,
        spec: NodeSpec,
        process: NodeProcess,
        keep: BagWriter,
        *,
        rate: float | None = None,
        poses: str | None = None,
    ) -> None:
        self.record = Record(headers={name: [] for name in spec.outputs})
        self._spec, self._poses = spec, poses
        self._reader, self._camera, self._process, self._keep = reader, camera, process, keep
        self._given_rate = rate
        self._last: int | None = None
        self._possible = set(camera.possible)
        self._pending: deque[int] = deque()  # frames sent, in order, that wait for an answer
        self._newest = dict.fromkeys(spec.outputs, -1)
        self._newest_beside = dict.fromkeys(spec.beside, -1)
        self._changed = threading.Condition()
        self._keeping = threading.Lock()

    def run(self, progress: bool = True) -> Record:
        """
        Play everything; returns when the last answer is there or overdue.

        Raises BackendError where the node does not start or ends on the way.
        """
        with player_node(NAMESPACE) as node:
            self._play(node, progress)
        return self.record

    def _play(self, node: Node, progress: bool) -> None:
        played = self._played_topics()
        self._sink = TopicSink(node, played, remap=self._names(), clock=False)
        outputs = dict.fromkeys(self._spec.outputs, IMAGE) | dict(self._spec.beside)
        topics = {f"{self._spec.path}/{name}": kind for name, kind in outputs.items()}
        recorder = TopicRecorder(node, topics, self._receive)
        for name in self._spec.words:
            heard = self.record.said.setdefault(name, [])
            node.create_subscription(
                String, f"{self._spec.path}/{name}", partial(_hear, heard), LATCHED
            )
        hidden = None if progress else True  # None: no bar where stderr is no terminal
        with Spinner(node):
            self._wait_for_node(recorder)
            total = len(self._camera.headers)
            with tqdm(total=total, desc="playing", unit="frame", disable=hidden) as bar:
                messages = self._reader.messages([topic.name for topic in played])
                self._on_schedule(self._one_by_one(messages, bar), bar)
            self._wait(lambda: not self._pending, PATIENCE)
            self._wait(self._all_beside, LATE)
        recorder.close()

    def _played_topics(self) -> list[Topic]:
        """Give camera's topics, reliable: a frame lost on its way would not be the node's loss."""
        names = [self._camera.topic, self._camera.info_topic, self._poses]
        topics = [self._reader.topics[name] for name in names if name is not None]
        quality = OfferedQos("reliable", "volatile", 10)
        return [Topic(t.name, t.type, t.count, quality) for t in topics]

    def _names(self) -> dict[str, str]:
        """Topic of the bag -> topic of the demo."""
        suffix = "/compressed" if self._camera.compressed else ""
        names = {self._camera.topic: INPUT + suffix}
        if self._camera.info_topic is not None:
            names[self._camera.info_topic] = INPUT_INFO
        if self._poses is not None:
            names[self._poses] = INPUT_POSE
        return names

    def _wait_for_node(self, recorder: TopicRecorder) -> None:
        """Until the node offers its outputs and, because we listen, listens to the camera."""
        image = self._sink.publishers[self._camera.topic]
        if not self._wait(
            lambda: recorder.connected and image.get_subscription_count() > 0, START_PATIENCE
        ):
            raise BackendError(
                f"{self._spec.name} does not listen after {START_PATIENCE:g} s; its log: "
                f"{self._process.log}"
            )
        self._sink.wait_for_subscribers(PATIENCE)

    def _one_by_one(self, messages: Iterator[BagMessage], bar: tqdm) -> Iterator[BagMessage]:
        """
        Return the first frames, each after the answer to the one before; sets the rate.

        What lies between two frames is played before the wait: the answer may need it, as a pose
        behind the frame's stamp. Returns the messages that are left.
        """
        count = min(MEASURED, len(self._camera.headers) // 2)
        steps: list[float] = []
        asked: int | None = None
        for message in messages:
            if message.topic == self._camera.topic:
                self._leave_time()
            if message.topic == self._camera.topic and asked is not None:
                steps += self._answer_time(asked, FIRST_PATIENCE if not steps else PATIENCE)
                asked = None
                if len(steps) >= count:
                    messages = chain([message], messages)
                    break
            stamp = self._feed(message, bar)
            asked = stamp if stamp in self._possible else asked
        if asked is not None:
            steps += self._answer_time(asked, FIRST_PATIENCE if not steps else PATIENCE)
        self._process.check()
        if not steps:
            raise BackendError(
                f"{self._spec.name} does not answer within {FIRST_PATIENCE:g} s; its log: "
                f"{self._process.log}"
            )
        self.record.step = float(np.median(steps[self._spec.warm_up :] or steps))
        self.record.rate = self._given_rate or holdable_rate(self._camera.period, self.record.step)
        return messages

    def _answer_time(self, stamp: int, patience: float) -> list[float]:
        """Wait for the answer to a frame; the seconds it took, nothing where it did not come."""
        self._wait(lambda: not self._pending, patience)
        answered = self.record.answered.get(stamp)
        return [] if answered is None else [answered - self.record.sent[stamp]]

    def _on_schedule(self, messages: Iterator[BagMessage], bar: tqdm) -> None:
        """Play the rest of the bag at the rate."""
        for message, _ in on_time(messages, self.record.rate):
            if message.topic == self._camera.topic and self._given_rate is None:
                self._hold_back()
            stamp = self._feed(message, bar)
            if stamp is not None:
                self.record.paced.append(stamp)

    def _hold_back(self) -> None:
        """Wait while the node has enough to do."""
        self._leave_time()
        began = time.monotonic()
        if len(self._pending) >= UNANSWERED:
            self._wait(lambda: len(self._pending) < UNANSWERED, PATIENCE)
            self.record.held += 1
            self.record.held_seconds += time.monotonic() - began

    def _leave_time(self) -> None:
        """Wait where the frame before gets no answer that could be waited for."""
        if self._last is not None and self._last not in self._possible:
            ready = self.record.sent[self._last] + self._spec.unanswered
            time.sleep(max(0.0, ready - time.monotonic()))

    def _feed(self, message: BagMessage, bar: tqdm) -> int | None:
        """Publish a message; its header's stamp where it is a frame."""
        stamp = read_header(message.data).stamp_ns
        is_frame = message.topic == self._camera.topic
        if is_frame:
            self._last = stamp
            with self._changed:
                self.record.sent[stamp] = time.monotonic()
                if stamp in self._possible:
                    self._pending.append(stamp)
        self._sink.publish(message)
        if is_frame:
            bar.update()
        return stamp if is_frame else None

    def _receive(self, received: Received) -> None:
        """Take an answer of the node; on the recorder's thread."""
        name = received.topic.rpartition("/")[2]
        stamp = received.header.stamp_ns
        if name in self._newest:
            self._note(name, received)
        with self._keeping:
            self._keep.write(self._spec.kept(name), received.type, stamp, received.data)
        if name in self._newest_beside:
            with self._changed:
                self._newest_beside[name] = max(stamp, self._newest_beside[name])
                self._changed.notify_all()

    def _all_beside(self) -> bool:
        """Whether everything beside the last answer is there: each topic comes on its own way."""
        last = max(self.record.answered, default=-1)
        return all(stamp >= last for stamp in self._newest_beside.values())

    def _note(self, name: str, received: Received) -> None:
        stamp = received.header.stamp_ns
        with self._changed:
            self.record.headers[name].append(received.header)
            if name == self._spec.outputs[0]:
                self.record.answered.setdefault(stamp, received.arrival)
            self._newest[name] = max(stamp, self._newest[name])
            # With one answer of two the node is still at it. What was overtaken never comes.
            answered = min(self._newest.values())
            while self._pending and self._pending[0] <= answered:
                self._pending.popleft()
            self._changed.notify_all()

    def _wait(self, condition: Callable[[], bool], patience: float) -> bool:
        """Wait for something that an answer or the node's state brings about."""
        end = time.monotonic() + patience
        while True:
            with self._changed:
                if condition():
                    return True
                if time.monotonic() >= end:
                    return False
                self._changed.wait(0.1)
            self._process.check()


def _hear(heard: list[str], message: String) -> None:
    heard.append(message.data)


def holdable_rate(period: float, step: float) -> float:
    """
    Speed at which frames `period` seconds apart leave MARGIN x `step` seconds for each.

    At most 1; rounded down to two digits, so that it can be told.
    """
    rate = min(1.0, period / (MARGIN * step)) if step > 0 else 1.0
    digits = 1 - int(np.floor(np.log10(rate)))
    return float(np.floor(rate * 10**digits) / 10**digits)
