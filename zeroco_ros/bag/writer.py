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

"""Writing rosbag2 bags that appear whole or not at all."""

from __future__ import annotations

from pathlib import Path
import shutil
import tempfile
from types import TracebackType
from typing import Any, cast, get_args, Literal

from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from zeroco_ros.bag.choices import Compression, StorageName
from zeroco_ros.bag.records import Definition, OfferedQos
from zeroco_ros.bag.typestore import ROS_TYPES
from zeroco_ros.errors import BagError, ConfigError

_STORAGE = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}
_COMPRESSION = {
    "none": CompressionMode.NONE,
    "file": CompressionMode.FILE,
    "message": CompressionMode.MESSAGE,
    "chunk": CompressionMode.STORAGE,
}
_METADATA_VERSION: Literal[8] = 8  # what Iron, Jazzy and Kilted read


class BagWriter:
    """
    Writes a bag folder; use as a context manager.

    path: the folder to be made. storage: "mcap" or "sqlite3". compression: "none", or zstd of the
    whole "file", of each "message", or (MCAP only) of each "chunk", which is the one to choose.
    overwrite: replace a bag that is already there; without it, that is an error.

    The bag grows in a hidden folder beside `path` and is renamed when all is written; an exception
    inside the `with` block leaves nothing behind, and what was there before as it was.

    Raises BagError where the folder exists already or cannot be written, ConfigError for an
    unknown storage or compression.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        storage: StorageName = "mcap",
        compression: Compression = "none",
        overwrite: bool = False,
    ) -> None:
        _one_of("storage", storage, get_args(StorageName))
        _one_of("compression", compression, get_args(Compression))
        if compression == "chunk" and storage != "mcap":
            raise ConfigError("compression 'chunk' needs storage 'mcap'; use 'file' or 'message'")
        self.path = Path(path)
        self.counts: dict[str, int] = {}
        self._connections: dict[str, Connection] = {}
        self._replace = self._may_replace(overwrite)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            hidden = tempfile.mkdtemp(prefix=f".{self.path.name}.", dir=self.path.parent)
            self._hidden = Path(hidden)
            self._writer = Writer(
                self._hidden / self.path.name,
                version=_METADATA_VERSION,
                storage_plugin=_STORAGE[storage],
            )
            self._writer.set_compression(_COMPRESSION[compression], CompressionFormat.ZSTD)
            self._writer.open()
        except OSError as error:
            raise BagError(f"{path} cannot be written: {error.strerror or error}") from error

    def _may_replace(self, overwrite: bool) -> bool:
        """Whether something is to be replaced; refuses to replace what is not a bag."""
        if not self.path.exists():
            return False
        is_bag = (self.path / "metadata.yaml").exists()
        if not overwrite:
            raise BagError(f"{self.path} exists already; remove it or give another name")
        if not is_bag:
            raise BagError(f"{self.path} exists and is not a bag; give another name")
        return True

    def add_topic(
        self,
        name: str,
        message_type: str,
        *,
        qos: OfferedQos | None = None,
        definition: Definition | None = None,
        type_hash: str = "",
    ) -> None:
        """
        Declare a topic; a second time it does nothing.

        definition and type_hash: for a type that ROS 2 does not come with, as read from another
        bag. Raises BagError for an unknown type without them.
        """
        if name in self._connections:
            return
        offered = [_profile(qos)] if qos is not None else []
        if definition is not None and type_hash:
            self._connections[name] = self._writer.add_connection(
                name,
                message_type,
                msgdef=definition.text,
                rihs01=type_hash,
                offered_qos_profiles=offered,
            )
        elif message_type in ROS_TYPES.fielddefs:
            self._connections[name] = self._writer.add_connection(
                name, message_type, typestore=ROS_TYPES, offered_qos_profiles=offered
            )
        else:
            raise BagError(f"{name}: message type {message_type} is unknown, give its definition")
        self.counts[name] = 0

    def write(self, topic: str, message_type: str, stamp_ns: int, data: bytes) -> None:
        """Append CDR bytes as they are; declares the topic where that was not done."""
        self.add_topic(topic, message_type)
        self._writer.write(self._connections[topic], stamp_ns, data)
        self.counts[topic] += 1

    def write_message(self, topic: str, stamp_ns: int, message: Any) -> None:
        """Append a message object of `message_class`, encoded as CDR."""
        message_type = str(message.__msgtype__)
        data = ROS_TYPES.serialize_cdr(message, message_type)
        self.write(topic, message_type, stamp_ns, bytes(data))

    def close(self) -> None:
        """Finish the files and put the bag in its place."""
        try:
            if not any(self.counts.values()):
                # an empty bag has no times; the library would write its sentinels
                self._writer.min_timestamp = 0
            self._writer.close()
            if self._replace:
                self.path.rename(self._hidden / "replaced")
            (self._hidden / self.path.name).rename(self.path)
        except OSError as error:
            raise BagError(f"{self.path} cannot be written: {error.strerror or error}") from error
        finally:
            shutil.rmtree(self._hidden, ignore_errors=True)

    def abort(self) -> None:
        """Leave nothing behind."""
        self._writer.abort()
        shutil.rmtree(self._hidden, ignore_errors=True)

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


def message_class(message_type: str) -> Any:
    """
    Return the class to build a message of a ROS type with.

    As in `message_class("std_msgs/msg/Header")`.

    Its constructor takes every field by name. Raises BagError for an unknown type.
    """
    try:
        return ROS_TYPES.types[message_type]
    except KeyError:
        raise BagError(f"message type {message_type} is unknown") from None


def _profile(qos: OfferedQos) -> Qos:
    zero = QosTime(0, 0)
    return Qos(
        QosHistory.KEEP_LAST,
        qos.depth or 10,
        QosReliability[qos.reliability.upper()],
        QosDurability[qos.durability.upper()],
        zero,
        zero,
        QosLiveliness.AUTOMATIC,
        zero,
        False,
    )


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{name} is {value!r}; use one of {', '.join(cast('Any', allowed))}")
