"""zstd, as bags use it: whole files, single messages, chunks."""

from __future__ import annotations

import sys
from pathlib import Path

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SUFFIX = ".zstd"
_MAGIC = b"\x28\xb5\x2f\xfd"
_BLOCK = 1 << 20

ZstdError = zstd.ZstdError


def is_compressed(data: bytes) -> bool:
    """True for a zstd frame. A CDR message never starts like one: its first byte is zero."""
    return data[:4] == _MAGIC


def decompress(data: bytes) -> bytes:
    """The content of a zstd frame. Raises ZstdError where it is cut off or damaged."""
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
