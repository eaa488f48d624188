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

"""Running the demo in tests: the command, a bag for it, and the nodes that it leaves."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

import cv2

from zeroco_ros.bag.images import decode_image
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.bag.writer import BagWriter
from zeroco_ros.cli import main

FRAMES, WIDTH, HEIGHT = 16, 160, 120


def zeroco(*arguments: object) -> tuple[int, str, str]:
    """Return the command in this process; exit code, stdout, stderr."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as leaving:
            code = int(leaving.code or 0)
    return code, out.getvalue(), err.getvalue()


def compressed_copy(folder: Path) -> Path:
    """
    8 PNG frames on a topic that is not called .../compressed, with a hole of 3 s in time.

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


def nodes_alive() -> list[str]:
    """Return the processes that run one of our nodes on this test's ROS domain."""
    mine = b"ROS_DOMAIN_ID=" + os.environ["ROS_DOMAIN_ID"].encode()
    alive = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes().split(b"\0")
            environment = (process / "environ").read_bytes().split(b"\0")
            ours = {b"zeroco_ros.ros.flow_node", b"zeroco_ros.ros.depth_node"} & set(command)
            if ours and mine in environment:
                alive.append(process.name)
    return alive


def subset(source: Path, target: Path, topic: str, frames: int) -> Path:
    """Return the beginning of a bag, up to a number of frames of a topic."""
    with BagReader(source) as reader, BagWriter(target) as writer:
        for name, t in reader.topics.items():
            writer.add_topic(name, t.type, definition=t.definition, type_hash=t.type_hash)
        stamps = [m.stamp_ns for m in reader.messages([topic])]
        for message in reader:
            if message.stamp_ns < stamps[frames]:
                writer.write(message.topic, message.type, message.stamp_ns, message.data)
    return target
