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

"""What every depth method looks like to an evaluation: frames go in, answers come out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from zeroco_ros.geometry.camera import Camera

Array = npt.NDArray[np.float64]
Float = npt.NDArray[np.float32]
PoseUse = Literal["given", "estimated", "none"]


@dataclass(frozen=True)
class DepthAnswer:
    """
    One method's answer for one frame.

    depth: (H, W) along the optical axis, NaN where unknown, of the pinhole image with the matrix K
    (3, 3) that the rectified camera gives, at any size. sigma: (H, W), one standard deviation, or
    None. pose: (4, 4) camera to world, None where it is not known. state: of DepthResult.
    """

    depth: Float
    sigma: Float | None
    K: Array
    pose: Array | None
    state: str


class DepthSource(Protocol):
    """A method on one camera; frames come in order."""

    def push(
        self, image: npt.NDArray[np.uint8], stamp_ns: int, pose: Array | None
    ) -> DepthAnswer | None:
        """Give answer for a frame from it and those before it; None where nothing can be said."""
        ...


@dataclass(frozen=True)
class DepthMethod:
    """
    A name, what it is, and how it is started for a camera.

    poses: "given": the sequence's poses go in; "estimated": they do not, and the method's own are
    scored; "none": they do not, and it has none. credit: wall and processor seconds that the last
    push saved because another method had done the same work, which count as its own.
    """

    name: str
    about: str
    poses: PoseUse
    open: Callable[[Camera], DepthSource]
    credit: Callable[[], tuple[float, float]] = lambda: (0.0, 0.0)

    @property
    def label(self) -> str:
        """Return the name with what became of the poses."""
        return self.name if self.poses == "none" else f"{self.name}, {self.poses} poses"
