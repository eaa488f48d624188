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
`zeroco depth`: what it writes, what it obeys, what it refuses.

With the shipped weights and small pictures: a random network says of every pair that it does not
overlap, which is right and shows nothing.
"""

from __future__ import annotations

from collections.abc import Callable
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
import pytest
import torch

from zeroco_ros import cli
from zeroco_ros.bag.images import decode_image
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.demo.gallery import view_at
from zeroco_ros.demo.synthetic import DEPTH_TOPIC, START_NS, write_synthetic_bag
from zeroco_ros.geometry.camera import load_camera
from zeroco_ros.media.depth_files import read_depth_png
from zeroco_ros.media.images import read_image, write_image
from zeroco_ros.sequence.frames import Frame
from zeroco_ros.sequence.pose_files import read_poses

FRAMES, SIZE = 4, (96, 128)
STEP = 6.0 / 60  # seconds of the drive between frames

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bag") / "bag"
    write_synthetic_bag(path, frames=FRAMES, size=SIZE, progress=False)
    return path


@pytest.fixture
def zeroco(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], bag: Path, engines: dict[str, Path]
) -> Run:
    """Run `zeroco depth` on the bag or another recording: (exit code, stdout, stderr)."""

    def run(*options: object, recording: object = None, out: str = "out") -> tuple[int, str, str]:
        model = [] if "--preset" in options else ["--preset", "fast"]
        if engines and not {"--weights", "--mode", "--device"} & set(options):
            model += ["--backend", "onnx", "--engine", str(engines["default"])]
        command = ["depth", str(recording or bag), "-o", str(tmp_path / out), *model]
        code = cli.main([*command, *map(str, options)])
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run


def frames_folder(bag: Path, folder: Path) -> Path:
    """Return the bag's pictures as image files."""
    with BagReader(bag) as reader:
        for index, message in enumerate(reader.messages(["/camera/image_raw"])):
            write_image(folder / f"{index}.png", decode_image(reader.decode(message)))
    return folder


def _writer(path: Path) -> cv2.VideoWriter:
    """Motion JPEG without FFmpeg, which reads its log level when it is first used."""
    code = cv2.VideoWriter.fourcc(*"MJPG")
    return cv2.VideoWriter(str(path), cv2.CAP_OPENCV_MJPEG, code, 10.0, SIZE[::-1])


def camera_file(path: Path) -> Path:
    K = view_at(0, SIZE).K
    path.write_text(json.dumps({"fx": K[0, 0], "fy": K[1, 1], "cx": K[0, 2], "cy": K[1, 2]}))
    return path


def poses_file(path: Path) -> Path:
    rows = [view_at(index * STEP, SIZE).c2w[:3].ravel() for index in range(FRAMES)]
    np.savetxt(path, rows)
    return path


def ply_points(path: Path) -> int:
    head = path.read_bytes().partition(b"end_header\n")[0].decode()
    assert head.startswith("ply\nformat binary_little_endian") and "property uchar red" in head
    return int(head.partition("element vertex ")[2].split()[0])


def test_a_bag_with_poses_becomes_millimeters_a_cloud_and_pictures(
    zeroco: Run, tmp_path: Path
) -> None:
    code, out, error = zeroco()
    assert (code, error) == (0, "")
    folder = tmp_path / "out"
    names = [f"{index:06d}.png" for index in range(1, FRAMES)]
    for kind in ("depth", "sigma"):
        assert sorted(path.name for path in (folder / kind).iterdir()) == names
        stored = cv2.imread(str(folder / kind / names[0]), cv2.IMREAD_UNCHANGED)
        assert stored.dtype == np.uint16 and stored.shape == SIZE
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["scale"], summary["frames"]) == ("metric", FRAMES)
    assert summary["frames_with_given_pose"] == FRAMES
    assert summary["frames_with_depth"] == FRAMES - 1
    assert summary["camera"] == "/camera/camera_info"
    assert "/camera/pose" in summary["poses"]
    assert ply_points(folder / "cloud.ply") == summary["cloud_points"] > 0
    camera = load_camera(folder / "camera.yaml")
    np.testing.assert_allclose(camera.K, view_at(0, SIZE).K)
    for index in range(1, FRAMES):
        frame = Frame(np.zeros(SIZE, np.uint8), START_NS + index * 10**8, index, "")
        pose = read_poses(folder / "trajectory.txt").at(frame)
        np.testing.assert_allclose(pose, view_at(index * STEP, SIZE).c2w, atol=1e-6)
    assert read_image(folder / "strip.png").shape[1] == 3 * SIZE[1] + 2 * 4
    with Image.open(folder / "depth.gif") as animation:
        assert animation.n_frames == FRAMES - 1
    for word in ("4 frames on /camera/image_raw", "m, on", "mode geometric", "cube", "strip.png"):
        assert word in out


def test_depth_is_that_of_the_scene(zeroco: Run, bag: Path, tmp_path: Path) -> None:
    assert zeroco()[0] == 0
    with BagReader(bag) as reader:
        truths = [decode_image(reader.decode(m)) for m in reader.messages([DEPTH_TOPIC])]
    errors = []
    for index in range(2, FRAMES):
        depth = read_depth_png(tmp_path / "out" / "depth" / f"{index:06d}.png")
        truth = truths[index] / 1000
        known = np.isfinite(depth) & (truth > 0)
        assert known.mean() > 0.1
        errors.append(np.abs(depth[known] / truth[known] - 1))
    assert np.median(np.concatenate(errors)) < 0.25


def test_without_poses_the_scale_is_its_own(zeroco: Run, bag: Path, tmp_path: Path) -> None:
    folder = frames_folder(bag, tmp_path / "in")
    code, out, _ = zeroco("--camera", camera_file(tmp_path / "c.json"), recording=folder)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["poses"] == "none given, estimated"
    assert summary["frames_with_given_pose"] == 0
    assert summary["scale"] in ("relative", None) and code == (summary["scale"] is None)
    assert not list((tmp_path / "out" / "depth").glob("*.png"))
    assert " m, on" not in out


def test_a_folder_with_poses_in_a_file(zeroco: Run, bag: Path, tmp_path: Path) -> None:
    folder = frames_folder(bag, tmp_path / "in")
    options = ("--camera", camera_file(tmp_path / "c.json"), "--fps", 20, "--npy")
    code, _, error = zeroco(*options, "--poses", poses_file(tmp_path / "p.txt"), recording=folder)
    assert (code, error) == (0, "")
    names = sorted(path.name for path in (tmp_path / "out" / "depth").iterdir())
    assert names == sorted(f"{i}.{kind}" for i in range(1, FRAMES) for kind in ("npy", "png"))
    exact = np.load(tmp_path / "out" / "depth" / "2.npy")
    assert exact.dtype == np.float32 and exact.shape == SIZE
    rounded = read_depth_png(tmp_path / "out" / "depth" / "2.png")
    np.testing.assert_allclose(rounded, exact, atol=0.00051)
    # the two ways of giving the same poses give the same depth
    assert zeroco("--npy", out="bag")[0] == 0
    again = np.load(tmp_path / "bag" / "depth" / "000002.npy")
    np.testing.assert_allclose(exact, again, rtol=1e-3)


def test_a_video(zeroco: Run, bag: Path, tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    writer = _writer(path)
    with BagReader(bag) as reader:
        for message in reader.messages(["/camera/image_raw"]):
            writer.write(decode_image(reader.decode(message))[..., ::-1].copy())
    writer.release()
    options = ("--camera", camera_file(tmp_path / "c.json"))
    code, _, error = zeroco(*options, "--poses", poses_file(tmp_path / "p.txt"), recording=path)
    assert (code, error) == (0, "")
    assert len(list((tmp_path / "out" / "depth").glob("*.png"))) == FRAMES - 1


def test_only_some_frames_replace_the_run_before_and_nothing_else(
    zeroco: Run, tmp_path: Path
) -> None:
    (tmp_path / "out" / "sigma").mkdir(parents=True)
    for name in ("summary.json", "sigma/000001.png", "mine.txt"):
        (tmp_path / "out" / name).write_text("keep")
    assert zeroco("--every", 2, "--max-frames", 2)[0] == 0
    assert [p.name for p in (tmp_path / "out" / "sigma").iterdir()] == ["000002.png"]
    assert (tmp_path / "out" / "mine.txt").read_text() == "keep"


def test_a_camera_that_stands_still_is_said(zeroco: Run, bag: Path, tmp_path: Path) -> None:
    image = read_image(frames_folder(bag, tmp_path / "in") / "0.png")
    for index in range(4):
        write_image(tmp_path / "still" / f"{index}.png", image)
    np.savetxt(tmp_path / "p.txt", np.tile(np.eye(4)[:3].ravel(), (4, 1)))
    options = ("--camera", camera_file(tmp_path / "c.json"), "--poses", tmp_path / "p.txt")
    code, out, error = zeroco(*options, recording=tmp_path / "still")
    assert code == 1
    assert error == "zeroco depth: no frame has depth: the camera stands still\n"
    assert "static" in out
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["scale"] is None and summary["cloud_points"] == 0


def test_a_frame_of_another_size_is_left_out(zeroco: Run, bag: Path, tmp_path: Path) -> None:
    folder = frames_folder(bag, tmp_path / "in")
    write_image(folder / "2.png", np.zeros((48, 64, 3), np.uint8))
    (folder / "3.png").write_bytes((folder / "3.png").read_bytes()[:700])
    options = ("--camera", camera_file(tmp_path / "c.json"))
    code, _, error = zeroco(*options, "--poses", poses_file(tmp_path / "p.txt"), recording=folder)
    assert code == 0
    assert "warning: frame 2: an image of 64x48" in error and "3.png cannot be decoded" in error
    assert error.count("\n") == 2


def test_an_interrupted_run_is_known_and_replaced(
    zeroco: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from zeroco_ros.commands.depth_folder import DepthFolder

    original = DepthFolder.add

    def add(self: DepthFolder, name: str, result: Any, *, posed: bool) -> None:
        original(self, name, result, posed=posed)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(DepthFolder, "add", add)
        code, _, error = zeroco()
    assert (code, error) == (130, "zeroco depth: interrupted\n")
    unfinished = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert unfinished == {"finished": False}
    assert [p.name for p in (tmp_path / "out" / "depth").iterdir()] == ["000001.png"]
    assert zeroco("--every", 2)[0] == 0
    assert [p.name for p in (tmp_path / "out" / "depth").iterdir()] == ["000002.png"]
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["finished"] is True


def test_options_reach_the_estimator(
    zeroco: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from zeroco_ros.estimate import depth, network

    seen: list[Any] = []
    original = network.open_flow

    def spy(config: Any, options: Any, **more: Any) -> Any:
        seen.append(options)
        return original(config, options, **more)

    def stop(flow: Any, config: Any) -> None:
        seen.append(config)
        raise KeyboardInterrupt

    monkeypatch.setattr(network, "open_flow", spy)
    monkeypatch.setattr(depth.DepthEstimator, "from_flow", stop)
    options = "--preset accurate --mode fused --baseline 0.2 --device cpu --threads 1"
    assert zeroco(*options.split())[0] == 130
    given, config = seen
    assert (config.mode, config.baseline, config.window) == ("fused", 0.2, 8)
    assert (given.device, given.threads, given.backend) == ("cpu", 1, "auto")


@pytest.mark.parametrize(
    ("options", "recording", "told"),
    [
        ([], "nowhere", ["nowhere does not exist", "bag, a video or a folder"]),
        ([], "empty", ["no image in it"]),
        ([], "text.mp4", ["text.mp4", "neither a bag nor a video"]),
        ([], "broken", ["no frame can be decoded", "0.png"]),
        ([], "in", ["camera of", "is not known", "--camera FILE"]),
        (["--camera", "nowhere.yaml"], "in", ["nowhere.yaml"]),
        (["--camera", "text.mp4"], "in", ["text.mp4", "calibration"]),
        (["--camera", "c.json", "--poses", "nowhere.txt"], "in", ["nowhere.txt does not exist"]),
        (["--camera", "c.json", "--poses", "c.json"], "in", ["c.json", "TUM", "KITTI"]),
        (["--camera", "c.json", "--poses", "short.txt"], "in", ["1 poses for 4 frames"]),
        (["--camera", "c.json", "--topic", "/a"], "in", ["has no topics"]),
        (["--topic", "/nose"], None, ["no topic /nose", "/camera/image_raw"]),
        (["--poses", "/nose"], None, ["/nose is neither a topic", "/camera/pose"]),
        (["--poses", "/camera/image_raw"], None, ["says no poses", "/camera/pose"]),
        (["--every", "0"], None, ["--every is 0"]),
        (["--max-frames", "1"], None, ["--max-frames is 1"]),
        (["--voxel", "0"], None, ["--voxel is 0"]),
        (["--max-sigma", "7"], None, ["--max-sigma is 7"]),
        (["--fps", "0"], None, ["fps is 0"]),
        (["--preset", "best"], None, ["best", "fast", "default", "accurate"]),
        (["--baseline", "-1"], None, ["baseline is -1"]),
        (["--weights", "huge"], None, ["huge", "shipped"]),
        (["-o", "text.mp4"], None, ["text.mp4 is a file"]),
    ],
)
def test_wrong_input_is_one_line_code_2_and_nothing_written(
    zeroco: Run,
    bag: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    recording: str | None,
    told: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    frames_folder(bag, tmp_path / "in")
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.mp4").write_text("no video\n" * 99)
    write_image(tmp_path / "broken" / "0.png", np.zeros((*SIZE, 3), np.uint8))
    (tmp_path / "broken" / "0.png").write_bytes(b"no image")
    camera_file(tmp_path / "c.json")
    np.savetxt(tmp_path / "short.txt", [view_at(0, SIZE).c2w[:3].ravel()])
    code, out, error = zeroco(*options, recording=recording)
    assert code == 2 and out == ""
    assert error.startswith("zeroco depth: ") and error.count("\n") == 1
    for word in told:
        assert word in error
    assert not (tmp_path / "out" / "summary.json").exists()


def test_cuda_on_a_machine_without_it(zeroco: Run) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    code, _, error = zeroco("--device", "cuda")
    assert code == 2 and error.startswith("zeroco depth: device 'cuda' is not available")


def test_the_real_bag(zeroco: Run, shared_data: Path, tmp_path: Path) -> None:
    """Compressed pictures, distorted camera with tf: the first frames of both recorded bags."""
    sizes = {"hololens_rgbd_60f_mcap": (360, 540), "euroc_MH05_80f_sqlite3": (480, 752)}
    for name, size in sizes.items():
        code, out, error = zeroco("--max-frames", 2, recording=shared_data / "bags" / name)
        assert code in (0, 1), error
        assert "tf from world to" in out and "2 of 2 frames have one" in out
        depth = read_depth_png(tmp_path / "out" / "depth" / "000001.png")
        assert depth.shape == size
