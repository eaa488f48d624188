"""`zeroco report`: the page of a replay, two replays compared, thresholds checked."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from zeroco_ros.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zeroco_ros.replay.record import ReplayRun
    from zeroco_ros.report.thresholds import Finding, Rule

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
    from zeroco_ros.media.atomic import ensure_writable
    from zeroco_ros.replay.record import ReplayRun
    from zeroco_ros.report.thresholds import read_thresholds

    folder = _folder(args.run_folder)
    other = None if args.other_folder is None else _folder(args.other_folder)
    first = ReplayRun.load(folder)
    second = None if other is None else ReplayRun.load(other)
    rules = None if args.thresholds is None else read_thresholds(args.thresholds)
    page = "report.html" if other is None else "compare.html"
    out = Path(args.out) if args.out is not None else (other or folder) / page
    ensure_writable(out)
    if second is None or other is None:
        return _one(folder, first, rules, out, args.json)
    return _two((folder, other), (first, second), rules, out, args.json)


def _folder(text: str) -> Path:
    """Return the run's folder; its metrics.json or report.html names it, too."""
    path = Path(text)
    return path.parent if path.is_file() and path.suffix in (".json", ".html") else path


def _one(
    folder: Path, run: ReplayRun, rules: Sequence[Rule] | None, out: Path, as_json: bool
) -> int:
    from zeroco_ros.report import printed, write_report
    from zeroco_ros.report.thresholds import check_thresholds

    findings = None if rules is None else check_thresholds(rules, run)
    write_report(folder, findings, out=out)
    if as_json:
        _print_json({"run": str(folder), **printed.run_json(run)}, findings, out)
    else:
        _print_lines(printed.run_lines(run), findings, out)
    return _code(findings)


def _two(
    folders: tuple[Path, Path],
    runs: tuple[ReplayRun, ReplayRun],
    rules: Sequence[Rule] | None,
    out: Path,
    as_json: bool,
) -> int:
    from zeroco_ros.report import printed
    from zeroco_ros.report.comparison import compare_runs
    from zeroco_ros.report.comparison_page import write_comparison
    from zeroco_ros.report.thresholds import check_thresholds

    findings = None if rules is None else check_thresholds(rules, runs[1], runs[0])
    comparison = compare_runs(*runs)
    write_comparison(out, runs, _names(folders), comparison, findings)
    if as_json:
        head = {"a": str(folders[0]), "b": str(folders[1])}
        _print_json({**head, **printed.comparison_json(comparison)}, findings, out)
    else:
        _print_lines(printed.comparison_lines(comparison), findings, out)
    return _code(findings)


def _names(folders: tuple[Path, Path]) -> tuple[str, str]:
    """Name the runs by the end of their paths, from where these differ."""
    first, second = (folder.resolve() for folder in folders)
    if first == second or first.name != second.name:
        return first.name, second.name
    parts = range(2, min(len(first.parts), len(second.parts)) + 1)
    for count in parts:
        names = ["/".join(one.parts[-count:]) for one in (first, second)]
        if first.parts[-count] != second.parts[-count]:
            return names[0], names[1]
    raise ConfigError(f"{folders[0]} and {folders[1]} are the same run")


def _print_lines(lines: list[str], findings: Sequence[Finding] | None, out: Path) -> None:
    from zeroco_ros.report.printed import finding_lines

    print("\n".join(lines))
    if findings is not None:
        print("\n".join(["", *finding_lines(findings)]))
    print(f"\n{out}")


def _print_json(values: dict[str, object], findings: Sequence[Finding] | None, out: Path) -> None:
    from zeroco_ros.report.printed import SCHEMA, findings_json

    checked = {} if findings is None else {"thresholds": findings_json(findings)}
    everything = {"schema": SCHEMA, **values, **checked, "page": str(out)}
    print(json.dumps(everything, indent=1, allow_nan=False))


def _code(findings: Sequence[Finding] | None) -> int:
    return 0 if findings is None or all(one.passed for one in findings) else 1
