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

"""The header at the front of a message, against the full decoder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
import struct

import pytest

from zeroco_ros.bag.header import Header, read_header
from zeroco_ros.bag.images import header_stamp
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.errors import BagError


def test_like_the_decoder(make_bag: Callable[..., Path]) -> None:
    with BagReader(make_bag(), ["/image"]) as reader:
        for message in reader:
            decoded = reader.decode(message).header
            assert read_header(message.data) == Header(header_stamp(decoded), decoded.frame_id)


def test_big_endian_and_an_empty_frame() -> None:
    data = b"\x00\x00\x00\x00" + struct.pack(">iII", 3, 4, 1) + b"\x00"
    assert read_header(data) == Header(3_000_000_004, "")


@pytest.mark.parametrize("size", [0, 1, 4, 12, 15, 18])
def test_too_short(size: int) -> None:
    data = b"\x00\x01\x00\x00" + struct.pack("<iII", 3, 4, 7) + b"camera\x00"
    assert read_header(data).frame_id == "camera"
    with pytest.raises(BagError, match=f"{size} bytes"):
        read_header(data[:size])
