"""Several processes on one batch: gradients averaged over gloo, where torchrun started them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import timedelta
from typing import TypeVar

import torch
from torch import distributed, nn

Item = TypeVar("Item")


class Team:
    """The processes of a run; one process alone needs no communication.

    rank: this process's number; size: how many there are. torchrun's environment decides.
    """

    def __init__(self) -> None:
        self.rank = int(os.environ.get("RANK", "0"))
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        if self.size > 1 and not distributed.is_initialized():
            distributed.init_process_group("gloo", timeout=timedelta(minutes=30))

    @property
    def leads(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def average_gradients(self, parameters: Iterable[nn.Parameter], clock: float) -> float:
        """Average gradients in place over all processes; returns the leader's `clock`."""
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

    def share(self, items: list[Item]) -> list[Item]:
        """This process's part of a list."""
        return items[self.rank :: self.size]
