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

"""What is written is what is read: storages, compression, bytes, types, quality of service."""

from __future__ import annotations

from collections.abc import Callable
import json
from pathlib import Path
import sys

import pytest
import yaml

from zeroco_ros.bag.reader import BagReader
from zeroco_ros.bag.records import Definition
from zeroco_ros.bag.writer import BagWriter, message_class
from zeroco_ros.errors import BagError, ConfigError

KINDS = [
    ("mcap", "none"),
    ("mcap", "chunk"),
    ("mcap", "message"),
    ("mcap", "file"),
    ("sqlite3", "none"),
    ("sqlite3", "message"),
    ("sqlite3", "file"),
]


@pytest.mark.fault(32, "zstd in any form is read", nodes="shared")
@pytest.mark.parametrize(("storage", "compression"), KINDS)
def test_every_storage_gives_the_same_messages(
    make_bag: Callable[..., Path], storage: str, compression: str
) -> None:
    with BagReader(make_bag("plain")) as plain:
        expected = list(plain)
    with BagReader(make_bag("other", storage=storage, compression=compression)) as reader:
        assert list(reader) == expected
        assert reader.warnings == []
        assert reader.complete
        assert {t.name: (t.type, t.count) for t in reader.topics.values()} == {
            "/image": ("sensor_msgs/msg/Image", 10),
            "/text": ("std_msgs/msg/String", 10),
        }
        assert reader.duration == pytest.approx(0.95)
        assert reader.topics["/image"].qos.reliability == "best_effort"
        assert reader.topics["/image"].qos.depth == 5
    assert len(expected) == 20
    assert [m.topic for m in expected[:3]] == ["/image", "/text", "/image"]


def test_bytes_go_through_unchanged(make_bag: Callable[..., Path], tmp_path: Path) -> None:
    """A CDR message is opaque: even bytes that are no valid message survive a copy of the bag."""
    odd = b"\x00\x01\x00\x00" + bytes(range(256))
    with BagWriter(tmp_path / "odd", storage="sqlite3") as writer:
        writer.write("/odd", "std_msgs/msg/String", 42, odd)
    with (
        BagReader(tmp_path / "odd") as reader,
        BagWriter(tmp_path / "copy", compression="message") as copy,
    ):
        for message in reader:
            copy.write(message.topic, message.type, message.stamp_ns, message.data)
    with BagReader(tmp_path / "copy") as reader:
        (message,) = reader
    assert (message.stamp_ns, message.data) == (42, odd)


def test_topic_filter_start_and_duration(make_bag: Callable[..., Path]) -> None:
    path = make_bag()
    with BagReader(path, ["/text"]) as reader:
        assert reader.message_count == 10
        texts = [reader.decode(m).data for m in reader.messages(start=0.3, duration=0.3)]
    assert texts == ["note 3", "note 4", "note 5"]
    with BagReader(path) as reader:
        assert {m.topic for m in reader.messages(["/image"])} == {"/image"}


def test_type_hashes_are_those_of_ros(make_bag: Callable[..., Path]) -> None:
    """Wrong hashes would keep ROS from taking the bag's topics for the types they are."""
    folder = Path(sys.prefix) / "share"
    metadata = yaml.safe_load((make_bag() / "metadata.yaml").read_text())
    topics = metadata["rosbag2_bagfile_information"]["topics_with_message_count"]
    checked = 0
    for topic in (entry["topic_metadata"] for entry in topics):
        description = folder / f"{topic['type']}.json"
        if description.is_file():
            hashes = json.loads(description.read_text())["type_hashes"]
            expected = {e["type_name"]: e["hash_string"] for e in hashes}[topic["type"]]
            assert topic["type_description_hash"] == expected
            checked += 1
    if not checked:
        pytest.skip("no ROS message descriptions in this Python environment")


def test_a_foreign_type_travels_with_its_definition(tmp_path: Path) -> None:
    definition = Definition("ros2msg", "int32 legs\nstring name\n")
    data = b"\x00\x01\x00\x00" + b"\x06\x00\x00\x00" + b"\x04\x00\x00\x00bee\x00"
    with BagWriter(tmp_path / "zoo") as writer:
        writer.add_topic(
            "/ant", "zoo_msgs/msg/Ant", definition=definition, type_hash="RIHS01_" + "0" * 64
        )
        writer.write("/ant", "zoo_msgs/msg/Ant", 1, data)
    with BagReader(tmp_path / "zoo") as reader:
        (message,) = reader
        ant = reader.decode(message)
    assert (ant.legs, ant.name) == (6, "bee")
    with BagWriter(tmp_path / "without") as writer, pytest.raises(BagError, match="definition"):
        writer.write("/ant", "zoo_msgs/msg/Ant", 1, data)


def test_a_bag_appears_whole_or_not_at_all(make_bag: Callable[..., Path], tmp_path: Path) -> None:
    text = message_class("std_msgs/msg/String")
    with pytest.raises(ZeroDivisionError), BagWriter(tmp_path / "new") as writer:
        writer.write_message("/text", 1, text(data="half"))
        assert not (tmp_path / "new").exists()
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []

    path = make_bag("kept", frames=3)
    with pytest.raises(BagError, match="exists already"):
        BagWriter(path)
    with pytest.raises(ZeroDivisionError), BagWriter(path, overwrite=True) as writer:
        writer.write_message("/text", 1, text(data="other"))
        raise ZeroDivisionError
    with BagReader(path) as reader:
        assert reader.message_count == 6

    with BagWriter(path, overwrite=True) as writer:
        writer.write_message("/text", 1, text(data="other"))
    with BagReader(path) as reader:
        assert [reader.decode(m).data for m in reader] == ["other"]
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]


def test_the_writer_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear diary")
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(BagError, match="not a bag"):
        BagWriter(tmp_path / "mine", overwrite=True)
    with pytest.raises(BagError, match="cannot be written"):
        BagWriter(tmp_path / "file" / "bag")
    with pytest.raises(ConfigError, match="mcap, sqlite3"):
        BagWriter(tmp_path / "a", storage="rosbag1")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="chunk"):
        BagWriter(tmp_path / "a", storage="sqlite3", compression="chunk")
    assert (tmp_path / "mine" / "diary.txt").read_text() == "dear diary"
    assert not (tmp_path / "a").exists()
