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

"""One storage file of a bag: through its index where it is healthy, record by record where not."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Protocol

from rosbags.interfaces import Connection, ConnectionExtRosbag2, MessageDefinitionFormat
from rosbags.rosbag2 import Reader

from zeroco_ros.bag.mcap_records import MAGIC as MCAP_MAGIC
from zeroco_ros.bag.mcap_records import Scan, scan_mcap
from zeroco_ros.bag.records import BagMessage, Definition, OfferedQos, Topic
from zeroco_ros.bag.sqlite_rows import DamagedError, SqliteRows
from zeroco_ros.bag.sqlite_rows import MAGIC as SQLITE_MAGIC
from zeroco_ros.errors import BagError

_SYNTAX = {MessageDefinitionFormat.MSG: "ros2msg", MessageDefinitionFormat.IDL: "ros2idl"}
LAST_STAMP = 2**63 - 1


class Storage(Protocol):
    """A storage file. `problem` says in words why it is not whole; it may appear while reading."""

    topics: list[Topic]
    start_ns: int
    end_ns: int
    problem: str | None

    def messages(
        self, topics: Collection[str], start_ns: int, stop_ns: int
    ) -> Iterator[BagMessage]: ...

    def close(self) -> None: ...


def open_storage(path: Path) -> Storage:
    """
    Open an .mcap or .db3 file, as far as it is readable.

    Raises BagError where nothing of it is.
    """
    try:
        return IndexedStorage(path)
    except Exception as error:  # damaged files raise whatever the parser stumbles over
        reason = _one_line(error)
    size = path.stat().st_size
    detail = "it is empty" if size == 0 else f"it is neither MCAP nor SQLite ({reason})"
    try:
        return _salvaged(path)
    except _UnknownFormatError:
        raise BagError(f"{path} is not a rosbag2 file: {detail}") from None


class _UnknownFormatError(Exception):
    """Not a storage file at all."""


def _salvaged(path: Path) -> Storage:
    """Return the same file without its index."""
    with path.open("rb") as handle:
        head = handle.read(16)
    if head.startswith(MCAP_MAGIC):
        return SalvagedMcap(path)
    if head == SQLITE_MAGIC:
        return SalvagedSqlite(path)
    raise _UnknownFormatError


class IndexedStorage:
    """
    A file with an index, read by the rosbags library in order of time.

    Where it stumbles over a damaged chunk, the messages behind that one are read without it.
    """

    def __init__(self, path: Path) -> None:
        self.problem: str | None = None
        self._path = path
        self._reader = Reader(path)
        self._reader.open()
        self.topics = [_topic(connection) for connection in self._reader.connections]
        self.start_ns = self._reader.start_time
        self.end_ns = self._reader.end_time

    def messages(
        self, topics: Collection[str], start_ns: int, stop_ns: int
    ) -> Iterator[BagMessage]:
        wanted = [c for c in self._reader.connections if c.topic in topics]
        if not wanted:
            return
        read_to = start_ns
        try:
            for connection, stamp, data in self._reader.messages(wanted, start_ns, stop_ns):
                yield BagMessage(connection.topic, connection.msgtype, stamp, bytes(data))
                read_to = stamp + 1
        except Exception as error:  # as above: a chunk or page in the middle is damaged
            self.problem = f"{self._path.name} is damaged: {_one_line(error)}"
            yield from _salvaged(self._path).messages(topics, read_to, stop_ns)

    def close(self) -> None:
        self._reader.close()


class SalvagedMcap:
    """An MCAP file without a usable index: read in file order up to the damage."""

    def __init__(self, path: Path) -> None:
        self._path = path
        scan = Scan()
        counts: dict[str, int] = {}
        self.start_ns, self.end_ns = LAST_STAMP, 0
        for message in scan_mcap(path, scan):
            counts[message.topic] = counts.get(message.topic, 0) + 1
            self.start_ns = min(self.start_ns, message.stamp_ns)
            self.end_ns = max(self.end_ns, message.stamp_ns + 1)
        found = dict(zip(scan.topics.values(), scan.types.values(), strict=True))
        self.topics = [
            Topic(name, kind, counts.get(name, 0), definition=scan.definitions.get(kind))
            for name, kind in found.items()
        ]
        what = "has no index" if scan.whole else "is cut off or damaged"
        self.problem: str | None = f"{path.name} {what}, read record by record"

    def messages(
        self, topics: Collection[str], start_ns: int, stop_ns: int
    ) -> Iterator[BagMessage]:
        for message in scan_mcap(self._path, Scan()):
            if message.topic in topics and start_ns <= message.stamp_ns < stop_ns:
                yield message

    def close(self) -> None:
        pass


class SalvagedSqlite:
    """A SQLite file that the library refuses: read in order of recording up to the damage."""

    def __init__(self, path: Path) -> None:
        try:
            self._rows = SqliteRows(path)
        except DamagedError as error:
            raise BagError(f"{path} is damaged beyond reading: {_one_line(error)}") from error
        self.problem: str | None = f"{path.name} is cut off or damaged, read in recorded order"
        counts = dict.fromkeys(self._rows.topics, 0)
        self.start_ns, self.end_ns = LAST_STAMP, 0
        for key, stamp, _ in self._rows.messages():
            counts[key] += 1
            self.start_ns = min(self.start_ns, stamp)
            self.end_ns = max(self.end_ns, stamp + 1)
        self.topics = [Topic(*self._rows.topics[key], count) for key, count in counts.items()]

    def messages(
        self, topics: Collection[str], start_ns: int, stop_ns: int
    ) -> Iterator[BagMessage]:
        for key, stamp, data in self._rows.messages():
            name, kind = self._rows.topics[key]
            if name in topics and start_ns <= stamp < stop_ns:
                yield BagMessage(name, kind, stamp, data)

    def close(self) -> None:
        self._rows.close()


def _topic(connection: Connection) -> Topic:
    syntax = _SYNTAX.get(connection.msgdef.format)
    definition = Definition(syntax, connection.msgdef.data) if syntax else None
    return Topic(
        connection.topic,
        connection.msgtype,
        connection.msgcount,
        _qos(connection),
        definition,
        connection.digest,
    )


def _qos(connection: Connection) -> OfferedQos:
    """Return the first offered profile; a bag may hold one per publisher that there was."""
    if not isinstance(connection.ext, ConnectionExtRosbag2):
        return OfferedQos()
    for profile in connection.ext.offered_qos_profiles:
        reliability = profile.reliability.name.lower()
        durability = profile.durability.name.lower()
        return OfferedQos(
            reliability if reliability in ("reliable", "best_effort") else "unknown",
            durability if durability in ("volatile", "transient_local") else "unknown",
            max(0, profile.depth),
        )
    return OfferedQos()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
