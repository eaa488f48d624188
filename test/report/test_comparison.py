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

"""Two runs: the same frames found, differences with their spread, words that are deserved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from html_reader import read_page
import numpy as np
import pytest
from run_fixture import make_run, PERIOD, renamed

from zeroco_ros.replay.record import Frames, ReplayRun
from zeroco_ros.report import compare
from zeroco_ros.report.comparison import Change, compare_runs, Comparison, mean_interval
from zeroco_ros.report.comparison_page import comparison_page, write_comparison
from zeroco_ros.report.matching import match_runs
from zeroco_ros.report.outcome import run_names


def _by_name(comparison: Comparison) -> dict[str, Change]:
    return {change.name: change for change in comparison.changes}


def _with_frames(run: ReplayRun, frames: Frames) -> ReplayRun:
    first, *others = run.metrics.bags
    bags = [replace(first, frames=frames), *others]
    return replace(run, metrics=replace(run.metrics, bags=bags), timing=None)


def test_a_run_equals_itself() -> None:
    comparison = compare_runs(make_run(), make_run())
    assert comparison.counts() == {"equal": len(comparison.changes)}
    assert comparison.settings == []
    assert comparison.matching.same


def test_a_worse_error_is_worse_by_what_was_added() -> None:
    change = _by_name(compare_runs(make_run(), make_run(worse=0.1)))["epe"]
    assert change.word == "worse"
    assert change.difference == pytest.approx(0.1)
    assert change.paired is not None
    assert change.paired.frames == 78  # the first frame of each bag has no value
    assert change.paired.mean == pytest.approx(0.1)
    assert change.paired.wins == 0
    assert _by_name(compare_runs(make_run(worse=0.1), make_run()))["epe"].word == "better"


def test_noise_is_unclear() -> None:
    before = make_run()
    frames = before.metrics.bags[0].frames
    random = np.random.default_rng(3)
    noisy = [
        None if value is None else value + float(noise)
        for value, noise in zip(
            frames.values["epe"], random.normal(0, 0.3, len(frames.stamp)), strict=True
        )
    ]
    after = _with_frames(before, replace(frames, values={**frames.values, "epe": noisy}))
    summary = {**after.metrics.summary, "epe": (after.metrics.summary["epe"] or 0) + 0.01}
    after = replace(after, metrics=replace(after.metrics, summary=summary))
    change = _by_name(compare_runs(before, after))["epe"]
    assert change.paired is not None
    low, high = change.paired.interval
    assert low < 0 < high
    assert change.word == "unclear"


def test_a_metric_without_a_good_side_has_only_changed() -> None:
    before, after = make_run(), make_run()
    summary = {**after.metrics.summary, "confidence": 0.5}
    after = replace(after, metrics=replace(after.metrics, summary=summary))
    assert _by_name(compare_runs(before, after))["confidence"].word == "changed"


def test_bags_match_by_content_and_frames_by_stamp() -> None:
    before, after = make_run(), renamed(make_run(), "other name")
    frames = after.metrics.bags[0].frames
    shifted = Frames(
        [stamp + 10 * PERIOD for stamp in frames.stamp], frames.state, dict(frames.values)
    )
    matching = match_runs(before, _with_frames(after, shifted))
    assert [(pair.a.name, pair.b.name) for pair in matching.pairs] == [
        ("drive_a", "other name"),
        ("drive_b", "drive_b"),
    ]
    assert list(matching.pairs[0].rows) == [(row, row - 10) for row in range(10, 40)]
    assert (matching.frames, matching.frames_a, matching.frames_b) == (70, 80, 80)
    assert not matching.same


def test_a_stamp_that_comes_twice_is_matched_once_each() -> None:
    before = make_run(bags=("only",), frames=4)
    frames = before.metrics.bags[0].frames
    stamps = [frames.stamp[0], frames.stamp[1], frames.stamp[1], frames.stamp[3]]
    run = _with_frames(before, replace(frames, stamp=stamps))
    assert list(match_runs(run, run).pairs[0].rows) == [(0, 0), (1, 1), (2, 2), (3, 3)]
    assert list(match_runs(before, run).pairs[0].rows) == [(0, 0), (1, 1), (3, 3)]


def test_runs_of_other_frames_are_compared_over_what_they_have_in_common() -> None:
    both, one = make_run(), make_run(bags=("drive_a",))
    changes = _by_name(compare_runs(both, one))
    # the pooled values differ, the frames that both have do not
    assert both.metrics.summary["epe"] != one.metrics.summary["epe"]
    assert changes["epe"].word == changes["ate"].word == changes["latency_ms"].word == "equal"
    assert changes["epe"].a == pytest.approx(one.metrics.summary["epe"])
    # a trajectory of half of the frames is no matter of the other half
    frames = one.metrics.bags[0].frames
    half = Frames(
        frames.stamp[:20],
        frames.state[:20],
        {name: column[:20] for name, column in frames.values.items()},
    )
    changes = _by_name(compare_runs(one, _with_frames(one, half)))
    assert changes["epe"].word == "equal"
    assert changes["ate"].word == "unknown"


def test_bags_of_one_run_only_are_named() -> None:
    matching = match_runs(make_run(), make_run(bags=("drive_a",)))
    assert matching.only_a == ["drive_b"]
    assert matching.only_b == []


def test_the_interval_holds_the_mean_as_often_as_it_says() -> None:
    """Ask for 95 % of an autoregressive series, whose neighbors are alike."""
    random = np.random.default_rng(1)
    held = 0
    for _ in range(100):
        noise = random.normal(size=400)
        series = np.empty_like(noise)
        last = 0.0
        for index, one in enumerate(noise):
            last = series[index] = 0.6 * last + one
        low, high = mean_interval([series])
        held += low <= 0 <= high
    assert held >= 84  # a bootstrap that ignores the likeness of neighbors holds 67


def test_the_interval_of_a_single_frame_is_its_value() -> None:
    assert mean_interval([np.array([0.5])]) == (0.5, 0.5)


def test_what_differs_is_told() -> None:
    after = make_run()
    config = {**after.metrics.config, "flow": {"head": "none", "size": [240, 320]}}
    versions = {**after.metrics.versions, "torch": "2.13.0"}
    after = replace(after, metrics=replace(after.metrics, config=config, versions=versions))
    found = {one.name: (one.a, one.b) for one in compare_runs(make_run(), after).settings}
    assert found == {"flow.head": ("flow_head", "none"), "version.torch": ("–", "2.13.0")}


def test_the_page_of_two_runs(tmp_path: Path) -> None:
    runs = (make_run(), make_run(worse=0.1))
    comparison = compare_runs(*runs)
    path = write_comparison(tmp_path / "compare.html", runs, ("<b>A", "after"), comparison)
    page = read_page(path.read_text(encoding="utf-8"))
    assert "<b>A \u2192 after" in page.all("h1")[0].text
    table = next(one for one in page.all("table") if one.all("caption")[0].text == "All metrics")
    for change in comparison.changes:
        assert change.name in table.text
    assert "1 worse" in page.all("div", "verdict")[0].text
    drawn = {figure.all("h3")[0].text for figure in page.all("figure")}
    assert "End-point error" in drawn
    assert "Coverage of flow" not in drawn  # equal in every frame
    assert "Equal in every frame, and not drawn: Coverage of flow" in page.text
    assert len(page.all("svg", "forest")) == sum(
        one.relative is not None for one in comparison.changes
    )


def test_runs_without_a_common_frame_have_a_page() -> None:
    runs = (make_run(bags=("a",)), make_run(bags=("a", "b")))
    far = replace(
        runs[1], metrics=replace(runs[1].metrics, bags=runs[1].metrics.bags[1:]), timing=None
    )
    comparison = compare_runs(runs[0], far)
    page = read_page(comparison_page((runs[0], far), ("a", "b"), comparison))
    assert "no frame in common" in page.all("div", "verdict")[0].text


def test_folders_are_compared_in_one_call(
    tmp_path: Path, run_folder: Path, worse_folder: Path
) -> None:
    limits = tmp_path / "limits.yaml"
    limits.write_text("epe: {max_increase: 0.05}")
    page = tmp_path / "page.html"
    assert not compare(run_folder, worse_folder, limits, out=page).passed
    assert "before \u2192 after" in read_page(page.read_text("utf-8")).all("h1")[0].text
    assert compare(worse_folder, run_folder, limits).passed
    assert compare(run_folder, run_folder).findings is None


def test_runs_are_named_by_where_their_paths_differ() -> None:
    assert run_names(Path("/a/before"), Path("/a/after")) == ("before", "after")
    assert run_names(Path("/x/old/run"), Path("/x/new/run")) == ("old/run", "new/run")
    assert run_names(Path("/a/run"), Path("/a/run")) == ("run", "run")
