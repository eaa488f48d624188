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

"""Engines in an estimator: a configuration fitted to what was exported, with its heads."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zeroco_ros.engine.graph_backend import GraphBackend, GraphHead
from zeroco_ros.engine.graph_heads import GraphVolumeHead
from zeroco_ros.engine.graphs import FIRST
from zeroco_ros.engine.onnx_backend import OnnxBackend
from zeroco_ros.errors import BackendError, ConfigError
from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.dense import DenseHead
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.estimate.volume_head import VolumeHead


@dataclass(frozen=True)
class OpenEngine:
    """
    A running engine.

    config: the wanted one with what the engine fixes; metadata: of the weights; head: None without
    one.
    """

    backend: GraphBackend
    config: FlowConfig
    metadata: dict[str, Any]
    head: DenseHead | VolumeHead | None

    def estimator(self) -> FlowEstimator:
        """Build the estimator that runs it."""
        return FlowEstimator.from_backend(
            self.backend, self.config, metadata=self.metadata, head=self.head
        )


def open_engine(
    folder: str | Path, config: FlowConfig, provider: str = "cpu", threads: int | None = None
) -> OpenEngine:
    """
    Open an engine in ONNX Runtime for a configuration.

    Raises BackendError for an engine that is missing, changed or without a head that is wanted,
    ConfigError for an option that it does not have.
    """
    return engine_of(OnnxBackend(folder, provider, threads), config)


def engine_of(backend: GraphBackend, config: FlowConfig) -> OpenEngine:
    """
    Fit a configuration to a bundle's backend that is already open; see `open_engine`.

    What the graphs fix is taken from them: size, register fix. A read-out that differs from theirs
    is done by the estimator, from the volumes.
    """
    manifest = backend.manifest
    if config.correlation == "decoder" and FIRST[0] not in manifest.graphs["matcher"].outputs:
        raise ConfigError(
            "correlation 'decoder' with an engine exported without it: export one with "
            "--correlation decoder"
        )
    if config.register_fix not in (None, manifest.register_fix):
        raise ConfigError(
            f"register_fix {config.register_fix} with an engine exported with "
            f"{manifest.register_fix}: export it again"
        )
    head = None if config.head == "none" else _head(backend, config)
    fixed = dataclasses.replace(
        config, size=manifest.model_size, register_fix=manifest.register_fix
    )
    return OpenEngine(backend, fixed, manifest.weights.metadata, head)


def _head(backend: GraphBackend, config: FlowConfig) -> DenseHead | VolumeHead:
    manifest = backend.manifest
    if manifest.head is None:
        raise BackendError(
            "this engine was exported without a flow head: use head 'none' or export it with a "
            "preset that has one"
        )
    if manifest.head_size is not None:
        return DenseHead(GraphHead(backend.runners), manifest.head.metadata, manifest.head_size)
    if config.alignment:
        raise ConfigError(
            f"alignment with an engine of head '{manifest.head.name}': a turned image has other "
            "proportions than the engine; use a recurrent head, or the torch backend"
        )
    return VolumeHead(GraphVolumeHead(backend), config, manifest.head.metadata)
