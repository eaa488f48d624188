"""Images for the command line's tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from zeroco_ros.media.images import write_image


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two 64x48 pictures (width x height), the second one moved by 5 px, in a folder `in`."""
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    image = np.kron(noise, np.ones((4, 4, 1), dtype=np.uint8))
    target, source = tmp_path / "in" / "target.png", tmp_path / "in" / "source.png"
    write_image(target, image)
    write_image(source, np.roll(image, 5, axis=1))
    return target, source
