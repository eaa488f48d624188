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

"""What this machine can run engines with: libraries and a GPU; each absence is one phrase."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import NamedTuple

from zeroco_ros.engine import device
from zeroco_ros.errors import BackendError

PROVIDERS = ("auto", "cpu", "cuda", "tensorrt")
_NAMES = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
_GPU_FILES = ("/dev/nvidia0", "/dev/nvhost-gpu", "/dev/dxg")  # desktop, Jetson, WSL


class Absence(NamedTuple):
    """What is not there, and what to do about it, each a phrase."""

    what: str
    remedy: str


def onnx_absence() -> Absence | None:
    """Why ONNX Runtime cannot run here, None where it can."""
    try:
        importlib.import_module("onnxruntime")
    except Exception as error:  # a broken installation raises more than ImportError
        return Absence(
            f"onnxruntime cannot be imported ({error})",
            "install it with 'python3 -m pip install onnxruntime' (onnxruntime-gpu on a GPU)",
        )
    return None


def tensorrt_absence() -> Absence | None:
    """Why native TensorRT cannot run here, None where it can."""
    try:
        importlib.import_module("tensorrt")
    except Exception as error:  # a broken installation raises more than ImportError
        return Absence(
            f"tensorrt cannot be imported ({error})",
            "install it with 'python3 -m pip install tensorrt' (a Jetson has it from JetPack)",
        )
    try:
        device.open_device(0)
    except BackendError as error:
        return Absence("there is no GPU for TensorRT", str(error))
    return None


def choose_provider(provider: str, on: str) -> str:
    """
    ONNX Runtime's provider for the options given: "cpu", "cuda" or "tensorrt".

    on: the device, "auto", "cpu" or "cuda".
    "auto" is CUDA where ONNX Runtime and the machine have it and the device is not "cpu"; the
    TensorRT provider, which builds for minutes, is taken by its name only. Raises BackendError
    where a provider that is named, or the device "cuda", is not there.
    """
    onnxruntime = importlib.import_module("onnxruntime")
    offered = onnxruntime.get_available_providers()
    if provider == "auto":
        if on == "cpu" or (on == "auto" and not (_NAMES["cuda"] in offered and has_gpu())):
            return "cpu"
        provider = "cuda"
    if provider == "cpu":
        return provider
    lack = "" if has_gpu() else "this machine has no NVIDIA GPU"
    if _NAMES[provider] not in offered:
        lack = f"onnxruntime {onnxruntime.__version__} has no {_NAMES[provider]}"
    if lack:
        raise BackendError(
            f"provider '{provider}' is not available ({lack}; it has {', '.join(offered)}): "
            "install onnxruntime-gpu on a machine with a GPU, or use provider and device 'cpu'"
        )
    return provider


def onnx_providers() -> list[str]:
    """Return what ONNX Runtime can run on here: "cpu" and maybe "cuda" and "tensorrt"."""
    offered = importlib.import_module("onnxruntime").get_available_providers()
    there = [name for name, provider in _NAMES.items() if provider in offered and has_gpu()]
    return ["cpu", *there]


def has_gpu() -> bool:
    """Whether there is an NVIDIA GPU, whatever PyTorch was built for."""
    return any(Path(name).exists() for name in _GPU_FILES)
