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

"""Messages and parameters that are not what they should be, and what a node says of them."""

from __future__ import annotations

import math

# Fields of a 128x96 rgb8 image that are set wrongly.
BROKEN = [
    ({"step": 385}, "36864 bytes of data, step 385 x height 96 makes 36960"),
    ({"step": 128}, "step is 128 bytes, a row needs at least 384"),
    ({"height": 97}, "36864 bytes of data, step 384 x height 97 makes 37248"),
    ({"data": bytes(1000)}, "1000 bytes of data, step 384 x height 96 makes 36864"),
    ({"data": b""}, "0 bytes of data"),
    ({"height": 0, "width": 0, "step": 0, "data": b""}, "0x0 rgb8 image: it has no pixels"),
    ({"height": 2**32 - 1, "width": 2**32 - 1, "step": 2**32 - 1}, "pixels"),
]

NONSENSE = [
    ("max_dt", math.nan, "0"),
    ("max_dt", -1.0, "0"),
    ("max_dt", math.inf, "3600"),
    ("max_dt", 10**6 * 1.0, "3600"),
    ("min_dt", 2.0, "min_dt <= max_dt"),
    ("significant_bits", 0, "8"),
    ("significant_bits", 1.5, "integer from 8 to 16"),
    ("significant_bits", "one", "integer from 8 to 16"),
    ("max_pixels", -1, "4096"),
    ("weights", "other.pth", "unconfigured"),
    ("no_such_parameter", 1, "undeclared parameter"),
]
