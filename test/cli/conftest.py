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
