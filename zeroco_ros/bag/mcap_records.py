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

"""
MCAP read from its first byte to its last readable one, without footer and index.

What a recorder leaves behind when its power is cut: no index, the last chunk incomplete. The
layout is that of the MCAP specification (records of opcode, length, content; little endian).
"""

from __future__ import annotations

from binascii import crc32
from collections.abc import Iterator
from dataclasses import dataclass, field
import io
from pathlib import Path
import struct
from typing import BinaryIO

from zeroco_ros.bag.compression import decompress, ZstdError
from zeroco_ros.bag.records import BagMessage, Definition

MAGIC = b"\x89MCAP0\r\n"
_HEADER, _FOOTER, _SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _DATA_END = 1, 2, 3, 4, 5, 6, 15
_KNOWN = range(0x01, 0x10)


@dataclass
class Scan:
    """
    State of a walk through an MCAP file.

    types and topics: channel id -> message type and topic; definitions: type -> text.
    whole: the data section's end was reached; bad_chunks: chunks that failed their checksum.
    """

    topics: dict[int, str] = field(default_factory=dict)
    types: dict[int, str] = field(default_factory=dict)
    definitions: dict[str, Definition] = field(default_factory=dict)
    whole: bool = False
    bad_chunks: int = 0
    schemas: dict[int, str] = field(default_factory=dict)


def scan_mcap(path: Path, state: Scan) -> Iterator[BagMessage]:
    """
    Yield the messages of an MCAP file in file order until its end or the first damage.

    `state` is filled on the way. A file that does not start like MCAP yields nothing.
    """
    with path.open("rb") as handle:
        if handle.read(len(MAGIC)) != MAGIC:
            return
        for opcode, content in _records(handle):
            if opcode == _CHUNK:
                yield from _chunk(content, state)
            elif opcode in (_DATA_END, _FOOTER):
                state.whole = state.bad_chunks == 0
                return
            else:
                yield from _record(opcode, content, state)


def _records(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """(opcode, content) of complete records; of an incomplete chunk, what there is of it."""
    while len(head := stream.read(9)) == 9:
        opcode, length = struct.unpack("<BQ", head)
        if opcode not in _KNOWN:
            return
        content = stream.read(length) if length < 1 << 40 else b""
        if len(content) == length or opcode == _CHUNK:
            yield opcode, content
        if len(content) < length:
            return


def _chunk(content: bytes, state: Scan) -> Iterator[BagMessage]:
    """Messages of a chunk, which may be cut off where it is not compressed."""
    if len(content) < 32:
        return
    (crc,) = struct.unpack_from("<I", content, 24)
    compression, position = _text(content, 28)
    (length,) = struct.unpack_from("<Q", content.ljust(position + 8, b"\0"), position)
    packed = content[position + 8 :]
    cut_off = len(packed) < length
    unpacked = _unpacked(compression, packed[:length])
    if unpacked is None or (crc and not cut_off and crc32(unpacked) != crc):
        state.bad_chunks += 1
        return
    for opcode, record in _records(io.BytesIO(unpacked)):
        yield from _record(opcode, record, state)


def _unpacked(compression: str, packed: bytes) -> bytes | None:
    """Return the records of a chunk, or None where they cannot be had."""
    if compression == "":
        return packed
    try:
        if compression == "zstd":
            return decompress(packed)
        if compression == "lz4":
            from lz4.frame import (  # type: ignore[import-untyped]
                decompress as decompress_lz4,
            )

            return bytes(decompress_lz4(packed))
    except (ZstdError, RuntimeError, ValueError, EOFError, ImportError):
        return None
    return None


def _record(opcode: int, content: bytes, state: Scan) -> Iterator[BagMessage]:
    """Take note of a schema or channel, or yield a message; other records are passed over."""
    try:
        if opcode == _SCHEMA:
            _note_schema(content, state)
        elif opcode == _CHANNEL:
            _note_channel(content, state)
        elif opcode == _MESSAGE:
            channel, _, stamp = struct.unpack_from("<HIQ", content)
            if channel in state.topics:
                name, kind = state.topics[channel], state.types[channel]
                yield BagMessage(name, kind, stamp, content[22:])
    except (struct.error, UnicodeDecodeError):
        state.bad_chunks += 1


def _note_schema(content: bytes, state: Scan) -> None:
    (key,) = struct.unpack_from("<H", content)
    name, position = _text(content, 2)
    syntax, position = _text(content, position)
    text, _ = _text(content, position)
    state.schemas[key] = name
    state.definitions[name] = Definition(syntax, text)


def _note_channel(content: bytes, state: Scan) -> None:
    key, schema = struct.unpack_from("<HH", content)
    state.topics[key], _ = _text(content, 4)
    state.types[key] = state.schemas.get(schema, "")


def _text(content: bytes, position: int) -> tuple[str, int]:
    """Return a length-prefixed string and where it ends."""
    (length,) = struct.unpack_from("<I", content, position)
    end = position + 4 + length
    return content[position + 4 : end].decode("utf-8"), end
