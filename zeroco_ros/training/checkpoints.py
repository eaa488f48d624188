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
    """The checkpoint at `path`, or None if there is none; WeightsError if it is damaged."""
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        reason = str(error).splitlines()[0]
        raise WeightsError(f"checkpoint {path} is damaged ({reason}): remove it") from None
    return state
