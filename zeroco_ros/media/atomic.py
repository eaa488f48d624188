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

"""Writing a file completely or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
import os
from pathlib import Path
import tempfile
from typing import IO

from zeroco_ros.errors import ImageError


@contextmanager
def atomic_write(path: str | Path) -> Iterator[IO[bytes]]:
    """
    Open `path` for writing bytes so that it appears whole or not at all.

    The bytes go to a hidden file in the same folder, which replaces `path` when the block ends
    without an exception and is removed otherwise; a file that was there before survives a failure.
    Missing parent folders are created.

    Raises ImageError where the folder cannot be created or written to.
    """
    path = Path(path)
    ensure_writable(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:64]}.", dir=path.parent)
    except OSError as error:
        raise ImageError(f"cannot write {path}: {_reason(error)}") from error
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            yield handle
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    except OSError as error:
        raise ImageError(f"cannot write {path}: {_reason(error)}") from error
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


def ensure_writable(path: str | Path) -> None:
    """
    Raise ImageError if `path` cannot be written, without creating anything.

    For commands that compute for a while: a wrong output folder is told before, not after.
    """
    path = Path(path)
    if path.is_dir():
        raise ImageError(f"cannot write {path}: it is a folder; give a file name inside it")
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise ImageError(f"cannot write {path}: {folder} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ImageError(f"cannot write {path}: no permission to write in {folder}")


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _umask() -> int:
    """Return the process's umask; mkstemp ignores it, a written picture should not be private."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
