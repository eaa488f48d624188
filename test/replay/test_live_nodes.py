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

"""A replay says what the live nodes say: both get the same bag, the nodes as real processes."""

from __future__ import annotations

from collections.abc import Callable
import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")

from zeroco_ros.bag.images import decode_image, header_stamp
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.cli import main

IMAGES = ("/flow_node/flow", "/flow_node/confidence", "/depth_node/depth")
IMAGES += ("/depth_node/depth_sigma",)


def messages(path: Path, topic: str) -> dict[int, Any]:
    with BagReader(path) as reader:
        decoded = [reader.decode(message) for message in reader.messages([topic])]
    return {header_stamp(one.header): one for one in decoded}


def test_the_output_bag_is_that_of_the_live_nodes(
    bag: Path, tiny_weights: Path, replay: Callable[..., Any], tmp_path: Path
) -> None:
    live, own = tmp_path / "live", tmp_path / "own"
    options = ["--weights", tiny_weights, "--threads", 1, "--preset", "fast"]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = main([str(a) for a in ("demo", "--bag", bag, "--out", live, *options)])
    assert code == 0, said.getvalue()
    assert replay(bag, "-o", own, "--poses", "/camera/pose", "--no-report").code == 0
    theirs, ours = live / "output_bag", own / "output_bag" / "drive"
    for topic in IMAGES:
        one, other = messages(theirs, topic), messages(ours, topic)
        assert one.keys() == other.keys() and len(one) == 5, topic
        for stamp, message in one.items():
            assert message.encoding == other[stamp].encoding
            assert message.header.frame_id == other[stamp].header.frame_id
            np.testing.assert_allclose(
                decode_image(other[stamp]), decode_image(message), rtol=1e-5, atol=1e-5
            )
    one, other = (messages(path, "/depth_node/odometry") for path in (theirs, ours))
    assert one.keys() == other.keys() and one
    for stamp, message in one.items():
        place, same = message.pose.pose.position, other[stamp].pose.pose.position
        assert (place.x, place.y, place.z) == pytest.approx((same.x, same.y, same.z))
        assert message.header.frame_id == other[stamp].header.frame_id
