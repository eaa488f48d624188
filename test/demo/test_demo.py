"""The demo from end to end, with the real node as a real process."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")

from zeroco_ros.bag.header import read_header
from zeroco_ros.bag.images import decode_image
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.bag.writer import BagWriter
from zeroco_ros.cli import main

# each run starts a node that loads PyTorch: half a minute on a busy machine, before it plays
pytestmark = pytest.mark.timeout(400)
FRAMES, WIDTH, HEIGHT = 24, 160, 120


def zeroco(*arguments: object) -> tuple[int, str, str]:
    """The command in this process; exit code, stdout, stderr."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as leaving:
            code = int(leaving.code or 0)
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def demo(
    tmp_path_factory: pytest.TempPathFactory, tiny_weights: Path
) -> tuple[Path, int, str, str]:
    """One run of `zeroco demo` on a rendered bag: its folder, exit code, stdout, stderr."""
    out = tmp_path_factory.mktemp("demo") / "out"
    size = f"{HEIGHT}x{WIDTH}"
    options = ["--frames", FRAMES, "--size", size, "--weights", tiny_weights, "--threads", 1]
    return out, *zeroco("demo", "--out", out, *options)


@pytest.fixture(scope="module")
def summary(demo: tuple[Path, int, str, str]) -> dict[str, Any]:
    return dict(json.loads((demo[0] / "summary.json").read_text()))


def test_every_possible_flow_comes(
    demo: tuple[Path, int, str, str], summary: dict[str, Any]
) -> None:
    _, code, out, err = demo
    assert (code, err) == (0, "")
    assert f"flow out  {FRAMES - 1} of {FRAMES - 1} possible (100.0 %)" in out
    assert summary["frames_in"] == FRAMES
    assert summary["flow_possible"] == summary["flow_out"] == FRAMES - 1
    assert summary["confidence_out"] == FRAMES - 1
    assert summary["wrong_headers"] == 0
    assert summary["node_complaints"] == []
    assert 0 < summary["play_rate"] <= 1
    assert summary["played_hz"] == pytest.approx(10 * summary["play_rate"])
    assert 0 < summary["latency_median_s"] <= summary["latency_p95_s"]
    assert summary["rate_out_hz"] > 0
    assert "tiny.safetensors" in summary["model"]


def test_the_output_bag_holds_it_all_with_the_frames_stamps(
    demo: tuple[Path, int, str, str],
) -> None:
    out = demo[0]
    with BagReader(out / "input_bag") as reader:
        sent = {
            read_header(m.data).stamp_ns: m.data for m in reader.messages(["/camera/image_raw"])
        }
    with BagReader(out / "output_bag") as reader:
        assert reader.complete
        assert {name: topic.count for name, topic in reader.topics.items()} == {
            "/camera/image_raw": FRAMES,
            "/camera/camera_info": FRAMES,
            "/flow_node/flow": FRAMES - 1,
            "/flow_node/confidence": FRAMES - 1,
        }
        for message in reader:
            header = read_header(message.data)
            assert header.stamp_ns == message.stamp_ns
            assert header.frame_id == "camera_optical_frame"
            if message.topic == "/camera/image_raw":
                assert message.data == sent[header.stamp_ns]
            if message.topic == "/flow_node/flow":
                flow = decode_image(reader.decode(message))
                assert flow.shape == (HEIGHT, WIDTH, 2)
                assert flow.dtype == np.float32
                assert np.isfinite(flow).all()


def test_pictures_and_animation(demo: tuple[Path, int, str, str]) -> None:
    out = demo[0]
    stills = sorted(out.glob("flow_*.png"))
    assert [path.name for path in stills][:: len(stills) - 1] == ["flow_000.png", "flow_022.png"]
    assert len(stills) == 6
    for path in stills:
        picture = cv2.imread(str(path))
        assert picture.shape[1] == 3 * WIDTH + 2 * 4
        assert picture.shape[0] > HEIGHT
    with Image.open(out / "flow.gif") as animation:
        assert animation.n_frames == FRAMES - 1
        assert animation.info["duration"] == 100
    # the first panel is the frame itself
    with BagReader(out / "input_bag") as reader:
        frame = decode_image(reader.decode(list(reader.messages(["/camera/image_raw"]))[1]))
    first = cv2.cvtColor(cv2.imread(str(stills[0])), cv2.COLOR_BGR2RGB)
    np.testing.assert_array_equal(first[-HEIGHT:, :WIDTH], frame)


def test_accuracy_is_beside_that_of_simple_methods(
    demo: tuple[Path, int, str, str], summary: dict[str, Any]
) -> None:
    accuracy = summary["accuracy"]
    assert list(accuracy) == ["flow_node", "OpenCV DIS", "no motion"]
    assert {score["pairs"] for score in accuracy.values()} == {FRAMES - 1}
    # recorded truth, direction and grid are right: DIS must beat standing still by far
    assert accuracy["OpenCV DIS"]["aepe_px"] < 0.5 * accuracy["no motion"]["aepe_px"]
    assert accuracy["no motion"]["aepe_px"] > accuracy["no motion"]["median_motion_px"] / 2
    # small motion is found even without a trained network; the wrong sign would double the error
    assert accuracy["flow_node"]["aepe_px"] < 1.5 * accuracy["no motion"]["aepe_px"]
    assert "AEPE" in demo[2]


def test_a_second_demo_replaces_the_first_and_nothing_else(
    tiny_weights: Path, tmp_path: Path
) -> None:
    """With a bag this time: compressed frames, no truth, a gap, a rate that is given.

    At that rate frames are a second apart: nothing is held back, and the slowest machine follows.
    """
    bag = compressed_copy(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    (out / "summary.json").write_text("{}")
    (out / "flow_999.png").write_text("old")
    options = ["--rate", 0.1, "--weights", tiny_weights, "--threads", 1]
    code, text, err = zeroco("demo", "--bag", bag, "--out", out, *options)
    assert (code, err) == (0, "")
    assert "flow out  6 of 6 possible" in text
    assert "played    at 0.1x = 1.0 Hz" in text
    assert "the bag has no ground truth" in text
    summary = json.loads((out / "summary.json").read_text())
    assert summary["frames_in"] == 8
    assert (summary["encoding"], summary["held_back"]) == ("png", 0)
    assert summary["accuracy"] == {}
    assert set(summary["brightness_change"]) == {"flow_node", "OpenCV DIS", "no motion"}
    assert (out / "mine.txt").read_text() == "keep"
    assert not (out / "flow_999.png").exists()
    assert bag.exists()


def compressed_copy(folder: Path) -> Path:
    """8 PNG frames on a topic that is not called .../compressed, with a hole of 3 s in time.

    The hole is among those frames that the demo plays one by one, not at its rate.
    """
    from zeroco_ros.bag.writer import message_class
    from zeroco_ros.demo.synthetic import write_synthetic_bag

    write_synthetic_bag(folder / "raw", frames=8, size=(HEIGHT, WIDTH), progress=False)
    with BagReader(folder / "raw") as reader, BagWriter(folder / "png") as writer:
        for index, message in enumerate(reader.messages(["/camera/image_raw"])):
            image = reader.decode(message)
            stamp = message.stamp_ns + (3 * 10**9 if index >= 3 else 0)
            image.header.stamp.sec = stamp // 10**9
            data = cv2.imencode(".png", decode_image(image)[..., ::-1])[1].reshape(-1)
            compressed = message_class("sensor_msgs/msg/CompressedImage")
            header = message_class("std_msgs/msg/Header")(
                stamp=message_class("builtin_interfaces/msg/Time")(
                    sec=image.header.stamp.sec, nanosec=image.header.stamp.nanosec
                ),
                frame_id="eye",
            )
            writer.write_message(
                "/eye/png", stamp, compressed(header=header, format="png", data=data)
            )
    return folder / "png"


def test_a_node_that_cannot_start_is_one_line(tmp_path: Path) -> None:
    """The model is checked before anything is rendered; the node's own refusal is passed on."""
    from zeroco_ros.demo.flow_demo import DemoOptions, run_demo
    from zeroco_ros.errors import BackendError

    (tmp_path / "model.safetensors").write_text("no model")
    options = DemoOptions(
        bag=compressed_copy(tmp_path),
        out=tmp_path / "out",
        parameters={"weights": str(tmp_path / "model.safetensors")},
        progress=False,
        say=lambda text: None,
    )
    with pytest.raises(BackendError, match=r"flow_node cannot configure: .*model\.safetensors"):
        run_demo(options)
    assert not (tmp_path / "out" / "output_bag").exists()
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--bag", "NOWHERE"], "does not exist"),
        (["--rate", "0"], "--rate is 0"),
        (["--rate", "inf"], "--rate is inf"),
        (["--frames", "1"], "--frames is 1"),
        (["--size", "huge"], "--size is 'huge'"),
        (["--size", "10x10"], "--size is 10x10"),
        (["--preset", "best"], "unknown preset 'best'"),
        (["--weights", "NOWHERE"], "does not exist"),
        (["--out", "FILE"], "is a file"),
        (["--bag", "FILE"], "not a bag"),
    ],
)
def test_wrong_inputs_are_one_line(
    arguments: list[str], words: str, tmp_path: Path, tiny_weights: Path
) -> None:
    (tmp_path / "file.txt").write_text("a text")
    places = {"NOWHERE": str(tmp_path / "nowhere"), "FILE": str(tmp_path / "file.txt")}
    given = [places.get(word, word) for word in arguments]
    if "--weights" not in given:
        given += ["--weights", str(tiny_weights)]
    if "--out" not in given:
        given += ["--out", str(tmp_path / "out")]
    code, _, err = zeroco("demo", *given)
    assert code == 2
    assert words in err
    assert err.startswith("zeroco demo: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "out" / "summary.json").exists()


def test_no_process_stays(demo: tuple[Path, int, str, str]) -> None:
    assert nodes_alive() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing_half_done(
    number: signal.Signals, tiny_weights: Path, tmp_path: Path
) -> None:
    from zeroco_ros.ros.environment import child_environment

    out = tmp_path / "out"
    command = [sys.executable, "-m", "zeroco_ros.cli", "demo", "--bag", compressed_copy(tmp_path)]
    process = subprocess.Popen(
        [*map(str, command), "--out", str(out), "--weights", str(tiny_weights), "--rate", "0.01"],
        env=child_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 100
    log = out / "flow_node.log"
    while not (nodes_alive() and log.exists() and log.stat().st_size):
        assert process.poll() is None, process.stderr
        assert time.monotonic() < end
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "zeroco demo: interrupted\n")
    assert nodes_alive() == []
    assert [path.name for path in out.iterdir()] == ["flow_node.log"]


def nodes_alive() -> list[str]:
    """Processes that run flow_node on this test's ROS domain."""
    mine = b"ROS_DOMAIN_ID=" + os.environ["ROS_DOMAIN_ID"].encode()
    alive = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes().split(b"\0")
            environment = (process / "environ").read_bytes().split(b"\0")
            if b"zeroco_ros.ros.flow_node" in command and mine in environment:
                alive.append(process.name)
    return alive


def test_the_real_bags(
    shared_data: Path, tiny_weights: Path, tmp_path: Path, subset: Callable[..., Path]
) -> None:
    """The first frames of both, raw and compressed, through the real node."""
    for name, topic, frames in [
        ("euroc_MH05_80f_sqlite3", "/cam0/image_raw", 8),
        ("hololens_rgbd_60f_mcap", "/camera/color/image_raw/compressed", 8),
    ]:
        bag = subset(shared_data / "bags" / name, tmp_path / name, topic, frames)
        code, text, err = zeroco(
            "demo", "--bag", bag, "--out", tmp_path / "out", "--weights", tiny_weights
        )
        assert (code, err) == (0, ""), text
        assert f"flow out  {frames - 1} of {frames - 1} possible (100.0 %)" in text
        assert topic in text
    assert "depth on /camera/depth/image_raw" in text


@pytest.fixture
def subset() -> Callable[..., Path]:
    def copy(source: Path, target: Path, topic: str, frames: int) -> Path:
        """The beginning of a bag, up to a number of frames of a topic."""
        with BagReader(source) as reader, BagWriter(target) as writer:
            for name, t in reader.topics.items():
                writer.add_topic(name, t.type, definition=t.definition, type_hash=t.type_hash)
            stamps = [m.stamp_ns for m in reader.messages([topic])]
            for message in reader:
                if message.stamp_ns < stamps[frames]:
                    writer.write(message.topic, message.type, message.stamp_ns, message.data)
        return target

    return copy
