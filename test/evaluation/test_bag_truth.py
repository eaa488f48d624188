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

"""Ground truth out of a bag, and which topics it is taken from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zeroco_ros.bag.camera_topics import best_match
from zeroco_ros.bag.images import decode_image, header_stamp
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.bag.writer import BagWriter
from zeroco_ros.demo.synthetic import DEPTH_TOPIC, FLOW_TOPIC, IMAGE_TOPIC, write_synthetic_bag
from zeroco_ros.errors import BagError
from zeroco_ros.evaluation.bag_camera import find_camera
from zeroco_ros.evaluation.bag_truth import find_truth, true_flow

SIZE = (96, 128)


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("truth") / "bag"
    write_synthetic_bag(path, frames=5, size=SIZE, progress=False)
    return path


def without(bag: Path, topic: str, path: Path) -> Path:
    """Return a copy of a bag that lacks a topic."""
    with BagReader(bag) as reader, BagWriter(path) as writer:
        for message in reader.messages([name for name in reader.topics if name != topic]):
            writer.write(message.topic, message.type, message.stamp_ns, message.data)
    return path


def test_the_same_bag_twice_is_the_same(bag: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    write_synthetic_bag(again, frames=5, size=SIZE, progress=False)
    with BagReader(bag) as one, BagReader(again) as two:
        assert list(one) == list(two)
    other = tmp_path / "other"
    write_synthetic_bag(other, frames=5, size=SIZE, seed=1, progress=False)
    with BagReader(bag) as one, BagReader(other) as two:
        assert [m.data for m in one] != [m.data for m in two]
        assert list(one.messages([FLOW_TOPIC])) == list(two.messages([FLOW_TOPIC]))


def test_the_camera_is_found(bag: Path) -> None:
    with BagReader(bag) as reader:
        camera = find_camera(reader, None)
        assert camera.topic == IMAGE_TOPIC
        assert (camera.width, camera.height, camera.encoding) == (128, 96, "rgb8")
        assert camera.info_topic == "/camera/camera_info"
        assert camera.period == pytest.approx(0.1)
        stamps = [header.stamp_ns for header in camera.headers]
        assert len(stamps) == 5
        assert camera.possible == tuple(stamps[1:])
        with pytest.raises(BagError, match="no topic /nose; images are on: /camera/image_raw"):
            find_camera(reader, "/nose")
        with pytest.raises(BagError, match="not an image"):
            find_camera(reader, "/camera/pose")


def test_the_recorded_truth_is_preferred_and_passed_on(bag: Path) -> None:
    with BagReader(bag) as reader:
        camera = find_camera(reader, None)
        source = find_truth(reader, camera)
        assert source is not None
        assert source.flow == FLOW_TOPIC
        recorded = [decode_image(reader.decode(m)) for m in reader.messages([FLOW_TOPIC])]
        given = dict(true_flow(reader, camera, source))
    assert list(given) == [header.stamp_ns for header in camera.headers]
    assert np.isnan(recorded[0]).all()
    for mine, theirs in zip(given.values(), recorded, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_depth_and_poses_give_the_same_flow(bag: Path, tmp_path: Path) -> None:
    """
    Two ways to one truth: the renderer's, and geometry from what a depth camera would record.

    Depth is rounded to millimeters, and the gallery's two moving boxes are not static.
    """
    with BagReader(without(bag, FLOW_TOPIC, tmp_path / "measured")) as reader:
        camera = find_camera(reader, None)
        source = find_truth(reader, camera)
        assert source is not None
        assert (source.flow, source.depth, source.pose) == (None, DEPTH_TOPIC, "/camera/pose")
        measured = dict(true_flow(reader, camera, source))
    with BagReader(bag) as reader:
        exact = {
            header_stamp(m.header): decode_image(m)
            for m in map(reader.decode, reader.messages([FLOW_TOPIC]))
        }
    assert list(measured) == list(camera.possible)
    for stamp, flow in measured.items():
        both = np.isfinite(flow).all(-1) & np.isfinite(exact[stamp]).all(-1)
        assert both.mean() > 0.8
        error = np.hypot(*np.moveaxis(flow - exact[stamp], -1, 0))[both]
        assert np.percentile(error, 80) < 0.02
        # what one calls hidden, the other rarely calls seen
        assert (np.isfinite(flow).all(-1) & ~np.isfinite(exact[stamp]).all(-1)).mean() < 0.02


def test_no_truth_is_said(bag: Path, tmp_path: Path) -> None:
    bare = without(without(bag, FLOW_TOPIC, tmp_path / "a"), DEPTH_TOPIC, tmp_path / "b")
    with BagReader(bare) as reader:
        assert find_truth(reader, find_camera(reader, None)) is None


def test_one_frame_is_no_flow(bag: Path, tmp_path: Path) -> None:
    with BagReader(bag) as reader, BagWriter(tmp_path / "one") as writer:
        message = next(reader.messages([IMAGE_TOPIC]))
        writer.write(message.topic, message.type, message.stamp_ns, message.data)
    with BagReader(tmp_path / "one") as reader, pytest.raises(BagError, match="no flow to be had"):
        find_camera(reader, None)
    with BagWriter(tmp_path / "none") as writer:
        writer.add_topic("/camera/image", "sensor_msgs/msg/Image")
    with BagReader(tmp_path / "none") as reader, pytest.raises(BagError, match="no camera topic"):
        find_camera(reader, None)


def test_names_that_belong_together() -> None:
    names = ["/left/camera_info", "/right/camera_info", "/camera_info"]
    assert best_match("/right/image_raw/compressed", names) == "/right/camera_info"
    assert best_match("/other/image", names, lambda shared: shared > 1) is None
    assert best_match("/image", []) is None


def test_truth_of_the_real_bags(shared_data: Path) -> None:
    """The hololens' depth and poses undo the motion between its pictures; EuRoC has no depth."""
    from zeroco_ros.demo.scoring import Frames
    from zeroco_ros.media.panels import warped

    with BagReader(shared_data / "bags" / "euroc_MH05_80f_sqlite3") as reader:
        camera = find_camera(reader, None)
        assert (camera.topic, camera.encoding) == ("/cam0/image_raw", "mono8")
        assert len(camera.possible) == 79
        assert find_truth(reader, camera) is None
    with BagReader(shared_data / "bags" / "hololens_rgbd_60f_mcap") as reader:
        camera = find_camera(reader, None)
        assert camera.topic == "/camera/color/image_raw/compressed"
        assert (camera.width, camera.height) == (540, 360)
        source = find_truth(reader, camera)
        assert source is not None
        frames = Frames(reader, camera.topic)
        better = []
        for stamp, flow in true_flow(reader, camera, source):
            before, current = frames.pair(stamp)
            known = np.isfinite(flow).all(-1)
            if before is None or current is None or known.mean() < 0.2:
                continue
            pulled = warped(before, np.where(known[..., None], -flow, 0)).astype(int)
            undone, nothing = (
                np.abs(current - x)[known].mean() for x in (pulled, before.astype(int))
            )
            better.append(undone < nothing)
    assert len(better) > 30
    assert np.mean(better) > 0.9
