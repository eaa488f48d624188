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

"""What is to run a network, and on what: one set of options for nodes and commands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zeroco_ros.engine.available import PROVIDERS
from zeroco_ros.engine.torch_backend import DEVICES, PRECISIONS
from zeroco_ros.errors import ConfigError

BACKENDS = ("auto", "torch", "onnx", "tensorrt")
ACCELERATIONS = ("none", "compile", "cuda_graph")


@dataclass(frozen=True)
class NetworkOptions:
    """
    What runs a network, and on what. Raises ConfigError for a value that is none of those.

    backend: "torch", "onnx" (an exported engine in ONNX Runtime), "tensorrt" (the same, built for
    this GPU), or "auto": the best that is there.
    weights: the name of shipped weights or a model file; None: those of the engine, else the
    shipped "default". With an engine they must be those that it was exported from.
    engine: folder of `zeroco export`; None: no engine.
    device: "auto", "cpu" or "cuda". precision: "auto" (the configuration's, else what is fast on
    the device), "fp32", "bf16", "fp16" or "int8"; an engine has the one of its export.
    provider: of ONNX Runtime: "auto", "cpu", "cuda" or "tensorrt".
    threads: CPU threads, None leaves them to the library.
    acceleration: of PyTorch: "none", "compile" (torch.compile) or "cuda_graph"; each new size of
    images then costs seconds to minutes once.
    build: build what TensorRT needs where it is not in the cache, which takes minutes.
    check: pass the engine through the parity gate (`estimate.parity`) before it is trusted.
    fallback: let PyTorch serve where the engine is refused, instead of raising.
    """

    backend: str = "auto"
    weights: str | Path | None = None
    engine: str | Path | None = None
    device: str = "auto"
    precision: str = "auto"
    provider: str = "auto"
    threads: int | None = None
    acceleration: str = "none"
    build: bool = False
    check: bool = False
    fallback: bool = False

    def __post_init__(self) -> None:
        allowed = {
            "backend": BACKENDS,
            "device": DEVICES,
            "precision": PRECISIONS,
            "provider": PROVIDERS,
            "acceleration": ACCELERATIONS,
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                given = getattr(self, name)
                raise ConfigError(f"unknown {name} {given!r}: use one of {', '.join(values)}")
        threads = self.threads
        if threads is not None and (isinstance(threads, bool) or threads < 1):
            raise ConfigError(f"threads is {threads!r}: give a whole number from 1")
        if self.engine is None and self.backend in ("onnx", "tensorrt"):
            raise ConfigError(
                f"backend '{self.backend}' runs an engine and none is given: make one with "
                "'zeroco export -o FOLDER' and give its folder, or use backend 'torch' or 'auto'"
            )
