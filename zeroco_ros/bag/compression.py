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

"""zstd, as bags use it: whole files, single messages, chunks."""

from __future__ import annotations

from pathlib import Path
import sys

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SUFFIX = ".zstd"
_MAGIC = b"\x28\xb5\x2f\xfd"
_BLOCK = 1 << 20

ZstdError = zstd.ZstdError


def is_compressed(data: bytes) -> bool:
    """
    Return True for a zstd frame.

    A CDR message never starts like one: its first byte is zero.
    """
    return data[:4] == _MAGIC


def decompress(data: bytes) -> bytes:
    """Return the content of a zstd frame. Raises ZstdError where it is cut off or damaged."""
    return zstd.decompress(data)


def decompress_file(source: Path, target: Path) -> bool:
    """Unpack a file of zstd frames as far as it goes; False if its end is missing or damaged."""
    whole = False
    frame = zstd.ZstdDecompressor()
    with source.open("rb") as packed, target.open("wb") as unpacked:
        while block := packed.read(_BLOCK):
            while block:
                try:
                    unpacked.write(frame.decompress(block))
                except ZstdError:
                    return False
                whole, block = frame.eof, frame.unused_data
                if whole:
                    frame = zstd.ZstdDecompressor()
    return whole
