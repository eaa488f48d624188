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

"""
Every parameter of flow_node in one table, with what is allowed and when it may change.

Nothing here imports rclpy: the documentation, its tests and `flow_node --list-parameters` read the
same table that `parameter_server` declares and enforces.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zeroco_ros.ros.parameter_spec import choice, number, ParameterSpec
from zeroco_ros.ros.parameter_table import ParameterTable
from zeroco_ros.ros.shared_parameters import IMAGES, NETWORK, PROCESS, times_in_order, TRANSPORT

SMALLEST_SIDE = 32
SWITCH = ("preset", "enabled", "disabled")
# Which image the flow may live on, per pairing; the first one is meant by "auto".
REFERENCES = {"temporal": ("current", "previous"), "synchronized": ("left", "right")}

_MODEL = (
    choice(
        "preset",
        ("default", "paper", "fast", "accurate"),
        "How the flow is computed: a named set of matching and refinement options.",
        "configure",
    ),
    *NETWORK,
    number(
        "max_side",
        0,
        0,
        4096,
        "Longest side in pixels at which the network sees an image; 0 is the preset's.",
        "configure",
    ),
    choice(
        "correlation",
        ("preset", "cross_attention", "encoder", "decoder"),
        "Which features of the network are compared.",
        "configure",
    ),
    number(
        "beta",
        0.0,
        0.0,
        100.0,
        "Temperature of the soft-argmax; 0 takes the one calibrated for the weights.",
        "configure",
    ),
    ParameterSpec(
        "zoom",
        "preset",
        "Zoom-in ratios, for example '2 3'; none switches them off.",
        "configure",
        pattern=r"preset|none|[2-8]([ ,]+[2-8]){0,3}",
        pattern_text="preset, none or up to four ratios from 2 to 8 as in '2 3'",
    ),
    choice("reciprocity", SWITCH, "Average both matching directions.", "configure"),
    choice(
        "alignment",
        SWITCH,
        "Where a pair hardly agrees, try one image turned and squeezed: slow on such pairs.",
        "configure",
    ),
    choice("register_fix", SWITCH, "Suppress the top-left register token.", "configure"),
    ParameterSpec(
        "head",
        "preset",
        "Learned head that makes the coarse flow dense: a name of shipped weights or a file of "
        "`zeroco train flow`; none switches it off.",
        "configure",
        pattern=r"\S(.*\S)?",
        pattern_text="preset, none, a name of shipped weights or a path",
    ),
    choice(
        "refine",
        ("preset", "dis", "none"),
        "Refinement to full resolution after it.",
        "configure",
    ),
)

_INPUT = (
    *TRANSPORT,
    choice(
        "pairing",
        ("temporal", "synchronized"),
        "temporal pairs frames of `image`; synchronized pairs `left/image` with `right/image`.",
        "configure",
    ),
    number(
        "stride", 1, 1, 100, "temporal: pair each frame with the one this many before.", "live"
    ),
    number(
        "min_dt", 0.0, 0.0, 3600.0, "temporal: frames closer in time (s) are not paired.", "live"
    ),
    number(
        "max_dt", 1.0, 0.0, 3600.0, "temporal: frames further apart (s) are not paired.", "live"
    ),
    number(
        "slop",
        0.01,
        0.0,
        10.0,
        "synchronized: largest stamp difference (s) of a pair; 0 asks for equal stamps.",
        "live",
    ),
    number("sync_queue_size", 10, 1, 1000, "synchronized: images kept waiting per side.", "live"),
    *IMAGES,
)

_OUTPUT = (
    choice(
        "reference",
        ("auto", *REFERENCES["temporal"], *REFERENCES["synchronized"]),
        "The image whose pixels and header the flow has; auto is current (temporal) or left "
        "(synchronized). The vectors always point from the previous to the current position, "
        "from left to right.",
        "live",
    ),
    number(
        "color_max_magnitude",
        0.0,
        0.0,
        10_000.0,
        "Pixels of motion shown at full saturation on ~/flow_color; 0 follows the scene slowly.",
        "live",
    ),
)


def _side_is_enough(values: Mapping[str, Any]) -> str | None:
    if 0 < values["max_side"] < SMALLEST_SIDE:
        return (
            f"parameter max_side: {values['max_side']} is out of range; allowed is 0 (the "
            f"preset's) or an integer from {SMALLEST_SIDE} to 4096"
        )
    return None


def _reference_exists(values: Mapping[str, Any]) -> str | None:
    allowed = ("auto", *REFERENCES[values["pairing"]])
    if values["reference"] not in allowed:
        return (
            f"parameter reference: '{values['reference']}' does not exist with pairing "
            f"'{values['pairing']}'; allowed is one of {', '.join(allowed)}"
        )
    return None


TABLE = ParameterTable(
    (*PROCESS, *_MODEL, *_INPUT, *_OUTPUT), _side_is_enough, times_in_order, _reference_exists
)


def reference_of(values: Mapping[str, object]) -> str:
    """Return the reference image that these values mean: current, previous, left or right."""
    reference = str(values["reference"])
    return REFERENCES[str(values["pairing"])][0] if reference == "auto" else reference
