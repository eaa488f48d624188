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

"""One bag through the estimators: `replay_bag` reads, estimates, writes and measures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
import re
import shutil
import time
from typing import Any, TYPE_CHECKING

from zeroco_ros.bag.images import COMPRESSED
from zeroco_ros.bag.player import on_time
from zeroco_ros.bag.reader import BagReader, NANOSECONDS
from zeroco_ros.bag.records import BagMessage
from zeroco_ros.bag.writer import BagWriter
from zeroco_ros.errors import BagError, ImageError
from zeroco_ros.replay.bag_record import record_of, timing_of
from zeroco_ros.replay.depth_task import DepthTask
from zeroco_ros.replay.events import EventLog
from zeroco_ros.replay.flow_task import FlowTask
from zeroco_ros.replay.inputs import (
    find_inputs,
    Inputs,
    open_pose_source,
    pose_kind_of,
    ReplayFrame,
    right_camera,
)
from zeroco_ros.replay.job import FRAMES, Job, Part, Values
from zeroco_ros.replay.messages import ResultBag
from zeroco_ros.replay.reference import Reference
from zeroco_ros.replay.rows import MODEL
from zeroco_ros.replay.stage import Stage, Task
from zeroco_ros.ros.depth.counters import COUNTERS as DEPTH_COUNTERS

if TYPE_CHECKING:
    from zeroco_ros.ros.model import RunningModel

Progress = Callable[[int, int], None]


class Models:
    """The networks of one process, each opened when it is first needed, as its node would."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[Values, RunningModel[Any]]] = {}

    def get(self, task: str, values: Values) -> RunningModel[Any]:
        """Return the estimator of a task. Raises what the node would fail to configure with."""
        held = self._open.get(task)
        if held is not None and held[0] == values:
            return held[1]
        if task == "flow":
            from zeroco_ros.ros.flow.model import load_model as load
        else:
            from zeroco_ros.ros.depth.model import load_model as load  # type: ignore[assignment]
        found = load(values)
        self._open[task] = values, found
        return found


def replay_bag(
    job: Job, models: Models, key: str, sha256: str, progress: Progress | None = None
) -> Part:
    """
    Return the result of one bag; its output bag and pictures are written beside.

    progress: called with (images done, images there are). Raises BagError, ConfigError and what
    opening the networks raises.
    """
    began = time.perf_counter()
    warnings: list[str] = []
    with ExitStack() as stack:
        reader = stack.enter_context(BagReader(job.path, on_warning=warnings.append))
        inputs, values = _inputs(reader, job)
        reference = stack.enter_context(
            Reference(job.path, inputs.camera, job.reference, job.name)
        )
        running = {task: models.get(task, own) for task, own in values.items()}
        # What the network takes longer for when it runs first is not the bag's.
        began_frames = time.perf_counter()
        stage = Stage(ResultBag(None), reference)
        tasks = _tasks(reader, values, inputs, running, stage)
        _clean(job)
        if job.keep:
            stage.bag = ResultBag(stack.enter_context(BagWriter(job.bag, compression="chunk")))
        _play(reader, job, inputs, tasks, stage, progress)
        messages, span = reader.message_count, (reader.start_ns, reader.duration)
    record = record_of(job, inputs, tasks, stage, sha256, warnings, messages, span)
    seconds = time.perf_counter() - began_frames
    return Part(
        key,
        record,
        stage.pool,
        timing_of(job, stage, seconds, began_frames - began),
        {f"{task}: {k}": v for task, model in running.items() for k, v in model.facts.items()},
        seconds,
        stage.clock.total(MODEL),
    )


def _clean(job: Job) -> None:
    """Remove what an earlier run of the bag has left."""
    if job.bag.exists():
        shutil.rmtree(job.bag)
    own = re.compile(rf"{re.escape(job.name)}_\d{{6}}_[a-z_0-9]+\.png")
    for picture in (job.out / FRAMES).glob("*.png"):
        if own.fullmatch(picture.name):
            picture.unlink(missing_ok=True)


def _inputs(reader: BagReader, job: Job) -> tuple[Inputs, dict[str, Values]]:
    """Return the topics, and the parameters: --poses alone means the pose_source that reads it."""
    values = dict(job.values)
    depth = values.get("depth")
    kind = str(depth["pose_source"]) if depth else "none"
    if depth and job.poses is not None and kind == "none":
        kind = pose_kind_of(reader, job.poses)
        values["depth"] = {**depth, "pose_source": kind}
    inputs = find_inputs(reader, job.topic, job.info, kind, job.poses)
    if depth and inputs.info is None:
        raise BagError(
            f"{job.path} has no camera_info beside {inputs.camera}, which depth needs: name it "
            "with --camera-info, or use --task flow"
        )
    flow = values.get("flow")
    if flow and flow["pairing"] == "synchronized":
        inputs = replace(inputs, right=right_camera(reader, inputs.camera, job.right))
    return inputs, values


def _tasks(
    reader: BagReader,
    all_values: Mapping[str, Values],
    inputs: Inputs,
    running: Mapping[str, RunningModel[Any]],
    stage: Stage,
) -> dict[str, Task]:
    tasks: dict[str, Task] = {}
    for name, values in all_values.items():
        estimator = running[name].estimator
        if name == "flow":
            tasks[name] = FlowTask(values, estimator, stage)
        else:
            log = EventLog(list(DEPTH_COUNTERS))
            poses = open_pose_source(reader, inputs, values, log)
            tasks[name] = DepthTask(values, estimator, stage, inputs, poses, log)
    return tasks


def _play(
    reader: BagReader,
    job: Job,
    inputs: Inputs,
    tasks: Mapping[str, Task],
    stage: Stage,
    progress: Progress | None,
) -> None:
    """Feed the messages in the order of recording."""
    total, done = reader.topics[inputs.camera].count, 0
    for message in _paced(reader.messages(inputs.topics), job.rate):
        stage.now = (message.stamp_ns - reader.start_ns) / NANOSECONDS
        if message.topic in inputs.cameras:
            _take_image(reader, message, job, inputs, tasks, stage)
            done += message.topic == inputs.camera
            if progress is not None:
                progress(done, total)
        else:
            _take_message(reader, message, tasks)
    for task in tasks.values():
        task.finish()


def _paced(messages: Iterable[BagMessage], rate: float) -> Iterator[BagMessage]:
    if not rate:
        yield from messages
        return
    for message, _ in on_time(iter(messages), rate):
        yield message


def _take_image(
    reader: BagReader,
    message: BagMessage,
    job: Job,
    inputs: Inputs,
    tasks: Mapping[str, Task],
    stage: Stage,
) -> None:
    """As `ros.input_topic.ImageTopic`: a raw image is judged before it is paired."""
    side = inputs.cameras[message.topic]
    row = stage.rows.begin(0) if side == 0 else len(stage.rows.stamps) - 1
    for name, task in tasks.items():
        if side and name == "depth":
            continue
        task.log.add("in")
        try:
            with stage.clock.measure("decode", row):
                decoded = reader.decode(message)
                frame = ReplayFrame(decoded, message.topic, job.values[name], stage.now)
                frame.row, frame.recorded, task.log.now = row, message.stamp_ns, frame.stamp
                if side == 0:
                    stage.rows.stamps[row] = frame.stamp
                pixels = frame.decode()
            compressed = reader.topics[message.topic].type == COMPRESSED
            task.take(frame, None if compressed else pixels.shape[:2], side)
        except (ImageError, BagError) as error:
            task.log.refuse(message.topic, str(error))
        except Exception as error:  # as in the node: the stream goes on
            task.log.failed(message.topic, error)


def _take_message(reader: BagReader, message: BagMessage, tasks: Mapping[str, Task]) -> None:
    """As `ros.input_topic.InputTopic`."""
    try:
        decoded = reader.decode(message)
    except BagError as error:
        for task in tasks.values():
            task.log.error(message.topic, str(error))
        return
    for task in tasks.values():
        task.take_message(message.topic, decoded)
