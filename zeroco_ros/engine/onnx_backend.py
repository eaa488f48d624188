"""An exported engine in ONNX Runtime: on the CPU, or on a GPU by its CUDA or TensorRT provider."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zeroco_ros.croco.descriptors import Encoding, PairDescriptors
from zeroco_ros.croco.positions import Grid
from zeroco_ros.engine.bundle import Manifest, read_graph, read_manifest
from zeroco_ros.engine.graphs import SIGNATURES, flat_levels, nested_levels
from zeroco_ros.errors import BackendError, ConfigError
from zeroco_ros.heads.features import Level
from zeroco_ros.heads.recurrent import HeadFlow

MISSING = (
    "onnxruntime cannot be imported ({error}): it runs exported engines; install it with "
    "'python3 -m pip install onnxruntime' (onnxruntime-gpu on a GPU)"
)
PROVIDERS = {
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider"),
    "tensorrt": (
        "TensorrtExecutionProvider",
        "CUDAExecutionProvider",
        "CPUExecutionProvider",
    ),
}
PATCH = 16


def open_session(content: bytes, provider: str, threads: int | None) -> Any:
    """An ONNX Runtime session of a graph in memory.

    provider: "cpu", "cuda" or "tensorrt"; threads: on the CPU, None for the library's choice.
    Raises BackendError where the library or the provider is missing or refuses the graph, and
    ConfigError for another provider.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise BackendError(MISSING.format(error=error)) from None
    if provider not in PROVIDERS:
        raise ConfigError(f"provider {provider!r}: one of {', '.join(PROVIDERS)}")
    available = onnxruntime.get_available_providers()
    if PROVIDERS[provider][0] not in available:
        raise BackendError(
            f"onnxruntime {onnxruntime.__version__} has no {PROVIDERS[provider][0]} (it has "
            f"{', '.join(available)}): install onnxruntime-gpu or use the provider 'cpu'"
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(content, options, providers=PROVIDERS[provider])
    except Exception as error:  # the library has no common base class for its errors
        raise BackendError(f"onnxruntime refuses the graph: {error}") from None


class _Runner:
    """One graph of a bundle: tensors in, tensors out, in the order of its signature."""

    def __init__(
        self, folder: Path, manifest: Manifest, name: str, provider: str, threads: int | None
    ) -> None:
        self._inputs = SIGNATURES[name].inputs
        content = read_graph(folder, manifest, f"{name}.onnx")
        self._session = open_session(content, provider, threads)

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        feed = {
            name: np.ascontiguousarray(value.float().cpu().numpy())
            for name, value in zip(self._inputs, inputs, strict=True)
        }
        return [torch.from_numpy(value) for value in self._session.run(None, feed)]


class OnnxBackend:
    """The backbone of a bundle; see `engine.backend.Backend`.

    folder: of `zeroco export`. provider, threads: see `open_session`. The resolution is fixed:
    manifest.model_size. Raises BackendError or ConfigError.
    """

    name = "onnx"

    def __init__(
        self, folder: str | Path, provider: str = "cpu", threads: int | None = None
    ) -> None:
        self.folder, self.provider, self.threads = Path(folder), provider, threads
        self.manifest = read_manifest(self.folder)
        if self.manifest.kind != "onnx":
            raise BackendError(f"engine '{folder}' is of kind {self.manifest.kind!r}, not onnx")
        self.device = "cpu" if provider == "cpu" else "cuda"
        self.precision = self.manifest.precision
        parts = (self.folder, self.manifest)
        self._encoder = _Runner(*parts, "encoder", provider, threads)
        self._matcher = _Runner(*parts, "matcher", provider, threads)

    def encode(self, images: Tensor) -> Encoding:
        """Encode (B, 3, H, W) images of the engine's resolution, one by one."""
        size = self.manifest.model_size
        if tuple(images.shape[2:]) != size:
            raise ConfigError(
                f"an input of {tuple(images.shape[2:])} for an engine of {size} (height, width): "
                "export one for this size"
            )
        tokens = torch.cat([self._encoder(image[None])[0] for image in images])
        return Encoding(tokens, (size[0] // PATCH, size[1] // PATCH))

    def match(
        self, target: Encoding, source: Encoding, *, features: bool = False
    ) -> PairDescriptors:
        """Not offered: an engine returns cost volumes. Raises ConfigError."""
        raise ConfigError(
            "an exported engine has no descriptors or features: use the torch backend with this "
            "correlation or head"
        )

    def volumes(
        self,
        target: Encoding,
        source: Encoding,
        valid: tuple[Grid, Grid],
        *,
        register_fix: bool,
    ) -> tuple[Tensor, Tensor]:
        """See `Backend.volumes`. The register fix is baked in; ConfigError for the other one."""
        if register_fix != self.manifest.register_fix:
            raise ConfigError(
                f"register_fix {register_fix} with an engine exported with "
                f"{self.manifest.register_fix}: export it again"
            )
        found = [
            self._matcher(target.tokens[i : i + 1], source.tokens[i : i + 1])
            for i in range(len(target.tokens))
        ]
        ahead, back = (torch.cat([pair[side] for pair in found]) for side in (0, 1))
        rows = _index(target.grid, valid[0])
        columns = _index(source.grid, valid[1])
        return ahead[:, rows][:, :, columns], back[:, columns][:, :, rows]


class OnnxHeadBackend:
    """The flow head of a bundle; see `engine.head_backend.HeadBackend`."""

    def __init__(self, backbone: OnnxBackend) -> None:
        parts = (backbone.folder, backbone.manifest)
        how = (backbone.provider, backbone.threads)
        self._features = _Runner(*parts, "head_features", *how)
        self._head = _Runner(*parts, "head", *how)

    def encode(self, images: Tensor) -> tuple[Level, Level]:
        """Features of (B, 3, h, w) normalized images of the engine's head size."""
        each = [self._features(image[None]) for image in images]
        return nested_levels(tuple(torch.cat(parts) for parts in zip(*each, strict=True)))

    def flow(
        self,
        target: tuple[Level, Level],
        source: tuple[Level, Level],
        coarse: Tensor,
        mass: Tensor,
    ) -> HeadFlow:
        """Dense flow from a coarse match, see `RecurrentHead.forward`."""
        everything = (*flat_levels(target), *flat_levels(source), coarse, mass)
        each = [self._head(*(part[i : i + 1] for part in everything)) for i in range(len(coarse))]
        flow, certainty = (torch.cat(parts) for parts in zip(*each, strict=True))
        return HeadFlow(flow, certainty, ())


def _index(grid: Grid, valid: Grid) -> Tensor:
    """Indices of the top-left `valid` tokens of a row-major grid."""
    return torch.arange(grid[0] * grid[1]).view(grid)[: valid[0], : valid[1]].reshape(-1)
