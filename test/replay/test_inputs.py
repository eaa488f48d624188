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

"""What cannot be replayed is said in one line, with exit code 2; what can be, is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
import shutil
from typing import Any

import pytest

from zeroco_ros.bag.reader import BagReader
from zeroco_ros.bag.writer import BagWriter
from zeroco_ros.replay.record import METRICS, ReplayRun

NOT_TWICE = ("--no-bag", "--no-report")


def only(source: Path, target: Path, *topics: str) -> Path:
    """Return a copy of a bag with some of its topics."""
    with BagReader(source) as reader, BagWriter(target) as writer:
        for message in reader.messages(topics):
            writer.write(message.topic, message.type, message.stamp_ns, message.data)
    return target


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--topic", "/nothing"], "no topic /nothing"),
        (["--topic", "/camera/pose"], "not an image"),
        (["--reference", "/camera/nothing"], "neither a topic of"),
        (["--reference", "/camera/camera_info"], "CameraInfo: truth is an Image of 32FC2"),
        (["--reference", "/camera/image_raw"], "encoding rgb8: truth is"),
        (["--reference", "/camera/pose", "--reference", "/camera/pose"], "says the poses already"),
        (["--poses", "/camera/image_raw"], "takes poses from PoseStamped"),
        (["--poses", "/nothing"], "no topic /nothing; poses are on: /camera/pose"),
        (["-p", "pose_source:=odometry"], "finds no nav_msgs/msg/Odometry"),
        (["--poses", "/camera/pose", "-p", "pose_source:=odometry"], "is not what pose_source"),
        (["-p", "pose_source:=tf"], "not among the tf frames"),
        (["-p", "pairing:=synchronized"], "no camera that goes with /camera/image_raw"),
        (["-p", "pairing:=synchronized", "--right", "/nothing"], "no topic /nothing"),
        (["-p", "stride:=0"], "parameter stride: 0 is out of range"),
        (["-p", "strid:=2"], "did you mean stride?"),
        (["-p", "stride"], "give NAME:=VALUE"),
        (["--camera-info", "/nothing"], "no topic /nothing"),
        (["--jobs", "0"], "--jobs is 0"),
        (["--rate", "0"], "--rate is 0"),
        (["--config", "/nothing.yaml"], "/nothing.yaml cannot be read"),
        (["--weights", "/nothing.safetensors"], "does not exist"),
    ],
)
def test_wrong_options_are_one_line(
    bag: Path, replay: Callable[..., Any], tmp_path: Path, options: list[str], words: str
) -> None:
    if "--weights" in options:  # the last one counts: the fixture's own come after
        options = ["-p", f"weights:={options[1]}"]
    ran = replay(bag, "-o", tmp_path / "out", *NOT_TWICE, *options)
    assert ran.code == 2, (ran.out, ran.err)
    assert words in ran.err
    assert ran.err.count("\n") == 1 and ran.err.startswith("zeroco replay: ")
    assert not (tmp_path / "out" / METRICS).exists()


def test_what_is_no_bag_is_one_line(
    broken_bag: Path, replay: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    for path, words in (
        (tmp_path / "nothing", "does not exist"),
        (tmp_path / "empty", "is not a bag"),
        (broken_bag, "broken_0.mcap"),
    ):
        ran = replay(path, "-o", tmp_path / "out", *NOT_TWICE)
        assert ran.code == 2, (path, ran.err)
        assert words in ran.err and ran.err.count("\n") == 1


def test_bags_without_a_camera_or_its_calibration(
    bag: Path, replay: Callable[..., Any], tmp_path: Path
) -> None:
    poses = only(bag, tmp_path / "poses", "/camera/pose")
    ran = replay(poses, "-o", tmp_path / "a", *NOT_TWICE)
    assert (ran.code, "has no camera topic" in ran.err) == (2, True)
    alone = only(bag, tmp_path / "alone", "/camera/image_raw")
    ran = replay(alone, "-o", tmp_path / "b", *NOT_TWICE)
    assert (ran.code, "no camera_info beside" in ran.err) == (2, True)
    assert replay(alone, "-o", tmp_path / "c", "--task", "flow", *NOT_TWICE).code == 0
    ran = replay(alone, "-o", tmp_path / "d", "--task", "flow", "--reference", "auto", *NOT_TWICE)
    assert (ran.code, "has no truth beside /camera/image_raw" in ran.err) == (2, True)


def test_a_bag_that_is_cut_off_is_replayed_as_far_as_it_goes(
    bag: Path, replay: Callable[..., Any], tmp_path: Path
) -> None:
    cut = tmp_path / "cut"
    shutil.copytree(bag, cut)
    (file,) = cut.glob("*.mcap")
    whole = only(bag, tmp_path / "plain", "/camera/image_raw")  # not compressed: cut between
    (plain,) = whole.glob("*.mcap")
    data = plain.read_bytes()
    file.unlink()
    (cut / file.name).write_bytes(data[: len(data) * 6 // 10])
    ran = replay(cut, "-o", tmp_path / "out", "--task", "flow", *NOT_TWICE)
    assert ran.code == 0, ran.err
    (record,) = ReplayRun.load(tmp_path / "out").metrics.bags
    assert 2 <= record.counters["flow_in"] < 6
    assert any("cut off or damaged" in line for line in record.warnings)


def test_a_gap_a_repeated_stamp_and_a_bad_picture_are_counted_and_told(
    bag: Path, replay: Callable[..., Any], tmp_path: Path
) -> None:
    odd = tmp_path / "odd"
    with BagReader(bag) as reader, BagWriter(odd) as writer:
        frames = list(reader.messages(["/camera/image_raw"]))
        for index, message in enumerate([*frames[:3], frames[2], *frames[3:]]):
            data = bytearray(message.data)
            if index >= 5:  # 5 s later
                data[4:8] = (int.from_bytes(data[4:8], "little") + 5).to_bytes(4, "little")
            if index == 4:
                data = data.replace(b"rgb8\0", b"nope\0", 1)
            writer.write(message.topic, message.type, message.stamp_ns + index, bytes(data))
    ran = replay(odd, "-o", tmp_path / "out", "--task", "flow", *NOT_TWICE)
    assert ran.code == 0, ran.err
    (record,) = ReplayRun.load(tmp_path / "out").metrics.bags
    counters = record.counters
    assert counters["flow_in"] == 7 == len(record.frames.stamp)
    assert (counters["flow_duplicates"], counters["flow_refused"]) == (1, 1)
    assert (counters["flow_gaps"], counters["flow_out"]) == (1, 3)
    assert {"gap", "refused"} <= {event.kind for event in record.events}
    assert any("encoding 'nope' is not supported" in event.text for event in record.events)
    assert record.frames.state.count("ok") == 3
