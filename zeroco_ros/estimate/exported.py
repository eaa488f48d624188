"""Engines of an estimator: export what a configuration runs, and run what was exported."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zeroco_ros.croco.checkpoint import load_croco
from zeroco_ros.engine.bundle import Manifest, Origin, sha256, write_bundle
from zeroco_ros.engine.export import export_graph
from zeroco_ros.engine.graph_backend import GraphBackend, GraphHead
from zeroco_ros.engine.graphs import Graph, backbone_graphs, head_graphs
from zeroco_ros.engine.onnx_backend import OnnxBackend
from zeroco_ros.errors import BackendError, ConfigError
from zeroco_ros.estimate.coarse import resolved_register_fix
from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.dense import DenseHead, head_size
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.heads.checkpoint import load_head
from zeroco_ros.heads.recurrent import RecurrentHead
from zeroco_ros.matching.flow import fit_letterbox
from zeroco_ros.weights import resolve

Size = tuple[int, int]
_LIBRARIES = ("torch", "onnx", "onnxscript", "onnxruntime")


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote. differences: graph name to `Exported.difference`."""

    manifest: Manifest
    differences: dict[str, float]


def export_engine(
    folder: str | Path,
    config: FlowConfig,
    image: Size,
    *,
    weights: str | Path = "default",
    progress: Callable[[str], None] = lambda line: None,
) -> ExportReport:
    """Write the ONNX graphs that `config` needs for images of (H, W) pixels.

    Backbone at the letterbox of such an image, flow head at its size; other images are letterboxed
    and stretched into the same. progress: called with a line per graph. Raises WeightsError,
    ConfigError for a configuration that graphs cannot hold, BackendError where exporting fails.
    """
    if config.correlation == "decoder":
        raise ConfigError("correlation 'decoder' cannot be exported: use cross_attention")
    path = resolve(weights)
    loaded = load_croco(path)
    fix = resolved_register_fix(config, loaded.metadata)
    box = fit_letterbox(
        image, size=config.size, max_side=config.max_side, keep_aspect=config.resize == "letterbox"
    )
    graphs = backbone_graphs(loaded.model, box.model, fix)
    head, dense = _head(config, image)
    if dense is not None:
        graphs |= head_graphs(*dense)
    files, differences = _export(graphs, progress)
    origin = Origin(path.name, loaded.sha256, loaded.metadata, loaded.license_note)
    manifest = Manifest(
        kind="onnx",
        precision="fp32",
        model_size=box.model,
        head_size=None if dense is None else dense[1],
        register_fix=fix,
        config=dataclasses.asdict(config),
        weights=origin,
        head=head,
        graphs={name: graph.signature for name, graph in graphs.items()},
        files={name: sha256(content) for name, content in files.items()},
        versions={name: importlib.metadata.version(name) for name in _LIBRARIES},
    )
    write_bundle(Path(folder), manifest, files)
    return ExportReport(manifest, differences)


def _head(
    config: FlowConfig, image: Size
) -> tuple[Origin | None, tuple[RecurrentHead, Size] | None]:
    """The flow head's origin, and the head with its input's size."""
    if config.head == "none":
        return None, None
    path = resolve(config.head)
    loaded = load_head(path)
    if not isinstance(loaded.head, RecurrentHead):
        raise ConfigError(f"head of kind {loaded.kind!r} cannot be exported: only 'recurrent' can")
    origin = Origin(path.name, sha256(path.read_bytes()), loaded.metadata)
    return origin, (loaded.head, head_size(image, config.head_max_side))


def _export(
    graphs: dict[str, Graph], progress: Callable[[str], None]
) -> tuple[dict[str, bytes], dict[str, float]]:
    files: dict[str, bytes] = {}
    differences: dict[str, float] = {}
    for name, graph in graphs.items():
        progress(f"exporting {name}")
        exported = export_graph(name, graph)
        files[f"{name}.onnx"] = exported.content
        differences[name] = exported.difference
    return files, differences


@dataclass(frozen=True)
class OpenEngine:
    """A running engine. config: the wanted one with what the engine fixes; metadata: of the
    weights; head: None without one.
    """

    backend: GraphBackend
    config: FlowConfig
    metadata: dict[str, Any]
    head: DenseHead | None

    def estimator(self) -> FlowEstimator:
        """Build the estimator that runs it."""
        return FlowEstimator.from_backend(
            self.backend, self.config, metadata=self.metadata, head=self.head
        )


def open_engine(
    folder: str | Path, config: FlowConfig, provider: str = "cpu", threads: int | None = None
) -> OpenEngine:
    """Open an engine in ONNX Runtime for a configuration.

    Raises BackendError for an engine that is missing, changed or without a head that is wanted,
    ConfigError for an option that no engine has.
    """
    return engine_of(OnnxBackend(folder, provider, threads), config)


def engine_of(backend: GraphBackend, config: FlowConfig) -> OpenEngine:
    """Fit a configuration to a bundle's backend that is already open; see `open_engine`."""
    manifest = backend.manifest
    if config.correlation == "decoder":
        raise ConfigError("correlation 'decoder' needs the torch backend: an engine has none")
    if config.register_fix not in (None, manifest.register_fix):
        raise ConfigError(
            f"register_fix {config.register_fix} with an engine exported with "
            f"{manifest.register_fix}: export it again"
        )
    head = None
    if config.head != "none":
        if manifest.head is None or manifest.head_size is None:
            raise BackendError(
                "this engine was exported without a flow head: use head 'none' or export it with "
                "a preset that has one"
            )
        head = DenseHead(GraphHead(backend.runners), manifest.head.metadata, manifest.head_size)
    fixed = dataclasses.replace(
        config, size=manifest.model_size, register_fix=manifest.register_fix
    )
    return OpenEngine(backend, fixed, manifest.weights.metadata, head)
