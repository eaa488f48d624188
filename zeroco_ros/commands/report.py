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

"""`zeroco report`: the page of a replay, two replays compared, thresholds checked."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zeroco_ros.report.thresholds import Finding

HELP = "the HTML report of a replay, two replays compared, thresholds for a team's CI"
DESCRIPTION = """\
zeroco report RUN       writes RUN/report.html from what zeroco replay left in RUN
zeroco report A B       compares: A is what was, B what is proposed; bags are matched
                        by content, frames by stamp; writes B/compare.html

A threshold file says what must hold (see docs/REPORT.md):
  flow_coverage: {min: 0.8, max_decrease: 0.02}
  latency_ms: {max_relative_increase: 0.1}

Exit codes: 0 done, and all thresholds hold; 1 a threshold is violated; 2 a run or a
threshold file that cannot be used."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add = parser.add_argument
    add("run_folder", metavar="RUN", help="folder of a run of zeroco replay (with B: run A)")
    add("other_folder", metavar="B", nargs="?", help="a second run, compared with the first")
    add(
        "-o",
        "--out",
        metavar="FILE",
        help="where the page goes (default: RUN/report.html, of two runs B/compare.html)",
    )
    add("--thresholds", metavar="FILE", help="YAML file of limits; a violated one is exit code 1")
    add("--json", action="store_true", help="print JSON instead of a table")


def run(args: argparse.Namespace) -> int:
    """Read everything, compare and check, then write the page and print."""
    first = _folder(args.run_folder)
    if args.other_folder is None:
        return _one(args, first)
    return _two(args, first, _folder(args.other_folder))


def _folder(text: str) -> Path:
    """Return the run's folder; its metrics.json or report.html names it, too."""
    path = Path(text)
    return path.parent if path.is_file() and path.suffix in (".json", ".html") else path


def _one(args: argparse.Namespace, folder: Path) -> int:
    from zeroco_ros.media.atomic import ensure_writable
    from zeroco_ros.replay.record import ReplayRun
    from zeroco_ros.report import printed, write_report
    from zeroco_ros.report.page import REPORT
    from zeroco_ros.report.thresholds import check_thresholds, read_thresholds

    replay = ReplayRun.load(folder)
    rules = None if args.thresholds is None else read_thresholds(args.thresholds)
    findings = None if rules is None else check_thresholds(rules, replay)
    out = folder / REPORT if args.out is None else Path(args.out)
    ensure_writable(out)
    write_report(folder, findings, out=out)
    if args.json:
        _print_json({"run": str(folder), **printed.run_json(replay)}, findings, out)
    else:
        _print_lines(printed.run_lines(replay), findings, out)
    return 0 if findings is None or all(one.passed for one in findings) else 1


def _two(args: argparse.Namespace, before: Path, after: Path) -> int:
    from zeroco_ros.report import compare, printed
    from zeroco_ros.report.outcome import COMPARISON

    out = after / COMPARISON if args.out is None else Path(args.out)
    outcome = compare(before, after, args.thresholds, out=out)
    if args.json:
        head = {"a": str(before), "b": str(after)}
        values = {**head, **printed.comparison_json(outcome.comparison)}
        _print_json(values, outcome.findings, out)
    else:
        _print_lines(printed.comparison_lines(outcome.comparison), outcome.findings, out)
    return 0 if outcome.passed else 1


def _print_lines(lines: list[str], findings: Sequence[Finding] | None, out: Path) -> None:
    from zeroco_ros.report.printed import finding_lines

    print("\n".join(lines))
    if findings is not None:
        print("\n".join(["", *finding_lines(findings)]))
    print(f"\n{out}")


def _print_json(values: dict[str, object], findings: Sequence[Finding] | None, out: Path) -> None:
    from zeroco_ros.report.printed import findings_json, SCHEMA

    checked = {} if findings is None else {"thresholds": findings_json(findings)}
    everything = {"schema": SCHEMA, **values, **checked, "page": str(out)}
    print(json.dumps(everything, indent=1, allow_nan=False))
