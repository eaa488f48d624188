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

"""Reading rosbag2: folders or files, sqlite3 or MCAP, zstd in all its places, damaged too."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from dataclasses import replace
import logging
from pathlib import Path
import tempfile
from types import TracebackType
from typing import Any

from zeroco_ros.bag import compression
from zeroco_ros.bag.folder import find_files
from zeroco_ros.bag.records import BagMessage, Topic
from zeroco_ros.bag.storage import LAST_STAMP, open_storage, Storage
from zeroco_ros.bag.typestore import Decoder
from zeroco_ros.errors import BagError

NANOSECONDS = 1_000_000_000
_logger = logging.getLogger(__name__)


class BagReader:
    """
    An open bag. A context manager; iterating it yields all its messages in order of time.

    path: a rosbag2 folder, or a single .mcap or .db3 file (also packed as .zstd).
    topics: names to read; None reads all.
    on_warning: called with one line for each thing that is wrong with the bag and does not keep
        the rest from being read; None logs it.

    A bag that is cut off, that lost its metadata.yaml or one of its files is read as far as it
    goes. Raises BagError where there is no bag, nothing of it is readable, or a topic is asked for
    that it does not have. A healthy bag without messages opens and is empty.

    Attributes: topics (name -> Topic, those chosen), message_count (of those), start_ns and end_ns
    (of the whole bag; end_ns is exclusive; both 0 in an empty bag), warnings (list of str),
    complete (False as soon as something is known to be missing).
    """

    def __init__(
        self,
        path: str | Path,
        topics: Collection[str] | None = None,
        *,
        on_warning: Callable[[str], None] | None = None,
    ) -> None:
        self.path = Path(path)
        self.warnings: list[str] = []
        self.complete = True
        self._on_warning = on_warning or _logger.warning
        self._cleanup = ExitStack()
        try:
            self._storages = self._open()
        except BaseException:
            self._cleanup.close()
            raise
        everything = _merged(self._storages)
        self.topics = _chosen(everything, topics, self.path)
        self.message_count = sum(topic.count for topic in self.topics.values())
        filled = [s for s in self._storages if s.end_ns > s.start_ns]
        self.start_ns = min((s.start_ns for s in filled), default=0)
        self.end_ns = max((s.end_ns for s in filled), default=0)
        definitions = {t.type: t.definition for t in everything.values() if t.definition}
        self._decoder = Decoder(definitions)
        self._check_count(sum(topic.count for topic in everything.values()))

    @property
    def duration(self) -> float:
        """Seconds from the first to the last message."""
        return max(0, self.end_ns - 1 - self.start_ns) / NANOSECONDS

    def messages(
        self,
        topics: Collection[str] | None = None,
        *,
        start: float = 0.0,
        duration: float | None = None,
    ) -> Iterator[BagMessage]:
        """
        Raw messages in order of recording.

        topics: names, None for all that were chosen; start: seconds after the bag's beginning;
        duration: seconds from there, None to the end. Messages that are compressed one by one are
        unpacked; one that cannot be is left out, with a warning at the end.
        """
        wanted = set(self.topics if topics is None else _known(topics, self.topics, self.path))
        first = self.start_ns + round(start * NANOSECONDS)
        last = LAST_STAMP if duration is None else first + round(duration * NANOSECONDS)
        broken = 0
        for storage in self._storages:
            known = storage.problem
            for message in storage.messages(wanted, first, last):
                if compression.is_compressed(message.data):
                    try:
                        data = compression.decompress(message.data)
                    except compression.ZstdError:
                        broken += 1
                        continue
                    message = replace(message, data=data)
                yield message
            if storage.problem != known:
                self._warn(storage.problem)
        if broken:
            self._warn(f"{broken} messages are damaged and left out")

    def __iter__(self) -> Iterator[BagMessage]:
        return self.messages()

    def decode(self, message: BagMessage) -> Any:
        """
        Return the message as an object with its definition's fields; arrays are numpy arrays.

        Raises BagError for an unknown type or damaged data.
        """
        return self._decoder.decode(message.data, message.type)

    def close(self) -> None:
        """Close the files and remove what was unpacked."""
        self._cleanup.close()

    def __enter__(self) -> BagReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self) -> list[Storage]:
        """Open every storage file that is readable; one that is not is a warning, if not alone."""
        found = find_files(self.path)
        self._expected = found.expected
        for remark in found.remarks:
            self._warn(remark, incomplete=False)
        for problem in found.problems:
            self._warn(problem)
        storages: list[Storage] = []
        failures: list[BagError] = []
        for file in found.files:
            try:
                storage = self._open_one(file)
            except BagError as error:
                failures.append(error)
                continue
            except OSError as error:
                raise BagError(f"{file} cannot be read: {error.strerror or error}") from error
            self._cleanup.callback(storage.close)
            storages.append(storage)
            if storage.problem:
                self._warn(storage.problem)
        if failures and not storages:
            raise failures[0]
        for failure in failures:
            self._warn(str(failure))
        return storages

    def _open_one(self, file: Path) -> Storage:
        if file.suffix != compression.SUFFIX:
            return open_storage(file)
        folder = Path(
            self._cleanup.enter_context(tempfile.TemporaryDirectory(prefix="zeroco_bag"))
        )
        unpacked = folder / file.stem
        if not compression.decompress_file(file, unpacked):
            self._warn(f"{file.name} is cut off or damaged")
        return open_storage(unpacked)

    def _check_count(self, found: int) -> None:
        if self._expected is not None and found < self._expected:
            self._warn(f"{found} of {self._expected} messages are readable")

    def _warn(self, problem: str | None, *, incomplete: bool = True) -> None:
        text = (
            f"{self.path.name}: {problem}" if self.path.name not in str(problem) else str(problem)
        )
        self.complete = self.complete and not incomplete
        if text not in self.warnings:
            self.warnings.append(text)
            self._on_warning(text)


def _merged(storages: list[Storage]) -> dict[str, Topic]:
    """Topics of all files by name, counts added."""
    merged: dict[str, Topic] = {}
    for storage in storages:
        for topic in storage.topics:
            before = merged.get(topic.name)
            count = topic.count + (before.count if before else 0)
            merged[topic.name] = replace(before or topic, count=count)
    return merged


def _chosen(
    topics: dict[str, Topic], names: Collection[str] | None, path: Path
) -> dict[str, Topic]:
    if names is None:
        return topics
    return {name: topics[name] for name in _known(names, topics, path)}


def _known(names: Collection[str], topics: Collection[str], path: Path) -> Collection[str]:
    unknown = [name for name in names if name not in topics]
    if unknown:
        there = ", ".join(sorted(topics)) or "none"
        raise BagError(f"{path} has no topic {', '.join(unknown)}; it has: {there}")
    return names
