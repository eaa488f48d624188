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

"""AEPE that the papers print, to stand beside what is measured here; never measured here."""

from __future__ import annotations

from dataclasses import dataclass

ZEROCO = "ZeroCo, CVPR 2025"


@dataclass(frozen=True)
class Published:
    """AEPE in pixels of a method on a set, as `source` prints it."""

    flow_set: str
    method: str
    aepe: float
    source: str = ZEROCO


_ZERO_SHOT = "ZeroCo zero-shot with zoom-in"
_PARTS = zip(("I", "II", "III", "IV", "V"), (5.07, 7.16, 10.19, 11.37, 13.26), strict=True)

PUBLISHED = (
    *(Published(f"hpatches-240-{part}", _ZERO_SHOT, aepe) for part, aepe in _PARTS),
    Published("hpatches-240", _ZERO_SHOT, 9.41),
    Published("hpatches-240", "ZeroCo zero-shot, reciprocity alone", 10.24),
    Published("hpatches-240", "ZeroCo zero-shot, plain", 10.85),
    Published("hpatches", "ZeroCo zero-shot", 35.39),
    Published("hpatches", "ZeroCo-finetuned", 15.77),
    Published("hpatches", "ZeroCo-flow", 13.61),
    Published("hpatches", "MASt3R", 17.01),
    Published("hpatches", "PDC-Net+", 18.91),
    Published("eth3d", "ZeroCo zero-shot", 12.72),
    Published("eth3d", "ZeroCo-finetuned", 4.74),
    Published("eth3d", "ZeroCo-flow", 2.88),
    Published("eth3d", "MASt3R", 2.62),
    Published("eth3d", "PDC-Net+", 3.14),
)


def published_for(names: list[str]) -> list[Published]:
    """Return the published numbers of the sets named."""
    return [entry for entry in PUBLISHED if entry.flow_set in names]
