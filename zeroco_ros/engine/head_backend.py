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

"""A flow head on a device: the Protocol, and PyTorch's, on CPU or CUDA."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import torch
from torch import Tensor

from zeroco_ros.engine.layers import DTYPES, prepared
from zeroco_ros.engine.torch_backend import resolve_device, resolve_precision
from zeroco_ros.heads.features import Level
from zeroco_ros.heads.recurrent import HeadFlow, RecurrentHead


class HeadRunner(Protocol):
    """A recurrent flow head on a device."""

    def encode(self, images: Tensor) -> tuple[Level, Level]:
        """Features of (B, 3, H, W) normalized images, sides multiples of 8."""
        ...

    def flow(
        self,
        target: tuple[Level, Level],
        source: tuple[Level, Level],
        coarse: Tensor,
        mass: Tensor,
    ) -> HeadFlow:
        """Dense flow from a coarse match, see `RecurrentHead.forward`."""
        ...


class HeadBackend:
    """
    Runs a `RecurrentHead` without gradients.

    device and precision: as for `TorchBackend`. Correlation and flow are float32 in any precision.
    """

    def __init__(self, head: RecurrentHead, device: str = "auto", precision: str = "auto") -> None:
        self.device = resolve_device(device)
        self.precision = resolve_precision(precision, self.device)
        self.head = prepared(head, self.device, self.precision)

    def encode(self, images: Tensor) -> tuple[Level, Level]:
        """Features of (B, 3, H, W) normalized images, sides multiples of 8."""
        with torch.inference_mode(), self._arithmetic():
            return self.head.encode(images.to(self.device, non_blocking=True))

    def flow(
        self,
        target: tuple[Level, Level],
        source: tuple[Level, Level],
        coarse: Tensor,
        mass: Tensor,
    ) -> HeadFlow:
        """Dense flow from a coarse match, see `RecurrentHead.forward`."""
        with torch.inference_mode(), self._arithmetic():
            found: HeadFlow = self.head(
                target, source, coarse.to(self.device), mass.to(self.device)
            )
            return found

    def _arithmetic(self) -> AbstractContextManager[object]:
        """On CUDA normalization of half-precision values still needs autocast."""
        if self.precision == "fp32" or self.device == "cpu":
            return nullcontext()
        return torch.autocast(self.device, dtype=DTYPES[self.precision])
