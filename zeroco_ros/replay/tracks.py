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

"""The estimated trajectory of a bag against the true one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zeroco_ros.evaluation.trajectory import position_errors, score_trajectory
from zeroco_ros.replay.record import Values

Array = npt.NDArray[np.float64]

SHORTEST = 3  # poses: of fewer nothing can be said after alignment


@dataclass(frozen=True)
class _Step:
    row: int
    era: int
    own: Array
    true: Array
    metric: bool


class Track:
    """Poses that were estimated, not given, of the frames whose true pose is known."""

    def __init__(self) -> None:
        self._steps: list[_Step] = []
        self._known = 0

    def add(self, row: int, era: int, own: Array | None, true: Array, metric: bool) -> None:
        """Add a frame. own: its estimated pose c2w, None where there is none."""
        self._known += 1
        if own is not None:
            self._steps.append(_Step(row, era, own, true, metric))

    def score(self) -> tuple[Values, dict[int, Values]]:
        """
        Return the errors of the longest unbroken track, and position_error by row.

        Aligned by a rigid motion where its unit is the meter all along, else by a similarity.
        Nothing where no pose was estimated.
        """
        if len(self._steps) < SHORTEST:
            return {}, {}
        eras = [step.era for step in self._steps]
        longest = max(sorted(set(eras)), key=eras.count)
        steps = [step for step in self._steps if step.era == longest]
        if len(steps) < SHORTEST:
            return {}, {}
        own = np.array([step.own for step in steps])
        true = np.array([step.true for step in steps])
        metric = all(step.metric for step in steps)
        score = score_trajectory(own, true)
        ate = score.ate_rigid if metric else score.ate
        step_errors = score.rpe_rigid if metric else score.rpe
        aligned = position_errors(own, true, with_scale=not metric).alignment
        off = np.linalg.norm(aligned.points(own[:, :3, 3]) - true[:, :3, 3], axis=1)
        values: Values = {
            "ate": ate.rmse,
            "rpe_translation": step_errors.translation,
            "rpe_rotation": step_errors.rotation,
            "trajectory_share": len(steps) / self._known,
        }
        rows: dict[int, Values] = {
            step.row: {"position_error": float(error)}
            for step, error in zip(steps, off, strict=True)
        }
        return values, rows
