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

"""Verdicts of the parity gate, kept beside the engine that they are about."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timezone
import json
from pathlib import Path
from typing import Any

from zeroco_ros.engine.bundle import MANIFEST, sha256
from zeroco_ros.errors import ImageError
from zeroco_ros.estimate.parity import Parity
from zeroco_ros.media.atomic import atomic_write

FORMAT = "zeroco_parity_1"
FILE = "parity.json"


def store_verdict(folder: str | Path, parity: Parity) -> bool:
    """
    Keep a verdict in the engine's folder, with those of other backends on the same engine.

    Returns whether it could be written: the folder may be read-only.
    """
    folder = Path(folder)
    entry = {
        "passed": parity.passed,
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        **dataclasses.asdict(parity),
    }
    verdicts = {**stored_verdicts(folder), parity.what: entry}
    values = {"format": FORMAT, "manifest": _manifest(folder), "verdicts": verdicts}
    # An infinite difference is a verdict too; JSON has no word for it but Python's.
    try:
        with atomic_write(folder / FILE) as file:
            file.write((json.dumps(values, indent=2) + "\n").encode())
    except ImageError:
        return False
    return True


def stored_verdicts(folder: str | Path) -> dict[str, dict[str, Any]]:
    """
    Return the verdicts on exactly this engine, by backend, such as "onnx cpu fp32".

    Each has "passed", "when" (ISO 8601, UTC) and the fields of `Parity`. Empty where there are
    none, or only such on another engine that was in this folder.
    """
    folder = Path(folder)
    try:
        values = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if values["format"] != FORMAT or values["manifest"] != _manifest(folder):
            return {}
        return {str(what): dict(entry) for what, entry in values["verdicts"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _manifest(folder: Path) -> str:
    return sha256((folder / MANIFEST).read_bytes())
