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

"""An exported engine in ONNX Runtime: on the CPU, or on a GPU by its CUDA or TensorRT provider."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zeroco_ros.engine.bundle import check_file, Manifest, read_graph, read_manifest
from zeroco_ros.engine.graph_backend import BACKBONE, GraphBackend
from zeroco_ros.errors import BackendError, ConfigError

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


def open_session(model: bytes | Path, provider: str, threads: int | None) -> Any:
    """
    Return an ONNX Runtime session of a graph in memory, or of a file with its weights beside it.

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
        session = onnxruntime.InferenceSession(model, options, providers=PROVIDERS[provider])
    except Exception as error:  # the library has no common base class for its errors
        raise BackendError(f"onnxruntime refuses the graph: {error}") from None
    if session.get_providers()[0] != PROVIDERS[provider][0]:  # it falls back without a word
        raise BackendError(
            f"onnxruntime could not start its {PROVIDERS[provider][0]} and would run on "
            f"{session.get_providers()[0]}: check the CUDA installation or use the provider 'cpu'"
        )
    return session


class OnnxRunner:
    """One graph of a bundle in ONNX Runtime; see `engine.graph_backend.GraphRunner`."""

    def __init__(
        self, folder: Path, manifest: Manifest, name: str, provider: str, threads: int | None
    ) -> None:
        model: bytes | Path = read_graph(folder, manifest, f"{name}.onnx")
        if f"{name}.onnx.data" in manifest.files:
            check_file(folder, manifest, f"{name}.onnx.data")
            model = folder / f"{name}.onnx"
        self._signature = manifest.graphs[name]
        self._session = open_session(model, provider, threads)

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        """See the class."""
        feed = {
            name: np.ascontiguousarray(value.float().cpu().numpy())
            for name, value in zip(self._signature.inputs, inputs, strict=True)
        }
        found = self._session.run(list(self._signature.outputs), feed)
        return [torch.from_numpy(value) for value in found]


class OnnxBackend(GraphBackend):
    """
    A bundle in ONNX Runtime; see `engine.backend.Backend`.

    folder: of `zeroco export`. provider, threads: see `open_session`. Raises BackendError or
    ConfigError.
    """

    def __init__(
        self, folder: str | Path, provider: str = "cpu", threads: int | None = None
    ) -> None:
        self.folder, self.provider, self.threads = Path(folder), provider, threads
        manifest = read_manifest(self.folder)
        if manifest.kind != "onnx":
            raise BackendError(f"engine '{folder}' is of kind {manifest.kind!r}, not onnx")
        device = "cpu" if provider == "cpu" else "cuda"
        super().__init__(manifest, _Runners(self), name="onnx", device=device)
        for name in BACKBONE:  # what is wrong with a file is said now, not at the first image
            self.runners[name]

    def open_graph(self, name: str) -> OnnxRunner:
        """Open one of the bundle's graphs."""
        return OnnxRunner(self.folder, self.manifest, name, self.provider, self.threads)


class _Runners(dict[str, OnnxRunner]):
    """Graphs that are opened when they are first asked for: a head may never be."""

    def __init__(self, backend: OnnxBackend) -> None:
        super().__init__()
        self._backend = backend

    def __missing__(self, name: str) -> OnnxRunner:
        self[name] = runner = self._backend.open_graph(name)
        return runner
