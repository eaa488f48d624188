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

"""Every shipped model file has its card, its license and a bounded size."""

from __future__ import annotations

import hashlib
import re

import pytest

from zeroco_ros.heads.checkpoint import load_head
from zeroco_ros.heads.recurrent import RecurrentHead
from zeroco_ros.matching.calibration import Calibration
from zeroco_ros.weights import resolve, shipped


def test_all_weights_together_stay_small():
    assert {"default", "flow_head"} <= shipped().keys()
    assert sum(path.stat().st_size for path in shipped().values()) <= 20e6


@pytest.mark.parametrize("name", shipped())
def test_the_card_is_about_this_file(name: str):
    path = resolve(name)
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    assert hashlib.sha256(path.read_bytes()).hexdigest() in card
    assert "License: Apache-2.0" in card
    assert "Not measured" not in card
    assert not re.search(r"(?<!\w)/(work|tmp|root|home)/", card)


def test_the_flow_head_belongs_to_the_default_backbone_and_is_calibrated():
    loaded = load_head(resolve("flow_head"))
    assert isinstance(loaded.head, RecurrentHead)
    backbone = hashlib.sha256(resolve("default").read_bytes()).hexdigest()
    assert loaded.metadata["training"]["backbone"] == backbone
    assert loaded.metadata["license"] == "Apache-2.0"
    assert Calibration.from_metadata(loaded.metadata) != Calibration()
