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

"""Depth results as tables for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from zeroco_ros.evaluation.depth_evaluate import DepthSummary, MethodRun, SequenceResult
from zeroco_ros.evaluation.depth_metrics import NORMAL
from zeroco_ros.evaluation.depth_source import DepthMethod
from zeroco_ros.evaluation.tables import markdown_table, page, text_table
from zeroco_ros.evaluation.trajectory import TrajectoryScore

Row = tuple[str, ...]
Table = tuple[Row, list[Row]]

_PICTURE = "True paths from above and the estimated ones after Sim(3) alignment"
_DEPTH = """\
Means over the frames of each sequence, the first one left out; frames are streamed, so a method
knows only what came before. Truth between 1 mm and 80 m counts.
covered: share of the pixels with measured depth that got one, frames without an answer counting 0.
AbsRel, SqRel (m), RMSE (m), RMSElog, delta: as usual (Eigen et al. 2014), each frame scaled by its
ratio of medians; metric AbsRel: as it is, without scaling, for methods that were given poses.
surer half: AbsRel on the half of the known pixels with the smaller sigma, scaled / metric, and,
after the semicolon, scaled on the half with the smaller sigma relative to the depth.
spread: standard deviation of the logarithm of the frames' scales; 0 if depth has one scale.
ms: median of one answer by the clock / over all threads; work that several methods share is
counted for each of them.""".splitlines()
_SIGMA = f"""\
AUSE: area between the sparsification curve of the error (sigma) or of the relative error (sigma /
depth) and the oracle's, relative to the mean error; 0 is perfect. Quantiles of error / sigma at
50, 68.3, 90 and 95.4 %: {" ".join(f"{value:.2f}" for value in NORMAL)} if errors are normal and
sigma is right; larger values mean that sigma is too small. within: share of the pixels whose error
is below 1, 2, 3 sigma (68.3 95.4 99.7 expected). Metric depth for given poses, else scaled.
""".splitlines()
_POSES = """\
ATE: root mean square distance after alignment of the whole path, in meters and in percent of the
path; rigid: without scale. RPE: from frame to frame, with the scale of the alignment. direction:
median angle between estimated and true translation from frame to frame, of the moving steps.
""".splitlines()
_STATES = """\
How many frames got which state; `no answer`: nothing can be said yet.""".splitlines()


def as_markdown(
    results: Sequence[SequenceResult],
    methods: Sequence[DepthMethod],
    facts: Mapping[str, str],
    picture: str | None = None,
) -> str:
    """
    Return a page.

    facts (command line, date, machine, ...), the tables, and what its words mean.
    """
    about = dict.fromkeys(f"- `{method.name}`: {method.about}" for method in methods)
    sets = [f"- {one.name}: {one.about}, {one.size[1]}x{one.size[0]}" for one in results]
    parts: list[list[str]] = []
    for title, legend, (head, rows) in _tables(results):
        if rows:
            parts += [[f"## {title}"], markdown_table(head, rows, 2), legend]
    shown = [f"![{_PICTURE}]({picture})"] if picture else []
    return page("Depth on posed sequences", facts, shown, *parts, ["## Names"], [*about], sets)


def as_text(results: Sequence[SequenceResult]) -> str:
    """Return the tables in columns of equal width, for a terminal."""
    tables = [text_table(head, rows, 2) for _, _, (head, rows) in _tables(results) if rows]
    return "\n\n".join("\n".join(lines) for lines in tables)


def as_json(
    results: Sequence[SequenceResult], methods: Sequence[DepthMethod], facts: Mapping[str, str]
) -> dict[str, Any]:
    """Everything that was measured, down to single frames, as plain values."""
    return {
        "facts": dict(facts),
        "methods": {method.name: method.about for method in methods},
        "sequences": [
            {
                "name": result.name,
                "about": result.about,
                "size": list(result.size),
                "methods": {run.method.label: _run_json(run) for run in result.runs},
            }
            for result in results
        ],
    }


def _run_json(run: MethodRun) -> dict[str, Any]:
    depth, trajectory = run.depth, run.trajectory
    ours, theirs = run.poses()
    return {
        "depth": asdict(depth) if depth else None,
        "trajectory": _trajectory_json(trajectory) if trajectory else None,
        "states": run.states,
        "seconds": run.seconds,
        "cpu_seconds": run.cpu_seconds,
        "per_frame": [
            {
                "frame": record.name,
                "state": record.state,
                "seconds": record.seconds,
                "cpu_seconds": record.cpu_seconds,
                "score": asdict(record.score) if record.score else None,
            }
            for record in run.records
        ],
        "poses": ours.tolist() if trajectory else None,
        "true_poses": theirs.tolist() if trajectory else None,
    }


def _trajectory_json(score: TrajectoryScore) -> dict[str, Any]:
    """Without the alignments, which the poses beside it determine."""
    found = asdict(score)
    for name in ("ate", "ate_rigid"):
        del found[name]["alignment"]
    return found


def _tables(results: Sequence[SequenceResult]) -> list[tuple[str, list[str], Table]]:
    """Title, legend and table of each kind."""
    return [
        ("Depth", _DEPTH, _rows(results, _DEPTH_HEAD, _depth_cells)),
        ("Uncertainty", _SIGMA, _rows(results, _SIGMA_HEAD, _sigma_cells)),
        ("Trajectories", _POSES, _rows(results, _POSE_HEAD, _pose_cells)),
        ("States", _STATES, _rows(results, ("states",), _state_cells)),
    ]


_DEPTH_HEAD = (
    "covered %",
    "AbsRel",
    "metric AbsRel",
    "surer half",
    "SqRel",
    "RMSE",
    "RMSElog",
    "delta 1 / 2 / 3 %",
    "spread",
    "ms",
)
_SIGMA_HEAD = ("AUSE", "AUSE relative", "error / sigma quantiles", "within 1 / 2 / 3 sigma %")
_POSE_HEAD = (
    "poses",
    "path m",
    "ATE m",
    "ATE %",
    "rigid ATE m",
    "RPE deg rmse / median",
    "RPE m",
    "direction deg",
)


def _rows(
    results: Sequence[SequenceResult], head: Row, cells: Callable[[MethodRun], Row | None]
) -> Table:
    rows: list[Row] = []
    for result in results:
        for run in result.runs:
            found = cells(run)
            if found is not None:
                rows.append((result.name, run.method.label, *found))
    return ("sequence", "method", *head), rows


def _depth_cells(run: MethodRun) -> Row | None:
    depth = run.depth
    if depth is None:
        return None
    time = f"{1000 * run.seconds:.0f} / {1000 * run.cpu_seconds:.0f}"
    covered = f"{100 * depth.coverage:.1f}"
    scaled, unscaled = depth.scaled, depth.unscaled
    if scaled is None or unscaled is None:
        return (covered, *["-"] * 8, time)
    return (
        covered,
        f"{scaled.abs_rel:.3f}",
        f"{unscaled.abs_rel:.3f}" if run.method.poses == "given" else "-",
        _half(depth, run.method.poses == "given"),
        f"{scaled.sq_rel:.3f}",
        f"{scaled.rmse:.3f}",
        f"{scaled.rmse_log:.3f}",
        " / ".join(f"{100 * share:.1f}" for share in scaled.delta),
        f"{depth.spread:.3f}",
        time,
    )


def _half(depth: DepthSummary, metric: bool) -> str:
    if depth.half is None or depth.half_unscaled is None or depth.half_relative is None:
        return "-"
    whole = f"{depth.half.abs_rel:.3f}"
    if metric:
        whole += f" / {depth.half_unscaled.abs_rel:.3f}"
    return f"{whole}; {depth.half_relative.abs_rel:.3f}"


def _sigma_cells(run: MethodRun) -> Row | None:
    depth = run.depth
    if depth is None:
        return None
    score = depth.sigma_unscaled if run.method.poses == "given" else depth.sigma
    if score is None:
        return None
    return (
        f"{score.ause:.2f}",
        f"{score.ause_relative:.2f}",
        " ".join(f"{value:.2f}" for value in score.quantiles),
        " / ".join(f"{100 * share:.1f}" for share in score.within),
    )


def _pose_cells(run: MethodRun) -> Row | None:
    score = run.trajectory
    if score is None:
        return None
    return (
        f"{score.poses} of {len(run.records)}",
        f"{score.path:.2f}",
        f"{score.ate.rmse:.3f}",
        f"{100 * score.ate.rmse / score.path:.1f}" if score.path else "-",
        f"{score.ate_rigid.rmse:.3f}",
        f"{score.rpe.rotation:.2f} / {score.rpe.rotation_median:.2f}",
        f"{score.rpe.translation:.3f}",
        f"{score.rpe.direction:.1f}",
    )


def _state_cells(run: MethodRun) -> Row | None:
    if run.method.poses == "none":
        return None
    return (", ".join(f"{count} {state}" for state, count in run.states.items()),)
