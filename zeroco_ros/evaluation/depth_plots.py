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

"""Pictures of estimated trajectories (matplotlib)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from zeroco_ros.evaluation.depth_evaluate import MethodRun, SequenceResult
from zeroco_ros.evaluation.plots import as_png, new_figure

Array = npt.NDArray[np.float64]

COLUMNS = 3


def trajectories_picture(results: Sequence[SequenceResult]) -> bytes:
    """
    PNG: for each sequence the true path and every estimated one, aligned to it by a similarity.

    Seen along the direction in which the true path is flattest, in meters. Sequences without an
    estimated trajectory, or with a camera that stays where it is, are left out.
    Raises ConfigError without matplotlib.
    """
    shown = [(one, [run for run in one.runs if _moves(run)]) for one in results]
    shown = [(one, runs) for one, runs in shown if runs]
    rows = max(1, -(-len(shown) // COLUMNS))
    figure, axes = new_figure(rows, min(COLUMNS, max(len(shown), 1)), 3.4, 3.0)
    panels = [axis for row in axes for axis in row]
    names = list(dict.fromkeys(run.method.name for _, runs in shown for run in runs))
    for axis, (result, runs) in zip(panels, shown, strict=False):
        _panel(axis, result, runs, names)
    for axis in panels[len(shown) :]:
        axis.set_axis_off()
    handles: dict[str, Any] = {}
    for axis in panels:
        lines, labels = axis.get_legend_handles_labels()
        handles |= dict(zip(labels, lines, strict=True))
    figure.legend(
        handles.values(), handles.keys(), loc="outside upper center", ncols=5, frameon=False
    )
    return as_png(figure)


def _moves(run: MethodRun) -> bool:
    score = run.trajectory
    return score is not None and score.path > 0


def _panel(
    axis: Any, result: SequenceResult, runs: Sequence[MethodRun], names: Sequence[str]
) -> None:
    whole = [record.truth for record in runs[0].records if record.truth is not None]
    truth = np.array(whole)[:, :3, 3]
    center = truth.mean(0)
    plane = np.linalg.svd(truth - center)[2][:2]
    axis.plot(*((truth - center) @ plane.T).T, color="black", linewidth=2, label="true")
    for run in runs:
        score = run.trajectory
        if score is not None:
            moved = score.ate.alignment.points(run.poses()[0][:, :3, 3])
            color = f"C{names.index(run.method.name)}"
            line = ((moved - center) @ plane.T).T
            axis.plot(*line, color=color, linewidth=1, marker=".", label=run.method.name)
    axis.set_aspect("equal", adjustable="datalim")
    axis.set_title(result.name, fontsize=9)
    axis.tick_params(labelsize=8)
    axis.set_xlabel("m")
    axis.grid(alpha=0.3)
