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

"""FAULTS.md row 32: one clear error, or a warning and the readable rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
import shutil
from typing import Any

import pytest

from zeroco_ros.bag.reader import BagReader
from zeroco_ros.bag.records import Definition
from zeroco_ros.bag.writer import BagWriter
from zeroco_ros.errors import BagError

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
PACKED = [
    *(("mcap", packing) for packing in ("none", "file", "message", "chunk")),
    *(("sqlite3", packing) for packing in ("none", "file", "message")),
]
STORAGES = [("mcap", "none"), ("mcap", "chunk"), ("sqlite3", "none")]


def storage_file(bag: Path) -> Path:
    (file,) = (path for path in bag.iterdir() if path.name != "metadata.yaml")
    return file


def cut(file: Path, share: float) -> None:
    """Keep the first part of a file, as a power cut does."""
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])


def read(path: Path, **options: Any) -> tuple[list[Any], BagReader]:
    heard: list[str] = []
    with BagReader(path, on_warning=heard.append, **options) as reader:
        messages = list(reader)
    assert heard == reader.warnings
    return messages, reader


@pytest.mark.fault(32, "cut off: a warning and the readable rest", nodes="shared")
@pytest.mark.parametrize(("storage", "compression"), PACKED)
@pytest.mark.parametrize("with_metadata", [True, False])
def test_truncated(
    make_bag: Callable[..., Path], storage: str, compression: str, with_metadata: bool
) -> None:
    # incompressible pictures of 5 MB in all: several chunks, a thousand pages
    size = {"frames": 600, "shape": (64, 128)}
    whole = make_bag("whole", **size)
    bag = make_bag("cut", storage=storage, compression=compression, **size)
    cut(storage_file(bag), 0.6)
    if not with_metadata:
        (bag / "metadata.yaml").unlink()
    with BagReader(whole) as reader:
        expected = list(reader)
    messages, reader = read(bag)
    assert 400 < len(messages) < 900
    assert messages == expected[: len(messages)]
    assert not reader.complete
    assert any("cut off or damaged" in text for text in reader.warnings)


@pytest.mark.fault(32, "metadata.yaml missing: a warning, all messages", nodes="shared")
@pytest.mark.parametrize(("storage", "compression"), STORAGES)
def test_missing_metadata_costs_nothing(
    make_bag: Callable[..., Path], storage: str, compression: str
) -> None:
    bag = make_bag(storage=storage, compression=compression)
    file = storage_file(bag)
    with BagReader(bag) as reader:
        expected = list(reader)
    (bag / "metadata.yaml").unlink()
    messages, reader = read(bag)
    assert messages == expected
    assert len(reader.warnings) == 1
    assert "metadata.yaml is missing" in reader.warnings[0]
    assert reader.complete
    messages, reader = read(file)
    assert messages == expected
    assert reader.warnings == []


@pytest.mark.fault(32, "metadata.yaml unreadable: a warning, all messages", nodes="shared")
@pytest.mark.parametrize("content", ["", "{{{", "a: 1", "rosbag2_bagfile_information: 7", "\x00"])
def test_unreadable_metadata(make_bag: Callable[..., Path], content: str) -> None:
    bag = make_bag()
    (bag / "metadata.yaml").write_text(content)
    messages, reader = read(bag)
    assert len(messages) == 20
    assert "metadata.yaml is unreadable" in reader.warnings[0]


@pytest.mark.fault(32, "a damaged chunk costs only itself", nodes="shared")
def test_a_damaged_chunk_in_the_middle_costs_only_itself(make_bag: Callable[..., Path]) -> None:
    bag = make_bag(frames=600, shape=(64, 128), compression="chunk")
    with BagReader(bag) as reader:
        expected = list(reader)
    file = storage_file(bag)
    data = file.read_bytes()
    second = data.index(ZSTD_MAGIC, data.index(ZSTD_MAGIC) + 4)
    file.write_bytes(data[:second] + b"####" + data[second + 4 :])
    messages, reader = read(bag)
    assert 700 < len(messages) < 1100
    assert [m for m in expected if m in messages] == messages
    assert messages[-1] == expected[-1]
    assert not reader.complete
    assert "damaged" in reader.warnings[0]


@pytest.mark.fault(32, "a file that is gone: a warning and the rest", nodes="shared")
def test_one_of_two_files_is_gone(make_bag: Callable[..., Path]) -> None:
    bag = make_bag()
    text = (bag / "metadata.yaml").read_text()
    shutil.copy(storage_file(bag), bag / "other.mcap")
    listed = f"relative_file_paths:\n  - {storage_file_name(bag)}\n  - gone.mcap\n"
    start = text.index("relative_file_paths:")
    rest = text[text.index("starting_time", start) - 2 :]
    (bag / "metadata.yaml").write_text(text[:start] + listed + rest)
    messages, reader = read(bag)
    assert len(messages) == 20
    assert "gone.mcap" in reader.warnings[0]
    assert not reader.complete


def storage_file_name(bag: Path) -> str:
    return next(p.name for p in bag.iterdir() if p.suffix == ".mcap" and p.stem != "other")


@pytest.mark.fault(32, "no messages: nothing, no error", nodes="shared")
@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_zero_messages(tmp_path: Path, storage: str) -> None:
    with BagWriter(tmp_path / "empty", storage=storage) as writer:  # type: ignore[arg-type]
        writer.add_topic("/text", "std_msgs/msg/String")
    messages, reader = read(tmp_path / "empty")
    assert messages == []
    assert (reader.message_count, reader.duration, reader.warnings) == (0, 0.0, [])
    assert list(reader.topics) == ["/text"]
    with BagWriter(tmp_path / "bare", storage=storage):  # type: ignore[arg-type]
        pass
    assert read(tmp_path / "bare")[0] == []


@pytest.mark.fault(32, "an unknown type is raw data; decoding it is one error", nodes="shared")
def test_unknown_type_is_raw_data_until_somebody_decodes_it(tmp_path: Path) -> None:
    nothing = Definition("ros2msg", "")
    with BagWriter(tmp_path / "strange") as writer:
        writer.add_topic("/x", "zoo_msgs/msg/Ant", definition=nothing, type_hash="RIHS01_0")
        writer.write("/x", "zoo_msgs/msg/Ant", 1, b"\x00\x01\x00\x00ant")
    (message,), reader = read(tmp_path / "strange")
    assert message.data == b"\x00\x01\x00\x00ant"
    with pytest.raises(BagError, match="zoo_msgs/msg/Ant is unknown"):
        reader.decode(message)


@pytest.mark.fault(32, "bytes that do not fit their type: one error", nodes="shared")
def test_bytes_that_do_not_fit_their_type(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "short") as writer:
        writer.write("/image", "sensor_msgs/msg/Image", 1, b"\x00\x01\x00\x00\x05")
    with BagReader(tmp_path / "short") as reader, pytest.raises(BagError, match="5 bytes"):
        reader.decode(next(iter(reader)))


@pytest.mark.fault(32, "no bag at all: one line", nodes="shared")
def test_what_is_no_bag_is_one_line(tmp_path: Path, make_bag: Callable[..., Path]) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "notes.mcap").write_text("hello")
    (tmp_path / "nothing.db3").write_bytes(b"")
    (tmp_path / "old.bag").write_text("#ROSBAG V2.0")
    (tmp_path / "head.db3").write_bytes(
        storage_file(make_bag(storage="sqlite3")).read_bytes()[:90]
    )
    for name, words in [
        ("missing", "does not exist"),
        ("folder", "no metadata.yaml"),
        ("notes.txt", "not a bag"),
        ("notes.mcap", "neither MCAP nor SQLite"),
        ("nothing.db3", "empty"),
        ("old.bag", "rosbags-convert"),
        ("head.db3", "damaged beyond reading"),
    ]:
        with pytest.raises(BagError, match=words) as caught:
            BagReader(tmp_path / name, on_warning=lambda text: None)
        assert "\n" not in str(caught.value)
    with pytest.raises(BagError, match=r"has no topic /video; it has: /image, /text"):
        BagReader(make_bag("fine"), ["/video"])
