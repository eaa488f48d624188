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

"""Weights files of heads: safetensors, with the head's kind and configuration in the metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import json
import os
from pathlib import Path
from typing import Any

from safetensors import safe_open, SafetensorError
from safetensors.torch import save
import torch
from torch import nn, Tensor

from zeroco_ros.errors import ConfigError, WeightsError
from zeroco_ros.heads.aggregation import AggregationConfig, AggregationHead
from zeroco_ros.heads.depth import DepthHead, DepthHeadConfig
from zeroco_ros.heads.recurrent import RecurrentConfig, RecurrentHead
from zeroco_ros.heads.super_resolution import SuperResolutionConfig, SuperResolutionHead

FORMAT = "zeroco_head_1"
# Kind -> configuration (with to_dict and from_dict) and head (with `config`).
KINDS: dict[str, tuple[type[Any], type[nn.Module]]] = {
    "recurrent": (RecurrentConfig, RecurrentHead),
    "aggregation": (AggregationConfig, AggregationHead),
    "super_resolution": (SuperResolutionConfig, SuperResolutionHead),
    "depth": (DepthHeadConfig, DepthHead),
}


@dataclass(frozen=True)
class LoadedHead:
    """
    A head in evaluation mode, float32, on the CPU.

    kind: a key of `KINDS`; metadata: the other JSON values of its file, such as the sha256 of the
    backbone that it was trained on.
    """

    head: nn.Module
    kind: str
    metadata: dict[str, Any]


def build_head(kind: str, values: Mapping[str, Any]) -> nn.Module:
    """Give an untrained head from its kind and its configuration's values; raises ConfigError."""
    if kind not in KINDS:
        raise ConfigError(f"head {kind!r}: one of {', '.join(KINDS)}")
    config, head = KINDS[kind]
    return head(config.from_dict(values))


def save_head(
    path: str | Path, head: nn.Module, metadata: Mapping[str, Any] | None = None
) -> None:
    """
    Write a head, whole or not at all.

    metadata: JSON values by name. Raises ConfigError for metadata that JSON cannot hold or for a
    module that is no head, WeightsError where the file cannot be written.
    """
    kinds = [kind for kind, (_, type_) in KINDS.items() if type(head) is type_]
    if not kinds:
        raise ConfigError(f"{type(head).__name__} is no head: one of {', '.join(KINDS)}")
    if metadata and {"kind", "config", "format"} & metadata.keys():
        raise ConfigError("metadata: the names 'kind', 'config' and 'format' are taken")
    values = {**(metadata or {}), "kind": kinds[0], "format": FORMAT}
    values["config"] = head.config.to_dict()  # type: ignore[operator, union-attr]
    try:
        notes = {key: json.dumps(value, allow_nan=False) for key, value in values.items()}
    except (TypeError, ValueError) as error:
        raise ConfigError(f"metadata cannot be written as JSON: {error}") from None
    tensors = {
        key: value.detach().cpu().contiguous().clone() for key, value in head.state_dict().items()
    }
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(save(tensors, notes))
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise WeightsError(f"head '{path}': cannot be written ({error.strerror})") from None


def load_head(path: str | Path) -> LoadedHead:
    """
    Read a file that `save_head` wrote; nothing in it is executed.

    Raises WeightsError for a missing, damaged or foreign file and for tensors that do not make up
    the head that the file describes.
    """
    try:
        state, notes = _read(Path(path))
        kind, values = notes.pop("kind"), notes.pop("config")
        with torch.device("meta"):  # shapes without memory: the file may describe anything
            described = build_head(kind, values)
        _check(described.state_dict(), state)
        head = build_head(kind, values)
    except (ConfigError, WeightsError) as error:
        raise WeightsError(f"head '{path}': {error}") from None
    head.load_state_dict({key: value.float() for key, value in state.items()})
    return LoadedHead(head.eval(), kind, notes)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    if not path.is_file():
        raise WeightsError("no such file")
    try:
        with safe_open(path, framework="pt") as file:
            texts = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"damaged or truncated ({error}); get the file again") from None
    try:
        notes = {key: json.loads(text) for key, text in texts.items()}
    except ValueError:
        notes = {}
    described = isinstance(notes.get("kind"), str) and isinstance(notes.get("config"), dict)
    if notes.pop("format", None) != FORMAT or not described:
        raise WeightsError(f"not a head of this package (no '{FORMAT}' metadata)")
    return state, notes


def _check(expected: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    """Every name and shape has to fit, every value be finite; raises WeightsError."""
    differing = sorted(expected.keys() ^ state.keys())
    if differing:
        raise WeightsError(
            f"not the head it describes: {len(differing)} tensors missing or not expected "
            f"({', '.join(differing[:3])})"
        )
    for key, value in state.items():
        if value.shape != expected[key].shape:
            raise WeightsError(
                f"{key} has shape {tuple(value.shape)}; the described head needs "
                f"{tuple(expected[key].shape)}"
            )
        if not value.is_floating_point() or not bool(torch.isfinite(value).all()):
            raise WeightsError(f"{key} holds values that are not finite numbers")
