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

"""Frames from bags, videos and folders: which, in which order, with which stamps."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from zeroco_ros.bag.reader import BagReader
from zeroco_ros.bag.writer import BagWriter
from zeroco_ros.demo.synthetic import START_NS, write_synthetic_bag
from zeroco_ros.errors import BagError, ConfigError, ImageError, ZerocoError
from zeroco_ros.media.images import read_image, write_image
from zeroco_ros.sequence.frames import open_sequence

SIZE = (48, 64)


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("frames") / "bag"
    write_synthetic_bag(path, frames=5, size=SIZE, progress=False)
    return path


def picture(value: int) -> np.ndarray:
    return np.full((*SIZE, 3), value, np.uint8)


def folder(path: Path, names: list[str]) -> Path:
    for value, name in enumerate(names):
        write_image(path / name, picture(10 * value))
    return path


def _writer(path: Path, fps: float) -> cv2.VideoWriter:
    """Motion JPEG without FFmpeg, which reads its log level when it is first used."""
    code = cv2.VideoWriter.fourcc(*"MJPG")
    return cv2.VideoWriter(str(path), cv2.CAP_OPENCV_MJPEG, code, fps, SIZE[::-1])


def video(path: Path, frames: int = 7) -> Path:
    writer = _writer(path, 25.0)
    for value in range(frames):
        writer.write(picture(30 * value))
    writer.release()
    return path


def test_a_bag_gives_its_camera_with_header_stamps(bag: Path) -> None:
    with open_sequence(bag) as sequence:
        assert sequence.count == 5 and sequence.frame_id == "camera_optical_frame"
        assert "/camera/image_raw" in sequence.words
        frames = list(sequence.frames())
        assert [frame.stamp_ns for frame in frames] == [START_NS + i * 10**8 for i in range(5)]
        assert frames[2].image.shape == (*SIZE, 3) and frames[2].name == "000002"
        chosen = list(sequence.frames(every=2, limit=2))
        assert [frame.index for frame in chosen] == [0, 2]
        assert np.array_equal(chosen[1].image, frames[2].image)


def test_a_damaged_frame_of_a_bag_is_left_out_with_a_warning(bag: Path, tmp_path: Path) -> None:
    with BagReader(bag) as reader, BagWriter(tmp_path / "hurt") as writer:
        for index, message in enumerate(reader.messages(["/camera/image_raw"])):
            data = message.data[:900] if index == 1 else message.data
            writer.write(message.topic, message.type, message.stamp_ns, data)
    with open_sequence(tmp_path / "hurt") as sequence:
        assert [frame.index for frame in sequence.frames()] == [0, 2, 3, 4]
        assert (
            len(sequence.warnings) == 1 and "frame 1 of /camera/image_raw" in sequence.warnings[0]
        )


def test_numbers_in_names_are_counted(tmp_path: Path) -> None:
    path = folder(tmp_path / "in", ["img10.png", "img9.png", "img9_depth.png", "notes.jpg"])
    (path / "notes.txt").write_text("no frame")
    with open_sequence(path, fps=5) as sequence:
        frames = list(sequence.frames())
    assert [frame.name for frame in frames] == ["img9", "img10", "notes"]
    assert [frame.stamp_ns for frame in frames] == [0, 200_000_000, 400_000_000]
    assert frames[1].image[0, 0, 0] == 0


def test_color_files_alone_are_the_frames_where_there_are_some(tmp_path: Path) -> None:
    names = ["frame-000001.color.png", "frame-000001.depth.png", "frame-000000.color.png", "x.png"]
    with open_sequence(folder(tmp_path / "in", names)) as sequence:
        assert [f.name for f in sequence.frames()] == ["frame-000000", "frame-000001"]


@pytest.mark.parametrize(
    ("first", "second", "stamp"),
    [
        ("1305031102.175304", "1305031102.211214", 1305031102175304000),
        ("1403715273262142976", "1403715273312143104", 1403715273262142976),
    ],
)
def test_names_that_are_stamps(tmp_path: Path, first: str, second: str, stamp: int) -> None:
    with open_sequence(folder(tmp_path / "in", [f"{second}.png", f"{first}.png"])) as sequence:
        stamps = [frame.stamp_ns for frame in sequence.frames()]
    assert stamps[0] == stamp and 0 < stamps[1] - stamp < 10**8


def test_times_beside_the_images(tmp_path: Path) -> None:
    path = folder(tmp_path / "in" / "image_0", ["000.png", "001.png"])
    (tmp_path / "in" / "times.txt").write_text("0.0\n1.036224e-01\n")
    with open_sequence(path) as sequence:
        assert [frame.stamp_ns for frame in sequence.frames()] == [0, 103_622_400]
    (tmp_path / "in" / "times.txt").write_text("0.0\n")
    with pytest.raises(ConfigError, match="1 times for 2 images"):
        open_sequence(path)
    (tmp_path / "in" / "times.txt").write_text("0.0 soon")
    with pytest.raises(ConfigError, match="not a list of seconds"):
        open_sequence(path)


def test_an_image_that_is_damaged_is_left_out(tmp_path: Path) -> None:
    path = folder(tmp_path / "in", ["a.png", "b.png", "c.png"])
    (path / "b.png").write_bytes((path / "b.png").read_bytes()[:60])
    with open_sequence(path) as sequence:
        assert [frame.index for frame in sequence.frames()] == [0, 2]
        assert "b.png" in sequence.warnings[0]


def test_a_video_has_its_own_clock(tmp_path: Path) -> None:
    with open_sequence(video(tmp_path / "clip.avi")) as sequence:
        assert sequence.count == 7 and "25 frames per second" in sequence.words
        frames = list(sequence.frames(every=3))
    assert [frame.index for frame in frames] == [0, 3, 6]
    assert [frame.stamp_ns for frame in frames] == [0, 120_000_000, 240_000_000]
    for frame in frames:
        assert abs(int(frame.image.mean()) - 30 * frame.index) <= 3


def test_colors_of_a_video_are_rgb(tmp_path: Path) -> None:
    writer = _writer(tmp_path / "red.avi", 10.0)
    writer.write(np.full((*SIZE, 3), (0, 0, 250), np.uint8))
    writer.release()
    with open_sequence(tmp_path / "red.avi") as sequence:
        red, green, blue = next(sequence.frames()).image.reshape(-1, 3).mean(0)
    assert red > 200 > 60 > max(green, blue)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("nowhere", ConfigError, "does not exist"),
        ("empty.mp4", ImageError, "is empty"),
        ("text.mp4", ImageError, "neither a bag nor a video"),
        ("one.png", ConfigError, "give the folder"),
        ("bare", ImageError, "there is no image in it; images are in image_0"),
        ("cut.mcap", BagError, "not a rosbag2 file"),
        ("old.bag", BagError, "ROS 1"),
    ],
)
def test_what_is_no_recording(
    tmp_path: Path, name: str, kind: type[ZerocoError], words: str
) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video\n" * 50)
    write_image(tmp_path / "one.png", picture(1))
    folder(tmp_path / "bare" / "image_0", ["1.png"])
    (tmp_path / "cut.mcap").write_bytes(b"not mcap at all")
    (tmp_path / "old.bag").write_bytes(b"#ROSBAG V2.0\n")
    with pytest.raises(kind, match=words):
        open_sequence(tmp_path / name)


def test_wrong_options(bag: Path, tmp_path: Path) -> None:
    path = folder(tmp_path / "in", ["1.png"])
    with pytest.raises(ConfigError, match="has no topics"):
        open_sequence(path, topic="/camera/image_raw")
    with pytest.raises(BagError, match="no topic /nose"):
        open_sequence(bag, topic="/nose")
    with pytest.raises(BagError, match="not an image"):
        open_sequence(bag, topic="/camera/pose")
    for fps in (0.0, float("nan"), -1.0):
        with pytest.raises(ConfigError, match="fps"):
            open_sequence(path, fps=fps)
    assert read_image(path / "1.png").shape == (*SIZE, 3)


def test_the_real_bags(shared_data: Path) -> None:
    with open_sequence(shared_data / "bags" / "euroc_MH05_80f_sqlite3") as sequence:
        frame = next(sequence.frames())
        assert (sequence.count, frame.image.shape) == (80, (480, 752))
    with open_sequence(shared_data / "bags" / "hololens_rgbd_60f_mcap") as sequence:
        assert next(sequence.frames()).image.shape == (360, 540, 3)
        assert "/camera/color/image_raw/compressed" in sequence.words
