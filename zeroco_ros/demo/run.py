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

"""The demonstration from a bag to pictures: `run_demo` does it all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
import shutil
import sys

from zeroco_ros.bag.reader import BagReader
from zeroco_ros.bag.writer import BagWriter
from zeroco_ros.demo.depth_pictures import draw_depth
from zeroco_ros.demo.depth_scoring import depth_facts, score_depth
from zeroco_ros.demo.node_process import NodeProcess
from zeroco_ros.demo.node_run import NodeRun
from zeroco_ros.demo.nodes import DEPTH, FLOW, NodeSpec
from zeroco_ros.demo.pictures import draw
from zeroco_ros.demo.scoring import brightness_change, score
from zeroco_ros.demo.session import INPUT, INPUT_INFO, INPUT_POSE, Session
from zeroco_ros.demo.summary import DepthFound, FlowFound, Summary
from zeroco_ros.demo.synthetic import FRAMES, SIZE, write_synthetic_bag
from zeroco_ros.errors import ConfigError
from zeroco_ros.evaluation.bag_camera import CameraSource, find_camera
from zeroco_ros.evaluation.bag_truth import find_depth, find_truth, TruthSource
from zeroco_ros.ros.interrupt import terminated_as_interrupted

INPUT_BAG, OUTPUT_BAG = "input_bag", "output_bag"
# The player may be slow, and poses that lie between frames come with the next one.
POSE_PATIENCE = 10.0  # seconds
_STILLS = ("flow_[0-9][0-9][0-9].png", "depth_[0-9][0-9][0-9].png")


@dataclass(frozen=True)
class DemoOptions:
    """
    What is shown.

    bag: None renders one; out: folder that gets everything; topic: the camera's, None finds it;
    rate: playing speed, None measures one. nodes: "flow_node", "depth_node" or both. parameters:
    of both nodes (preset, weights, device, threads, ...); depth_parameters: of depth_node, over
    those. frames, size (height, width), seed: of the rendered bag.
    """

    bag: Path | None = None
    out: Path = Path("demo_out")
    topic: str | None = None
    rate: float | None = None
    nodes: tuple[str, ...] = (FLOW.name, DEPTH.name)
    parameters: dict[str, object] = field(default_factory=dict)
    depth_parameters: dict[str, object] = field(default_factory=dict)
    frames: int = FRAMES
    size: tuple[int, int] = SIZE
    seed: int = 0
    progress: bool = True
    say: Callable[[str], None] = print
    warn: Callable[[str], None] = lambda text: print(text, file=sys.stderr)


def run_demo(options: DemoOptions) -> Summary:
    """
    Play a bag into real nodes, record, score, draw; everything lands in `options.out`.

    Raises BagError, ConfigError or BackendError, and KeyboardInterrupt after ending the nodes.
    """
    out = _prepared(options.out)
    with terminated_as_interrupted():
        bag = options.bag or _rendered(out / INPUT_BAG, options)
        with BagReader(bag, on_warning=options.warn) as reader:
            camera = find_camera(reader, options.topic)
            truth, depth_truth = find_truth(reader, camera), find_depth(reader, camera)
            specs, skipped = _chosen(options, camera)
            runs = _play_all(reader, camera, specs, options)
        flow = depth = None
        written: list[Path] = []
        if FLOW in runs:
            flow = _flow_found(runs[FLOW], truth, options)
            written += draw(out / OUTPUT_BAG, camera, out, progress=options.progress)
        if DEPTH in runs:
            moves = truth.flow if truth else None
            depth = _depth_found(runs[DEPTH], depth_truth, moves, options)
            written += _draw_depth(depth, options)
    summary = Summary(
        folder=str(out),
        camera=camera,
        flow=flow,
        depth=depth,
        skipped=skipped,
        written=_listing(out, written, options.bag is None, list(runs)),
    )
    summary.write(out / "summary.json")
    return summary


def _rendered(bag: Path, options: DemoOptions) -> Path:
    options.say(f"rendering {options.frames} frames into {bag}")
    write_synthetic_bag(
        bag,
        frames=options.frames,
        size=options.size,
        seed=options.seed,
        progress=options.progress,
    )
    return bag


def _chosen(options: DemoOptions, camera: CameraSource) -> tuple[list[NodeSpec], list[str]]:
    """Return the nodes to run, and why one that was asked for is not."""
    specs = [spec for spec in (FLOW, DEPTH) if spec.name in options.nodes]
    if DEPTH in specs and camera.info_topic is None:
        reason = f"depth_node: the bag has no camera_info beside {camera.topic}"
        if specs == [DEPTH]:
            raise ConfigError(f"{reason}; depth needs the camera's calibration")
        return [FLOW], [reason]
    return specs, []


def _play_all(
    reader: BagReader, camera: CameraSource, specs: list[NodeSpec], options: DemoOptions
) -> dict[NodeSpec, NodeRun]:
    """Everything that needs ROS, one node after the other, into one bag."""
    with BagWriter(options.out / OUTPUT_BAG, compression="chunk", overwrite=True) as keep:
        return {spec: _play(reader, camera, spec, keep, options) for spec in specs}


def _play(
    reader: BagReader, camera: CameraSource, spec: NodeSpec, keep: BagWriter, options: DemoOptions
) -> NodeRun:
    """Return what happened, what the node complained of, what it runs."""
    transport = "compressed" if camera.compressed else "raw"
    parameters = {"image_transport": transport, **options.parameters}
    remap = {"image": INPUT}
    poses = camera.pose_topic if spec is DEPTH else None
    if spec is DEPTH:
        parameters |= {"patience": POSE_PATIENCE, **options.depth_parameters}
        parameters["pose_source"] = "pose" if poses else "none"
        remap |= {"camera_info": INPUT_INFO, "pose": INPUT_POSE}
    options.say(f"starting {spec.path} and playing {camera.topic} of {camera.bag} into {INPUT}")
    log = options.out / f"{spec.name}.log"
    with NodeProcess(spec, remap, parameters, log) as process:
        session = Session(reader, camera, spec, process, keep, rate=options.rate, poses=poses)
        record = session.run(options.progress)
        code = process.stop()
        if code != 0:
            options.warn(f"{spec.name} ended with exit code {code}; its log: {process.log}")
        return NodeRun(spec, camera, record, process.complaints, process.model)


def _flow_found(run: NodeRun, truth: TruthSource | None, options: DemoOptions) -> FlowFound:
    output, show = options.out / OUTPUT_BAG, options.progress
    scores = score(output, run.camera, truth, progress=show) if truth else {}
    brightness = {} if scores else brightness_change(output, run.camera, progress=show)
    return FlowFound(run, truth.words if truth else None, scores, brightness)


def _depth_found(
    run: NodeRun, truth: str | None, flow: str | None, options: DemoOptions
) -> DepthFound:
    output = options.out / OUTPUT_BAG
    said = run.record.said.get("scale", [])
    scale = said[-1] if said else None
    found = None
    if truth is not None:
        found = score_depth(
            output,
            run.camera,
            truth,
            scaled=scale != "metric",
            flow=flow,
            progress=options.progress,
        )
    return DepthFound(run, run.camera.pose_topic, scale, truth, found, depth_facts(output))


def _draw_depth(depth: DepthFound, options: DemoOptions) -> list[Path]:
    return draw_depth(
        options.out / OUTPUT_BAG,
        depth.run.camera,
        options.out,
        metric=depth.scale == "metric",
        truth=depth.truth,
        progress=options.progress,
    )


def _prepared(out: Path) -> Path:
    """Return the output folder, rid of what an earlier demo left there and of nothing else."""
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out {out} is a file: give a folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
        if (out / "summary.json").exists() or (out / f"{FLOW.name}.log").exists():
            stills = [path for pattern in _STILLS for path in out.glob(pattern)]
            logs = [out / f"{spec.name}.log" for spec in (FLOW, DEPTH)]
            for path in [*stills, out / "flow.gif", out / "depth.gif", *logs]:
                path.unlink(missing_ok=True)
            shutil.rmtree(out / INPUT_BAG, ignore_errors=True)
        (out / "summary.json").unlink(missing_ok=True)
        (out / f"{FLOW.name}.log").touch()
    except OSError as error:
        raise ConfigError(f"--out {out} cannot be written: {error.strerror}") from error
    return out


def _listing(out: Path, pictures: list[Path], rendered: bool, ran: list[NodeSpec]) -> list[str]:
    """Return what was written into `out`, by name; bags with their size."""
    names: list[str] = []
    for spec in ran:
        stills = [p.name for p in pictures if p.name.startswith(f"{spec.outputs[0]}_")]
        names += [" .. ".join(dict.fromkeys((stills[0], stills[-1])))] if stills else []
    names += [path.name for path in pictures if path.suffix != ".png"]
    for bag in (INPUT_BAG, OUTPUT_BAG) if rendered else (OUTPUT_BAG,):
        megabytes = sum(file.stat().st_size for file in (out / bag).iterdir()) / 1e6
        names.append(f"{bag} ({megabytes:.0f} MB)")
    return [*names, "summary.json", *(f"{spec.name}.log" for spec in ran)]
