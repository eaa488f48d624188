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
Read and write model files: our own safetensors, and the official ones.

Ours hold the architecture and the training's notes as JSON in the safetensors metadata: the key
"config" has the `CrocoConfig`, every other key one JSON value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import hashlib
import json
import logging
import os
from pathlib import Path
from typing import Any

from safetensors import safe_open, SafetensorError
from safetensors.torch import save
import torch
from torch import Tensor

from zeroco_ros.croco.model import CroCo, CrocoConfig
from zeroco_ros.croco.official import LICENSE_NOTE, read_official
from zeroco_ros.errors import ConfigError, WeightsError
from zeroco_ros.weights import resolve

LOG = logging.getLogger(__name__)

FORMAT = "zeroco_croco_1"


@dataclass(frozen=True)
class LoadedCroco:
    """
    A network in evaluation mode, float32, on the CPU, and what its file says about it.

    metadata: the decoded JSON values of our own files (e.g. "matching": {"beta": ...}); empty for
    official files. license_note: set where use is restricted. sha256: of the file, in hex.
    """

    model: CroCo
    config: CrocoConfig
    metadata: dict[str, Any]
    license_note: str | None
    sha256: str


def load_croco(name_or_path: str | Path) -> LoadedCroco:
    """
    Load shipped weights by name, or a file: ours (.safetensors) or an official one (.pth).

    The kind is told by the content, not by the name. Official weights are announced with their
    license in the log. Raises WeightsError for a missing, damaged or unsafe file and for a network
    that is not CroCo's.
    """
    path = resolve(name_or_path)
    try:
        sha256, kind = _inspect(path)
        if kind == "safetensors":
            config, state, metadata = _read_safetensors(path)
            note = None
        else:
            (config, state), metadata, note = read_official(path), {}, LICENSE_NOTE
        model = _build(config, state)
    except WeightsError as error:
        raise WeightsError(f"weights '{path}': {error}") from None
    except OSError as error:
        raise WeightsError(f"weights '{path}': cannot be read ({error.strerror})") from None
    if note:
        LOG.warning("%s: %s", path.name, note)
    return LoadedCroco(model, config, metadata, note, sha256)


def save_croco(path: str | Path, model: CroCo, metadata: Mapping[str, Any] | None = None) -> None:
    """
    Write the network as safetensors, whole or not at all.

    metadata: JSON values by name, kept beside the architecture; "matching" holds what inference
    reads, such as beta. Raises ConfigError for metadata that JSON cannot hold and WeightsError
    where the file cannot be written.
    """
    if metadata and {"config", "format"} & metadata.keys():
        raise ConfigError("metadata: the names 'config' and 'format' are taken")
    try:
        notes = {
            key: json.dumps(value, allow_nan=False) for key, value in (metadata or {}).items()
        }
    except (TypeError, ValueError) as error:
        raise ConfigError(f"metadata cannot be written as JSON: {error}") from None
    notes |= {"config": json.dumps(model.config.to_dict()), "format": json.dumps(FORMAT)}
    tensors = {
        key: value.detach().cpu().contiguous().clone() for key, value in model.state_dict().items()
    }
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(save(tensors, notes))
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise WeightsError(f"weights '{path}': cannot be written ({error.strerror})") from None


def _inspect(path: Path) -> tuple[str, str]:
    """SHA-256 and kind ("safetensors" or "pickle") of a file, from its content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        head = file.read(16)
        digest.update(head)
        while block := file.read(1 << 20):
            digest.update(block)
    header = int.from_bytes(head[:8], "little")
    if head[8:9] == b"{" and header < path.stat().st_size + 8:
        return digest.hexdigest(), "safetensors"
    if head.startswith((b"PK\x03\x04", b"\x80")):
        return digest.hexdigest(), "pickle"
    what = "empty" if not head else "not a model file"
    raise WeightsError(f"{what}; .safetensors of this package or an official .pth is needed")


def _read_safetensors(path: Path) -> tuple[CrocoConfig, dict[str, Tensor], dict[str, Any]]:
    """Architecture, tensors and remaining metadata of a file that `save_croco` wrote."""
    try:
        with safe_open(path, framework="pt") as file:
            notes = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise WeightsError(f"damaged or truncated ({error}); get the file again") from None
    try:
        metadata = {
            key: json.loads(value) for key, value in notes.items() if key != "__metadata__"
        }
    except ValueError:
        metadata = {}
    if metadata.pop("format", None) != FORMAT or not isinstance(metadata.get("config"), dict):
        raise WeightsError(
            f"a safetensors file, but not one of this package (no '{FORMAT}' metadata)"
        )
    try:
        return CrocoConfig.from_dict(metadata.pop("config")), state, metadata
    except ConfigError as error:
        raise WeightsError(f"describes an impossible network: {error}") from None


def _build(config: CrocoConfig, state: Mapping[str, Tensor]) -> CroCo:
    """Give network with these tensors; every name and shape has to fit, every value be finite."""
    with torch.device("meta"):  # shapes without memory: the file may describe anything
        model = CroCo(config)
    expected = model.state_dict()
    missing, unknown = (
        sorted(expected.keys() - state.keys()),
        sorted(state.keys() - expected.keys()),
    )
    if missing or unknown:
        raise WeightsError(
            f"not the network it describes: {_some('missing', missing)}; "
            f"{_some('not expected', unknown)}"
        )
    for key, value in state.items():
        if value.shape != expected[key].shape:
            raise WeightsError(
                f"{key} has shape {tuple(value.shape)}; the described network needs "
                f"{tuple(expected[key].shape)}"
            )
        if not value.is_floating_point() or not bool(torch.isfinite(value).all()):
            raise WeightsError(f"{key} holds values that are not finite numbers")
    model.load_state_dict({key: value.float() for key, value in state.items()}, assign=True)
    return model.eval()


def _some(what: str, keys: list[str]) -> str:
    """Return "missing 3 tensors (a, b, ...)" for a one-line message."""
    shown = ", ".join(keys[:3]) + (", ..." if len(keys) > 3 else "")
    return f"{what} {len(keys)} tensors" + (f" ({shown})" if keys else "")
