"""The demonstration from a bag to pictures: `run_demo` does it all."""

from __future__ import annotations

import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from zeroco_ros.bag.reader import BagReader
from zeroco_ros.bag.writer import BagWriter
from zeroco_ros.demo.node_process import FlowNodeProcess
from zeroco_ros.demo.pictures import draw
from zeroco_ros.demo.scoring import brightness_change, score
from zeroco_ros.demo.session import INPUT, NAMESPACE, NODE, Record, Session
from zeroco_ros.demo.source import CameraSource, find_camera
from zeroco_ros.demo.summary import Summary
from zeroco_ros.demo.synthetic import FRAMES, SIZE, write_synthetic_bag
from zeroco_ros.demo.truth import find_truth
from zeroco_ros.errors import ConfigError

INPUT_BAG, OUTPUT_BAG, NODE_LOG = "input_bag", "output_bag", "flow_node.log"


@dataclass(frozen=True)
class DemoOptions:
    """What is shown. bag: None renders one; out: folder that gets everything; topic: the camera's,
    None finds it; rate: playing speed, None measures one. parameters: of flow_node (preset,
    weights, device, threads, ...). frames, size (height, width), seed: of the rendered bag.
    """

    bag: Path | None = None
    out: Path = Path("demo_out")
    topic: str | None = None
    rate: float | None = None
    parameters: dict[str, object] = field(default_factory=dict)
    frames: int = FRAMES
    size: tuple[int, int] = SIZE
    seed: int = 0
    progress: bool = True
    say: Callable[[str], None] = print
    warn: Callable[[str], None] = lambda text: print(text, file=sys.stderr)


def run_demo(options: DemoOptions) -> Summary:
    """Play a bag into a real flow_node, record, score, draw; everything lands in `options.out`.

    Raises BagError, ConfigError or BackendError, and KeyboardInterrupt after ending the node.
    """
    out = _prepared(options.out)
    bag = options.bag
    with _terminated_like_interrupted():
        if bag is None:
            bag = out / INPUT_BAG
            options.say(f"rendering {options.frames} frames into {bag}")
            write_synthetic_bag(
                bag,
                frames=options.frames,
                size=options.size,
                seed=options.seed,
                progress=options.progress,
            )
        with BagReader(bag, on_warning=options.warn) as reader:
            camera = find_camera(reader, options.topic)
            truth = find_truth(reader, camera)
            record, complaints, model = _play(reader, camera, out, options)
        output = out / OUTPUT_BAG
        scores = score(output, camera, truth, progress=options.progress) if truth else {}
        brightness = {} if scores else brightness_change(output, camera, progress=options.progress)
        written = draw(output, camera, out, progress=options.progress)
    summary = Summary(
        folder=str(out),
        camera=camera,
        record=record,
        truth=truth.words if truth else None,
        scores=scores,
        brightness=brightness,
        complaints=complaints,
        model=model,
        written=_listing(out, written, options.bag is None),
    )
    summary.write(out / "summary.json")
    return summary


def _play(
    reader: BagReader, camera: CameraSource, out: Path, options: DemoOptions
) -> tuple[Record, list[str], str]:
    """Everything that needs ROS; what happened, what the node complained of, what it runs."""
    transport = "compressed" if camera.compressed else "raw"
    parameters = {"image_transport": transport, **options.parameters}
    options.say(f"starting {NODE} and playing {camera.topic} of {camera.bag} into {INPUT}")
    with (
        BagWriter(out / OUTPUT_BAG, compression="chunk", overwrite=True) as keep,
        FlowNodeProcess(NAMESPACE, {"image": INPUT}, parameters, out / NODE_LOG) as process,
    ):
        record = Session(reader, camera, process, keep, options.rate).run(options.progress)
        code = process.stop()
        if code != 0:
            options.warn(f"flow_node ended with exit code {code}; its log: {process.log}")
        return record, process.complaints, process.model


def _prepared(out: Path) -> Path:
    """The output folder, rid of what an earlier demo left there and of nothing else."""
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out {out} is a file: give a folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
        if (out / "summary.json").exists():
            for path in [*out.glob("flow_[0-9][0-9][0-9].png"), out / "flow.gif"]:
                path.unlink(missing_ok=True)
            shutil.rmtree(out / INPUT_BAG, ignore_errors=True)
        (out / "summary.json").unlink(missing_ok=True)
        (out / NODE_LOG).touch()
    except OSError as error:
        raise ConfigError(f"--out {out} cannot be written: {error.strerror}") from error
    return out


def _listing(out: Path, pictures: list[Path], rendered: bool) -> list[str]:
    """What was written into `out`, by name; bags with their size."""
    stills = [path.name for path in pictures if path.suffix == ".png"]
    names = [" .. ".join(dict.fromkeys((stills[0], stills[-1])))] if stills else []
    names += [path.name for path in pictures if path.suffix != ".png"]
    for bag in (INPUT_BAG, OUTPUT_BAG) if rendered else (OUTPUT_BAG,):
        megabytes = sum(file.stat().st_size for file in (out / bag).iterdir()) / 1e6
        names.append(f"{bag} ({megabytes:.0f} MB)")
    return [*names, "summary.json", NODE_LOG]


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt, so that the node and half-written files do not stay."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
