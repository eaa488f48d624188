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

"""Several processes on one batch, where torchrun started them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
import os
from typing import TypeVar

import torch
from torch import distributed, nn, Tensor
from torch.nn.parallel import DistributedDataParallel

Item = TypeVar("Item")


class Team:
    """
    The processes of a run; one process alone needs no communication.

    rank: this process's number; size: how many there are, both from torchrun's environment;
    device: this process's own. Processes on CPUs talk over gloo, those on GPUs over NCCL.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.rank = int(os.environ.get("RANK", "0"))
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        kind = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        self.device = torch.device(kind)
        if self.device.type == "cuda":
            self.device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        if self.size > 1 and not distributed.is_initialized():
            backend = "nccl" if self.device.type == "cuda" else "gloo"
            distributed.init_process_group(backend, timeout=timedelta(minutes=30))

    @property
    def leads(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """Return module with gradients averaged over all processes (DistributedDataParallel)."""
        if self.size == 1:
            return module
        # Without the decoder's features the second half of its last block is never used.
        return DistributedDataParallel(module, find_unused_parameters=True)

    def average_gradients(self, parameters: Iterable[nn.Parameter], clock: float) -> float:
        """For what `wrap` does not fit: average gradients in place; returns the leader's clock."""
        if self.size == 1:
            return clock
        gradients = [p.grad for p in parameters if p.grad is not None]
        time = torch.tensor([clock * self.size if self.leads else 0.0])
        flat = torch.cat([*(g.flatten() for g in gradients), time])
        distributed.all_reduce(flat)
        flat /= self.size
        pieces = torch.split_with_sizes(flat, [*(g.numel() for g in gradients), 1])
        for gradient, piece in zip(gradients, pieces[:-1], strict=True):
            gradient.copy_(piece.view_as(gradient))
        return float(pieces[-1])

    def total(self, values: Tensor) -> Tensor:
        """Return the sum of a tensor over all processes."""
        if self.size == 1:
            return values
        summed = values.clone()
        distributed.all_reduce(summed)
        return summed

    def share(self, items: list[Item]) -> list[Item]:
        """Return this process's part of a list."""
        return items[self.rank :: self.size]
