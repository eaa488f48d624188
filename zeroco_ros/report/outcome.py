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

"""Two runs' folders compared and judged in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zeroco_ros.media.atomic import ensure_writable
from zeroco_ros.replay.record import ReplayRun
from zeroco_ros.report.comparison import compare_runs, Comparison
from zeroco_ros.report.comparison_page import write_comparison
from zeroco_ros.report.thresholds import check_thresholds, Finding, read_thresholds

COMPARISON = "compare.html"


@dataclass(frozen=True)
class Outcome:
    """What a comparison came to. findings: of the threshold file, None without one."""

    comparison: Comparison
    findings: Sequence[Finding] | None

    @property
    def passed(self) -> bool:
        """Tell whether every threshold holds; without a file nothing is demanded."""
        return self.findings is None or all(one.passed for one in self.findings)


def compare(
    a: str | Path,
    b: str | Path,
    thresholds: str | Path | None = None,
    *,
    out: str | Path | None = None,
) -> Outcome:
    """
    Compare run b with run a, and write the page if `out` is given.

    a: folder of what was, b: of what is proposed. Raises ConfigError for a folder without a run
    or a threshold file that cannot be used, before anything is written; ImageError where the page
    cannot be written.
    """
    folders = (Path(a), Path(b))
    runs = (ReplayRun.load(a), ReplayRun.load(b))
    rules = None if thresholds is None else read_thresholds(thresholds)
    findings = None if rules is None else check_thresholds(rules, runs[1], runs[0])
    if out is not None:
        ensure_writable(out)
    comparison = compare_runs(*runs)
    if out is not None:
        write_comparison(out, runs, run_names(*folders), comparison, findings)
    return Outcome(comparison, findings)


def run_names(a: Path, b: Path) -> tuple[str, str]:
    """Name two runs by the end of their paths, from where these differ."""
    first, second = a.resolve(), b.resolve()
    shorter = min(len(first.parts), len(second.parts))
    for count in range(1, shorter + 1):
        if first.parts[-count] != second.parts[-count]:
            return "/".join(first.parts[-count:]), "/".join(second.parts[-count:])
    return first.name, second.name
