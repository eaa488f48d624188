"""Images and a tiny model for the command line's tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from zeroco_ros.media.images import write_image


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random network in our own format, small enough to run in milliseconds."""
    from zeroco_ros.croco.checkpoint import save_croco
    from zeroco_ros.croco.config import CrocoConfig
    from zeroco_ros.croco.model import CroCo

    torch.manual_seed(0)
    config = CrocoConfig(
        enc_embed_dim=32,
        enc_depth=1,
        enc_num_heads=2,
        dec_embed_dim=32,
        dec_depth=2,
        dec_num_heads=2,
        pos_embed="rope100",
        prediction_head=False,
    )
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_croco(path, CroCo(config), {"matching": {"beta": 0.1, "register_fix": False}})
    return path


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two 64x48 pictures (width x height), the second one moved by 5 px, in a folder `in`."""
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    image = np.kron(noise, np.ones((4, 4, 1), dtype=np.uint8))
    target, source = tmp_path / "in" / "target.png", tmp_path / "in" / "source.png"
    write_image(target, image)
    write_image(source, np.roll(image, 5, axis=1))
    return target, source
