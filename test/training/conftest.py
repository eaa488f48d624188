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

"""What the tests of several trainings build on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from zeroco_ros.croco.checkpoint import save_croco
from zeroco_ros.croco.config import CrocoConfig
from zeroco_ros.croco.model import CroCo


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a tiny network that was never trained."""
    torch.manual_seed(0)
    config = CrocoConfig(
        enc_embed_dim=16,
        enc_depth=1,
        enc_num_heads=2,
        dec_embed_dim=24,
        dec_depth=1,
        dec_num_heads=2,
        pos_embed="rope100",
        stem="conv",
        cross_rope=False,
        prediction_head=False,
    )
    path = tmp_path_factory.mktemp("backbone") / "tiny.safetensors"
    save_croco(path, CroCo(config), {"matching": {"beta": 0.2}})
    return path
