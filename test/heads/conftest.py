"""One thread, and repeatable random maps."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def noise() -> Callable[..., Tensor]:
    """noise(2, 8, 5, 7) -> standard normal values, the same in every run."""
    generator = torch.Generator().manual_seed(3)
    return lambda *shape: torch.randn(*shape, generator=generator)
