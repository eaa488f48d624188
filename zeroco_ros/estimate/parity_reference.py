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

"""What the parity gate trusts: the same model files in PyTorch, float32, on the CPU."""

from __future__ import annotations

from pathlib import Path

from zeroco_ros.croco.checkpoint import load_croco
from zeroco_ros.engine.bundle import Origin, sha256
from zeroco_ros.engine.head_backend import HeadBackend
from zeroco_ros.engine.pair_heads import TorchVolumeHead
from zeroco_ros.engine.torch_backend import TorchBackend
from zeroco_ros.errors import WeightsError
from zeroco_ros.estimate.dense import DenseHead
from zeroco_ros.estimate.engines import OpenEngine
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.estimate.learned_depth import LearnedDepth
from zeroco_ros.estimate.parity_pair import Tested
from zeroco_ros.estimate.volume_head import VolumeHead
from zeroco_ros.heads.aggregation import AggregationHead
from zeroco_ros.heads.checkpoint import load_head
from zeroco_ros.heads.recurrent import RecurrentHead
from zeroco_ros.heads.super_resolution import SuperResolutionHead
from zeroco_ros.weights import resolve, shipped


def reference(
    engine: OpenEngine,
    weights: str | Path | None = None,
    head: str | Path | None = None,
    depth: str | Path | None = None,
) -> Tested:
    """
    Return the engine's estimator in PyTorch, and its depth head where that is at hand.

    weights, head, depth: as for `parity.check_engine`; a depth head that is neither shipped nor
    given is left out. Raises WeightsError for a model file that
    is missing or not the one that the engine was exported from.
    """
    manifest = engine.backend.manifest
    loaded = load_croco(_model_file(weights, manifest.weights))
    backend = TorchBackend(loaded.model, "cpu", "fp32")
    flow = FlowEstimator.from_backend(
        backend, engine.config, metadata=loaded.metadata, head=_head(engine, head)
    )
    origin = manifest.depth
    if origin is None or (depth is None and _name(origin) not in shipped()):
        return Tested(flow)
    return Tested(flow, LearnedDepth(backend, _model_file(depth, origin)))


def _head(engine: OpenEngine, file: str | Path | None) -> DenseHead | VolumeHead | None:
    manifest = engine.backend.manifest
    if manifest.head is None:
        return None
    path = _model_file(file, manifest.head)
    loaded = load_head(path)
    if isinstance(loaded.head, RecurrentHead) and manifest.head_size is not None:
        runner = HeadBackend(loaded.head, "cpu", "fp32")
        return DenseHead(runner, loaded.metadata, manifest.head_size)
    if isinstance(loaded.head, AggregationHead | SuperResolutionHead):
        volume = TorchVolumeHead(loaded.head, "cpu", "fp32")
        return VolumeHead(volume, engine.config, loaded.metadata)
    raise WeightsError(f"'{path}' is a head of kind {loaded.kind!r}: a flow head is needed")


def _name(origin: Origin) -> str:
    """Return the name of shipped weights that a model file may be."""
    return origin.name.removesuffix(".safetensors")


def _model_file(given: str | Path | None, origin: Origin) -> Path:
    path = Path(resolve(_name(origin) if given is None else given))
    found = sha256(path.read_bytes())
    if found != origin.sha256:
        raise WeightsError(
            f"'{path}' (sha256 {found[:12]}) is not the file that the engine was exported from "
            f"({origin.name}, {origin.sha256[:12]}): give that one, or export the engine again"
        )
    return path
