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

"""What a bag holds: topics and raw messages."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class OfferedQos:
    """
    The part of a recorded publisher's quality of service that matters for playing it again.

    reliability: "reliable", "best_effort" or "unknown"; durability: "volatile", "transient_local"
    or "unknown"; depth: length of the history, 0 where unknown.
    """

    reliability: str = "unknown"
    durability: str = "unknown"
    depth: int = 0


@dataclass(frozen=True)
class Definition:
    """Text of a message definition; syntax is "ros2msg" or "ros2idl"."""

    syntax: str
    text: str


@dataclass(frozen=True)
class Topic:
    """
    One topic of a bag.

    name: as recorded; type: for example "sensor_msgs/msg/Image"; count: messages in the bag.
    type_hash: "RIHS01_..." or "" where the bag does not say; definition: None in older bags.
    """

    name: str
    type: str
    count: int
    qos: OfferedQos = field(default_factory=OfferedQos)
    definition: Definition | None = None
    type_hash: str = ""


@dataclass(frozen=True)
class BagMessage:
    """
    One message as recorded.

    stamp_ns: when it was recorded, in integer nanoseconds (not the header's stamp).
    data: the CDR bytes, never changed on their way from a bag to a topic or another bag.
    """

    topic: str
    type: str
    stamp_ns: int
    data: bytes
