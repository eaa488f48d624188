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

"""What is asked of, and answered about, the pose between two images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Kind = Literal["general", "rotation", "static", "degenerate"]


@dataclass(frozen=True)
class EpipolarOptions:
    """
    When to believe what; distances in pixels.

    static_px: three quarters of the pixels moved less: nothing moved.
    parallax_px: the least median parallax, above the noise, that shows a translation.
    parallax_sigmas: the same in units of the matches' noise.
    parallax_share: the same as a share of the median motion: a camera that turns far feigns some
        parallax where its calibration is a little off.
    sigma_px: noise above which the matches are not believed to belong together.
    min_matches: of weight above 0, below which nothing is tried. min_inliers: share of their
        weight that must agree. min_share: share of all points given, those of weight 0 included,
        that must agree: below it the images hardly overlap. min_cells: cells that those must
        reach. min_in_front: share of those with parallax that must lie in front of both cameras.
    max_matches: a random part of more is used for the fit (all are judged).
    cells: squares along the longer side of the area that the points cover. The errors of
        neighboring matches of a dense flow are alike, so that all matches of one square count as
        one in the covariance. With the default the flow of this package has errors of the stated
        size on the procedural world. For matches found one by one: many, such as 1000.
    """

    static_px: float = 0.5
    parallax_px: float = 0.75
    parallax_sigmas: float = 1.5
    parallax_share: float = 0.01
    sigma_px: float = 5.0
    min_matches: int = 30
    min_inliers: float = 0.4
    min_share: float = 0.05
    min_cells: int = 10
    min_in_front: float = 0.7
    max_matches: int = 20_000
    cells: int = 16


@dataclass(frozen=True)
class RelativePose:
    """
    The pose T_1_from_0 between two images: X1 = R X0 + s t with an unknown length s > 0.

    kind: "general": R and t hold. "rotation": R holds, the translation is too short to be seen.
        "static": neither is seen. "degenerate": nothing is known (too few matches, no agreement).
    R: (3, 3). t: (3,) unit vector; zeros unless kind is "general". R is the identity when static
        or degenerate.
    inliers: (N,) bool, matches that agree with the model of this kind.
    covariance: (6, 6) of (t, rotation vector), order x y z rot_x rot_y rot_z, in image 1's camera:
        true R = exp(rotation vector) R. Rank 5 when general: t has no length. Without translation
        its block is the identity (nothing known); degenerate: all of it. It covers the noise of
        the matches, not errors that they share, as those of the calibration.
    parallax_px: median distance over the inliers that the rotation R alone leaves unexplained.
    rotation_px: the same for the rotation that explains most.
    noise_px: robust standard deviation of the matches about the model, one axis, of a match of
        typical weight (the weighted median of the weights).
    planar: one plane explains nearly all matches.
    alternative: another pose (R, t) that explains them about as well: a plane seen while moving
        towards it, or little parallax. Decide by other knowledge, such as the motion before. None
        if there is none.
    """

    R: Array
    t: Array
    inliers: BoolArray
    covariance: Array
    parallax_px: float
    rotation_px: float
    noise_px: float
    kind: Kind
    planar: bool = False
    alternative: tuple[Array, Array] | None = None
