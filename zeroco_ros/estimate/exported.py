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

"""Export of an engine: the ONNX graphs that a configuration runs, each checked."""

from __future__ import annotations

from collections.abc import Callable
import dataclasses
from dataclasses import dataclass
import importlib.metadata
from pathlib import Path
from typing import Any

from zeroco_ros.croco.checkpoint import load_croco, LoadedCroco
from zeroco_ros.engine.bundle import check_folder, Manifest, Origin, sha256, write_bundle
from zeroco_ros.engine.export import export_graph
from zeroco_ros.engine.graphs import backbone_graphs, Graph, MatcherOutputs
from zeroco_ros.engine.half_types import check_precision, typed
from zeroco_ros.engine.head_graphs import depth_head_graphs, head_graphs, volume_head_graphs
from zeroco_ros.errors import ConfigError
from zeroco_ros.estimate.coarse import readout_of, resolved_beta, resolved_register_fix
from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.dense import head_size
from zeroco_ros.estimate.engines import engine_of, open_engine, OpenEngine
from zeroco_ros.estimate.frames import MIN_SIDE
from zeroco_ros.heads.checkpoint import load_head, LoadedHead
from zeroco_ros.heads.depth import DepthHead
from zeroco_ros.heads.recurrent import RecurrentHead
from zeroco_ros.matching.flow import fit_letterbox
from zeroco_ros.weights import resolve

__all__ = [
    "EnginePlan",
    "ExportReport",
    "OpenEngine",
    "engine_of",
    "export_engine",
    "open_engine",
    "plan_engine",
]

Size = tuple[int, int]
Progress = Callable[[str], None]
_LIBRARIES = ("torch", "onnx", "onnxscript", "onnxruntime")


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote. differences: graph name to `Exported.difference`."""

    manifest: Manifest
    differences: dict[str, float]


@dataclass(frozen=True)
class EnginePlan:
    """What an engine is made of. graphs: by name; manifest: without files and versions."""

    graphs: dict[str, Graph]
    manifest: Manifest


@dataclass(frozen=True)
class _Parts:
    """The model files that an engine is made of; head and depth with their origins."""

    backbone: LoadedCroco
    weights: Origin
    head: LoadedHead | None
    head_origin: Origin | None
    depth: DepthHead | None
    depth_origin: Origin | None


def export_engine(
    folder: str | Path,
    config: FlowConfig,
    image: Size,
    *,
    weights: str | Path = "default",
    depth: str | Path | None = None,
    precision: str = "fp32",
    progress: Progress = lambda line: None,
) -> ExportReport:
    """
    Write the ONNX graphs that `config` needs for images of (H, W) pixels.

    Backbone at the letterbox of such an image, recurrent flow head at its size: other images are
    letterboxed and stretched into the same. Heads on the volume, and the depth head, take images
    of these proportions only. depth: the depth head, None for none. precision: "fp32" or "fp16",
    see `engine.half_types`. progress: called with a line per graph. Raises WeightsError,
    ConfigError for a configuration that graphs cannot hold, BackendError where exporting fails.
    """
    check_folder(Path(folder))
    plan = plan_engine(config, image, weights=weights, depth=depth, precision=precision)
    files: dict[str, bytes] = {}
    differences: dict[str, float] = {}
    for name, graph in plan.graphs.items():
        progress(f"exporting {name}")
        exported = export_graph(name, graph)
        files |= exported.files
        differences[name] = exported.difference
    manifest = dataclasses.replace(
        plan.manifest,
        files={name: sha256(content) for name, content in files.items()},
        versions={name: importlib.metadata.version(name) for name in _LIBRARIES},
    )
    write_bundle(Path(folder), manifest, files)
    return ExportReport(manifest, differences)


def plan_engine(
    config: FlowConfig,
    image: Size,
    *,
    weights: str | Path = "default",
    depth: str | Path | None = None,
    precision: str = "fp32",
) -> EnginePlan:
    """Build the modules that `export_engine` writes as graphs; arguments and errors as there."""
    check_precision(precision)
    if min(image) < MIN_SIDE:
        raise ConfigError(
            f"an engine for images of {image[1]}x{image[0]} pixels: they have at least "
            f"{MIN_SIDE}x{MIN_SIDE}"
        )
    parts = _load(config, weights, depth)
    metadata = parts.backbone.metadata
    box = fit_letterbox(
        image, size=config.size, max_side=config.max_side, keep_aspect=config.resize == "letterbox"
    )
    recurrent = parts.head is not None and isinstance(parts.head.head, RecurrentHead)
    outputs = MatcherOutputs(
        register_fix=resolved_register_fix(config, metadata),
        readout=readout_of(config, metadata),
        first=config.correlation == "decoder",
        last=parts.depth is not None or (parts.head is not None and not recurrent),
    )
    size = head_size(image, config.head_max_side) if recurrent else None
    graphs = backbone_graphs(parts.backbone.model, box.model, outputs)
    graphs |= _head_graphs(parts, config, size, box.valid)
    graphs = {
        name: dataclasses.replace(graph, module=typed(graph.module, precision))
        for name, graph in graphs.items()
    }
    manifest = Manifest(
        kind="onnx",
        precision=precision,
        image=image,
        model_size=box.model,
        valid=box.valid,
        head_size=size,
        register_fix=outputs.register_fix,
        readout=outputs.readout,
        config=dataclasses.asdict(config),
        weights=parts.weights,
        head=parts.head_origin,
        depth=parts.depth_origin,
        graphs={name: graph.signature for name, graph in graphs.items()},
        files={},
        versions={},
    )
    return EnginePlan(graphs, manifest)


def _load(config: FlowConfig, weights: str | Path, depth: str | Path | None) -> _Parts:
    path = resolve(weights)
    backbone = load_croco(path)
    origin = Origin(path.name, backbone.sha256, backbone.metadata, backbone.license_note)
    head, head_origin = (None, None) if config.head == "none" else _load_head(config.head)
    if head is not None and head.kind == "depth":
        raise ConfigError(f"head '{config.head}' is of kind depth: export it with --depth")
    deep, depth_origin = (None, None) if depth is None else _load_head(depth)
    if deep is not None and not isinstance(deep.head, DepthHead):
        raise ConfigError(f"depth head '{depth}' is of kind {deep.kind!r}: depth is needed")
    module = None if deep is None else deep.head
    assert module is None or isinstance(module, DepthHead)
    return _Parts(backbone, origin, head, head_origin, module, depth_origin)


def _load_head(name: str | Path) -> tuple[LoadedHead, Origin]:
    path = resolve(name)
    loaded = load_head(path)
    return loaded, Origin(path.name, sha256(path.read_bytes()), loaded.metadata)


def _head_graphs(
    parts: _Parts, config: FlowConfig, size: Size | None, valid: Size
) -> dict[str, Graph]:
    """Build the graphs of the heads; size: of a recurrent one's input; valid: tokens of image."""
    graphs: dict[str, Graph] = {}
    if parts.head is not None:
        head: Any = parts.head.head
        if size is not None:
            graphs |= head_graphs(head, size)
        else:
            graphs |= volume_head_graphs(head, valid, _volume_beta(parts, config))
    if parts.depth is not None:
        graphs |= depth_head_graphs(parts.depth, valid)
    return graphs


def _volume_beta(parts: _Parts, config: FlowConfig) -> float:
    """Return the temperature that a head on the volume needs; ConfigError where it cannot be."""
    assert parts.head is not None
    head: Any = parts.head.head
    if config.correlation != "cross_attention" or config.zoom:
        raise ConfigError(
            f"head of kind {parts.head.kind}: only with correlation cross_attention and no zoom"
        )
    width = parts.backbone.model.config.dec_embed_dim
    if head.config.tokens != width:
        raise ConfigError(
            f"this head was trained on another backbone: its features have {head.config.tokens} "
            f"channels, those of '{parts.weights.name}' {width}"
        )
    beta = resolved_beta(config, parts.backbone.metadata)
    if beta is None:
        raise ConfigError("this head needs the temperature of its backbone: set beta")
    return beta
