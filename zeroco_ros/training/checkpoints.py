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

"""Checkpoints of a run: written atomically, complete enough to go on as if never interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from zeroco_ros.errors import WeightsError


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint; a kill leaves the old file or the new one, never half of one."""
    draft = path.with_suffix(".draft")
    torch.save(state, draft)
    draft.replace(path)


def load_state(path: Path) -> dict[str, Any] | None:
    """Return the checkpoint at `path`, or None if there is none; WeightsError if it is damaged."""
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        reason = str(error).splitlines()[0]
        raise WeightsError(f"checkpoint {path} is damaged ({reason}): remove it") from None
    return state
