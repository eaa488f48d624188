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

"""The report of a run: one HTML file in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zeroco_ros.media.atomic import atomic_write
from zeroco_ros.replay.record import ReplayRun
from zeroco_ros.report.bags import bags_section, faults_section
from zeroco_ros.report.calibration import calibration_section
from zeroco_ros.report.curves import curves_section
from zeroco_ros.report.distributions import histograms_section
from zeroco_ros.report.document import document, header
from zeroco_ros.report.findings import findings_section
from zeroco_ros.report.markup import join
from zeroco_ros.report.number_text import number
from zeroco_ros.report.provenance import models, provenance_section
from zeroco_ros.report.summary import metrics_section, summary_section
from zeroco_ros.report.thresholds import Finding
from zeroco_ros.report.verdict import of_findings, of_run
from zeroco_ros.report.worst import worst_section

REPORT = "report.html"


def write_report(
    folder: str | Path,
    findings: Sequence[Finding] | None = None,
    *,
    out: str | Path | None = None,
) -> Path:
    """
    Write report.html into a run's folder, or to `out`, and return its path.

    findings: of a threshold file; None: the record itself says whether it is whole.
    Raises ConfigError where the folder holds no run, ImageError where it cannot be written to.
    """
    folder = Path(folder)
    page = report_page(folder, ReplayRun.load(folder), findings)
    path = folder / REPORT if out is None else Path(out)
    with atomic_write(path) as handle:
        handle.write(page.encode())
    return path


def report_page(folder: Path, run: ReplayRun, findings: Sequence[Finding] | None = None) -> str:
    """Return the page as text. folder: where the pictures of the run are."""
    bags = run.metrics.bags
    title = bags[0].name if len(bags) == 1 else f"{len(bags)} bags"
    verdict = of_run(run) if findings is None else of_findings(findings)
    parts = [
        ("thresholds", "Thresholds", findings_section(findings)),
        ("summary", "Summary", summary_section(run)),
        ("curves", "Over time", curves_section(run)),
        ("worst", "Worst frames", worst_section(folder, run)),
        ("calibration", "Calibration", calibration_section(run)),
        ("distributions", "Distributions", histograms_section(run)),
        ("metrics", "Metrics", metrics_section(run)),
        ("bags", "Bags", bags_section(run)),
        ("faults", "Faults", faults_section(run)),
        ("configuration", "Configuration", provenance_section(run)),
    ]
    there = [(anchor, name, part) for anchor, name, part in parts if part is not None]
    head = header("Replay report · zeroco_ros", title, facts(run), verdict.markup())
    return document(
        f"{title}: replay report",
        head,
        [(anchor, name) for anchor, name, _ in there],
        join([part for _, _, part in there]),
        f"zeroco_ros {run.metrics.versions.get('zeroco_ros', '')} · metrics.json, schema "
        f"{run.metrics.schema} · how to read this page: docs/REPORT.md",
    )


def facts(run: ReplayRun) -> list[tuple[str, str]]:
    """Return the line below the title: (value, what it counts)."""
    frames = sum(len(bag.frames.stamp) for bag in run.ok)
    duration = sum(bag.duration for bag in run.ok)
    found = [
        (str(len(run.metrics.bags)), "bag" if len(run.metrics.bags) == 1 else "bags"),
        (str(frames), "frames"),
        (f"{number(duration)} s", "of recording"),
    ]
    tasks: dict[str, list[str]] = {}
    for task, model in models(run).items():
        words = [model.get(key) for key in ("model", "backend", "device", "precision")]
        tasks.setdefault(", ".join(word for word in words if word), []).append(task)
    found += [(told, f"for {of[0]}" if len(tasks) > 1 else "") for told, of in tasks.items()]
    if run.timing is not None and run.timing.fps is not None:
        found.append((number(run.timing.fps), "frames a second"))
    return found
