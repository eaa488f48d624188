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

"""In which number format a training step multiplies."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch

from zeroco_ros.errors import ConfigError

PRECISIONS = ("auto", "float32", "bfloat16")


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """
    Return the context of a forward pass: bfloat16 products, or float32 throughout.

    precision: "auto" takes bfloat16 where the hardware multiplies it. Raises ConfigError.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"precision {precision!r}: one of {', '.join(PRECISIONS)}")
    enabled = has_bf16(device) if precision == "auto" else precision == "bfloat16"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


def has_bf16(device: torch.device | None = None) -> bool:
    """Whether bf16 is multiplied in hardware; emulated it is ten times slower than fp32."""
    if device is not None and device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return "avx512_bf16" in cpu_flags() or "amx_bf16" in cpu_flags()


@cache
def cpu_flags() -> frozenset[str]:
    """Return the processor's feature flags, where the system lists them."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return frozenset()
    lines = [line for line in text.splitlines() if line.startswith("flags")]
    return frozenset(lines[0].split()) if lines else frozenset()
