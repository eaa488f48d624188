"""One bag through the estimators: `replay_bag` reads, estimates, writes and measures."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from zeroco_ros.bag.images import COMPRESSED
from zeroco_ros.bag.player import on_time
from zeroco_ros.bag.reader import NANOSECONDS, BagReader
from zeroco_ros.bag.records import BagMessage
from zeroco_ros.bag.writer import BagWriter
from zeroco_ros.errors import BagError, ImageError
from zeroco_ros.media.images import write_image
from zeroco_ros.replay.depth_task import DepthTask
from zeroco_ros.replay.events import EventLog
from zeroco_ros.replay.flow_task import FlowTask
from zeroco_ros.replay.inputs import (
    Inputs,
    ReplayFrame,
    find_inputs,
    open_pose_source,
    pose_kind_of,
    right_camera,
)
from zeroco_ros.replay.job import BAGS, FRAMES, Job, Part, Values
from zeroco_ros.replay.messages import ResultBag
from zeroco_ros.replay.record import BagRecord, BagTiming, WorstFrame
from zeroco_ros.replay.record import Values as Metrics
from zeroco_ros.replay.reference import Reference
from zeroco_ros.replay.rows import LATENCY, MODEL
from zeroco_ros.replay.stage import Stage
from zeroco_ros.ros.depth.counters import COUNTERS as DEPTH_COUNTERS

if TYPE_CHECKING:
    from zeroco_ros.ros.model import RunningModel

Progress = Callable[[int, int], None]


class Task(Protocol):
    """FlowTask or DepthTask."""

    log: EventLog

    def take(self, frame: ReplayFrame, shape: tuple[int, ...] | None, side: int) -> None:
        """Take the next image of a camera."""

    def take_message(self, topic: str, message: Any) -> None:
        """Take another message."""

    def finish(self) -> None:
        """End."""

    @property
    def counters(self) -> dict[str, int]:
        """All counters of the node."""


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
    """Return the result of one bag; its output bag and pictures are written beside.

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
        if job.keep:
            if job.bag.exists():
                shutil.rmtree(job.bag)
            stage.bag = ResultBag(stack.enter_context(BagWriter(job.bag, compression="chunk")))
        _play(reader, job, inputs, tasks, stage, progress)
        messages, span = reader.message_count, (reader.start_ns, reader.duration)
    record = _record(job, inputs, tasks, stage, sha256, warnings, messages, span)
    seconds = time.perf_counter() - began_frames
    return Part(
        key,
        record,
        stage.pool,
        _timing(job, stage, seconds, began_frames - began),
        {f"{task}: {k}": v for task, model in running.items() for k, v in model.facts.items()},
        seconds,
        stage.clock.total(MODEL),
    )


def _inputs(reader: BagReader, job: Job) -> tuple[Inputs, dict[str, Values]]:
    """The topics, and the parameters: --poses alone means the pose_source that reads it."""
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


def _record(
    job: Job,
    inputs: Inputs,
    tasks: Mapping[str, Task],
    stage: Stage,
    sha256: str,
    warnings: list[str],
    messages: int,
    span: tuple[int, float],
) -> BagRecord:
    calibration = stage.pool.calibration()
    summary = _summary(tasks, stage)
    counters = {
        f"{name}_{counter}": count
        for name, task in tasks.items()
        for counter, count in task.counters.items()
        if count or counter in ("in", "out")
    }
    events = [event for task in tasks.values() for event in task.log.events]
    left = sum(task.log.left_out for task in tasks.values())
    if left:
        warnings.append(f"{left} events more are only counted")
    return BagRecord(
        name=job.name,
        path=str(job.path),
        sha256=sha256,
        status="ok",
        folder=f"{BAGS}/{job.name}" if job.keep else None,
        topics=inputs.as_dict(),
        messages=messages,
        start=span[0],
        duration=span[1],
        summary=summary,
        counters=counters,
        events=sorted(events, key=lambda event: event.stamp),
        frames=stage.rows.table(),
        calibration=calibration,
        histograms=stage.pool.shown(),
        worst=_pictures(job, stage),
        reference=dict(sorted(stage.reference.words.items())),
        warnings=warnings,
    )


def _summary(tasks: Mapping[str, Task], stage: Stage) -> Metrics:
    found: Metrics = {}
    depth = tasks.get("depth")
    if isinstance(depth, DepthTask):
        found, by_row = depth.track.score()
        for row, values in by_row.items():
            stage.rows.put(row, values)
        states = [state for state in stage.rows.states if state != "none"]
        found["lost_frames"] = states.count("lost") / len(states) if states else None
    for name, task in tasks.items():
        count = len(stage.rows.stamps)
        found[f"{name}_answered"] = task.counters["out"] / count if count else None
    calibration = stage.pool.calibration().confidence
    if calibration is not None:
        found["confidence_ece"] = calibration.ece
        found["confidence_brier"] = calibration.brier
    return {**stage.rows.means(), **found}


def _pictures(job: Job, stage: Stage) -> list[WorstFrame]:
    worst = []
    for metric, bad in stage.worst:
        picture = f"{FRAMES}/{job.name}_{bad.row:06d}_{metric}.png"
        write_image(job.out / picture, bad.picture)
        stamp = stage.rows.stamps[bad.row]
        worst.append(WorstFrame(stamp, bad.row, metric, bad.value, picture, bad.caption))
    return worst


def _timing(job: Job, stage: Stage, seconds: float, opening: float) -> BagTiming:
    count = len(stage.rows.stamps)
    columns = stage.clock.columns(count)
    latency = [value for value in columns["latency_ms"] if value is not None]
    model = stage.clock.total(MODEL)
    done = len(latency)
    summary: Metrics = {
        "fps": count / seconds if seconds else None,
        "model_fps": done / model if model else None,
        "latency_ms": sum(latency) / done if done else None,
        "model_ms": 1000 * model / done if done else None,
        "wall_s": seconds,
        "opening_s": opening,
        "latency_s": stage.clock.total(LATENCY),
    }
    return BagTiming(job.name, summary, stage.clock.summary(), columns)
