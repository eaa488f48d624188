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

"""Facts about the machine that numbers depend on."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path
import platform
from typing import Any

import torch

_LIBRARIES = ("torch", "numpy", "opencv-python", "onnxruntime", "tensorrt")


def machine_facts(threads: int) -> dict[str, Any]:
    """CPU, its instructions, cores, threads used, GPU, versions, load average, memory."""
    return {
        "processor": _processor(),
        "instructions": ", ".join(_instructions()) or "none that matter here",
        "cores": os.cpu_count(),
        "threads": threads,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "memory": _memory(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": ", ".join(_versions()),
        "load average at the start": load(),
    }


def load() -> str:
    """Return the load average of the last 1, 5 and 15 minutes: what else the machine does."""
    return ", ".join(f"{value:.2f}" for value in os.getloadavg())


def _processor() -> str:
    for line in _lines("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _instructions() -> list[str]:
    wanted = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile", "asimd", "bf16", "i8mm")
    for line in _lines("/proc/cpuinfo"):
        if line.startswith(("flags", "Features")):
            there = set(line.split())
            return [name for name in wanted if name in there]
    return []


def _memory() -> str:
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemTotal"):
            return f"{int(line.split()[1]) * 1024 / 1e9:.1f} GB"
    return "unknown"


def _versions() -> list[str]:
    there = {d.name: d.version for d in importlib.metadata.distributions() if d.name}
    return [f"{name} {there[name]}" for name in _LIBRARIES if name in there]


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
