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

"""Options: what is allowed, what is refused and how it is said."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from zeroco_ros.errors import ConfigError
from zeroco_ros.estimate.config import FlowConfig, preset, PRESETS


def test_presets_by_name():
    assert list(PRESETS) == ["paper", "fast", "default", "accurate"]
    assert preset("default") == FlowConfig(head="flow_head")


def test_an_unknown_preset_lists_the_known_ones():
    with pytest.raises(ConfigError, match=r"'best'.*paper, fast, default, accurate"):
        preset("best")


def test_paper_is_the_zero_shot_protocol():
    paper = preset("paper")
    assert (paper.size, paper.resize, paper.resample) == ((224, 224), "stretch", "bilinear")
    assert (paper.readout, paper.beta, paper.reciprocity) == ("soft", 1e-4, True)
    assert (paper.register_fix, paper.refine, paper.align_corners) == (True, "none", True)


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        preset("paper").beta = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("size", (225, 224), "multiples of 16"),
        ("size", (0, 224), "multiples of 16"),
        ("size", (224,), "multiples of 16"),
        ("size", "224x224", "multiples of 16"),
        ("max_side", 0, "32 to 4096"),
        ("max_side", 320.0, "32 to 4096"),
        ("max_side", True, "32 to 4096"),
        ("resize", "crop", "letterbox, stretch"),
        ("resample", "cubic", "area, bilinear, antialias"),
        ("correlation", "magic", "cross_attention, encoder, decoder"),
        ("readout", "median", "hard, soft, window"),
        ("window", 4, "3, 5, 9, 15"),
        ("window", "3", "3, 5, 9, 15"),
        ("beta", 0, "(0, 1000]"),
        ("beta", float("nan"), "(0, 1000]"),
        ("beta", float("inf"), "(0, 1000]"),
        ("beta", "hot", "(0, 1000]"),
        ("reciprocity", 1, "True or False"),
        ("align_corners", None, "True or False"),
        ("refine_backward", 0, "True or False"),
        ("register_fix", "yes", "True, False or None"),
        ("zoom", (1,), "from 2 to 8"),
        ("zoom", (2.5,), "from 2 to 8"),
        ("zoom", 2, "ratios such as"),
        ("upsampling", "nearest", "direct, two_step, corners"),
        ("feature_norm", "batch", "channels, tokens"),
        ("refine", "raft", "none, dis"),
        ("refine_preset", "ultra", "fast, default, accurate"),
        ("precision", "fp8", "auto, fp32, bf16, fp16"),
        ("max_pixels", -1, "256 to"),
    ],
)
def test_refused_with_what_is_allowed(field: str, value: Any, said: str):
    with pytest.raises(ConfigError) as refused:
        FlowConfig(**{field: value})
    message = str(refused.value)
    assert said in message and field.split("_")[0] in message and "\n" not in message


def test_lists_are_taken_as_tuples():
    config = FlowConfig(size=[96, 128], zoom=[2, 3])  # type: ignore[arg-type]
    assert config.size == (96, 128) and config.zoom == (2, 3)
    assert hash(config) == hash(FlowConfig(size=(96, 128), zoom=(2, 3)))
