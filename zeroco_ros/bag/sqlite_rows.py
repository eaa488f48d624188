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

"""Rows of a cut-off SQLite bag, which SQLite itself would refuse to open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw

MAGIC = b"SQLite format 3\0"


class DamagedError(Exception):
    """Not even the list of topics is readable."""


class SqliteRows:
    """topics: id -> (name, type). Raises DamagedError where they cannot be read."""

    def __init__(self, path: Path) -> None:
        self._vfs = _WholePages()
        try:
            self._database = apsw.Connection(
                f"{path.resolve().as_uri()}?immutable=1",
                flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
                vfs=self._vfs.name,
            )
            # Without this SQLite refuses a file that is shorter than its header says.
            self._database.execute("PRAGMA writable_schema = ON")
            rows = self._database.execute("SELECT id, name, type FROM topics").fetchall()
        except apsw.Error as error:
            self._vfs.unregister()
            raise DamagedError(str(error)) from error
        names = {int(row[0]): (str(row[1]), str(row[2])) for row in rows}  # type: ignore[arg-type]
        self.topics = names

    def messages(self) -> Iterator[tuple[int, int, bytes]]:
        """
        (topic id, stamp, data) in order of row id, so that the front of the file comes first.

        Ends without a word at the first damaged page.
        """
        query = "SELECT topic_id, timestamp, data FROM messages NOT INDEXED ORDER BY id"
        try:
            for topic, stamp, data in self._database.execute(query):
                if topic in self.topics and isinstance(stamp, int) and isinstance(data, bytes):
                    yield int(topic), stamp, data
        except apsw.Error:
            return

    def close(self) -> None:
        """Close the file."""
        self._database.close()
        self._vfs.unregister()


class _WholePages(apsw.VFS):
    """
    Hides the incomplete last page of a file.

    SQLite would fill it up with zeros and believe them, and a message of zeros is worse than none.
    """

    def __init__(self) -> None:
        self.name = f"zeroco_whole_pages_{id(self)}"
        super().__init__(self.name, base="")

    def xOpen(self, name: Any, flags: Any) -> Any:  # noqa: N802
        return _WholePagesFile(name, flags)


class _WholePagesFile(apsw.VFSFile):
    def __init__(self, name: Any, flags: Any) -> None:
        super().__init__("", name, flags)

    def xFileSize(self) -> int:  # noqa: N802
        size = super().xFileSize()
        if size < 100:
            return size
        page = int.from_bytes(self.xRead(2, 16), "big")
        page = 65536 if page == 1 else page
        return size - size % page if page else size
