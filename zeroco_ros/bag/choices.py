"""How a bag may be stored: the words, without the library that does it."""

from __future__ import annotations

from typing import Literal

StorageName = Literal["mcap", "sqlite3"]
Compression = Literal["none", "file", "message", "chunk"]
