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

"""Threshold files: each rule holds or not, mistakes are told, the exit code is for a CI."""

from __future__ import annotations

import json
from pathlib import Path

from html_reader import read_page
import pytest
from run_fixture import make_run

from zeroco_ros.cli import main
from zeroco_ros.errors import ConfigError
from zeroco_ros.report.thresholds import check_thresholds, read_thresholds


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "thresholds.yaml"
    path.write_text(text, encoding="utf-8")
    return path


# epe is 0.804 before and 0.904 after: + 0.1, + 12.4 %
@pytest.mark.parametrize(
    ("rule", "passed"),
    [
        ("epe: {max: 0.91}", True),
        ("epe: {max: 0.90}", False),
        ("epe: {min: 0.9}", True),
        ("epe: {min: 0.91}", False),
        ("epe: {max_increase: 0.1}", True),
        ("epe: {max_increase: 0.09}", False),
        ("epe: {max_decrease: 0}", True),
        ("epe: {max_difference: 0.1}", True),
        ("epe: {max_difference: 0}", False),
        ("epe: {max_relative_increase: 0.13}", True),
        ("epe: {max_relative_increase: 0.12}", False),
        ("epe: {max_relative_decrease: 0}", True),
        ("flow_coverage: {max_difference: 0}", True),
        ("latency_ms: {max: 98}", True),
        ("failed_bags: {max: 1}", True),
        ("failed_bags: {max: 0}", False),
        ("ok_bags: {min: 2}", True),
        ("matched_frames: {min: 1}", True),
    ],
)
def test_rules(tmp_path: Path, rule: str, passed: bool) -> None:
    rules = read_thresholds(_file(tmp_path, rule))
    (finding,) = check_thresholds(rules, make_run(worse=0.1), make_run())
    assert finding.passed is passed
    assert finding.text.startswith(rule.split(":")[0])


def test_a_decrease_is_seen_from_the_other_side(tmp_path: Path) -> None:
    rules = read_thresholds(_file(tmp_path, "epe: {max_decrease: 0.05}"))
    (finding,) = check_thresholds(rules, make_run(), make_run(worse=0.1))
    assert not finding.passed
    assert finding.text == "epe changed by \u22120.1000, max_decrease 0.05000"


def test_the_limit_itself_is_allowed_whatever_computers_make_of_it(tmp_path: Path) -> None:
    rules = read_thresholds(_file(tmp_path, "flow_coverage: {max_decrease: 0.02}"))
    before, after = make_run(), make_run()
    before.metrics.summary["flow_coverage"], after.metrics.summary["flow_coverage"] = 0.85, 0.83
    assert 0.85 - 0.83 > 0.02
    assert check_thresholds(rules, after, before)[0].passed
    after.metrics.summary["flow_coverage"] = 0.8299
    assert not check_thresholds(rules, after, before)[0].passed


def test_each_bag_is_held_to_the_rule(tmp_path: Path) -> None:
    rules = read_thresholds(_file(tmp_path, "epe: {max: 0.805, each_bag: true}"))
    found = {one.bag: one.passed for one in check_thresholds(rules, make_run())}
    assert found == {"": True, "drive_a": True, "drive_b": False}


def test_what_is_not_known_is_no_success(tmp_path: Path) -> None:
    rules = read_thresholds(_file(tmp_path, "lost_frames: {max: 1}"))
    run = make_run()
    run.metrics.summary["lost_frames"] = None
    (finding,) = check_thresholds(rules, run)
    assert not finding.passed
    allowed = read_thresholds(_file(tmp_path, "lost_frames: {max: 1, allow_unknown: true}"))
    assert check_thresholds(allowed, run)[0].passed


def test_a_step_is_judged_over_the_same_frames(tmp_path: Path) -> None:
    rules = read_thresholds(
        _file(tmp_path, "epe: {max_difference: 0, each_bag: true}\nate: {max_increase: 0}")
    )
    found = check_thresholds(rules, make_run(bags=("drive_a",)), make_run())
    assert [(one.rule.metric, one.bag, one.passed) for one in found] == [
        ("epe", "", True),
        ("epe", "drive_a", True),
        ("ate", "", True),
    ]
    # a bag without a partner has no step: that is not known, and fails
    found = check_thresholds(rules, make_run(), make_run(bags=("drive_a",)))
    assert {one.bag: one.passed for one in found[:3]} == {
        "": True,
        "drive_a": True,
        "drive_b": False,
    }


def test_from_zero_any_increase_is_beyond_a_share(tmp_path: Path) -> None:
    rules = read_thresholds(_file(tmp_path, "lost_frames: {max_relative_increase: 0.5}"))
    before, after = make_run(), make_run()
    before.metrics.summary["lost_frames"] = 0.0
    assert not check_thresholds(rules, after, before)[0].passed
    after.metrics.summary["lost_frames"] = 0.0
    assert check_thresholds(rules, after, before)[0].passed


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "one entry per metric"),
        ("- epe", "one entry per metric"),
        ("epe: 2", "give rules"),
        ("epe: {}", "no limit"),
        ("epe: {maximum: 2}", "unknown rule 'maximum': use max, min"),
        ("epe: {max: .nan}", "finite number"),
        ("epe: {max: yes}", "finite number"),
        ("epe: {max: '2'}", "finite number"),
        ("epe: {max_increase: -1}", "0 or more"),
        ("epe: {max: 2, each_bag: 1}", "true or false"),
        ("epe: {max: 2}\nepe: {max: 3}", "epe is there twice"),
        ("epe: {max: 2, max: 3}", "max is there twice"),
        ("epe: [", "cannot be read"),
        ("epe: !!python/object/apply:os.system ['true']", "cannot be read"),
    ],
)
def test_mistakes_in_the_file_are_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        read_thresholds(_file(tmp_path, text))


def test_an_unknown_metric_is_an_error_that_helps(tmp_path: Path) -> None:
    rules = read_thresholds(_file(tmp_path, "flow_covrage: {min: 0.5}"))
    with pytest.raises(ConfigError, match=r"unknown metric flow_covrage \(did you mean flow_cov"):
        check_thresholds(rules, make_run())


def test_a_difference_needs_two_runs(tmp_path: Path) -> None:
    rules = read_thresholds(_file(tmp_path, "epe: {max_increase: 0.5}"))
    with pytest.raises(ConfigError, match="compares two runs"):
        check_thresholds(rules, make_run())


def test_exit_codes_of_the_command(
    tmp_path: Path, run_folder: Path, worse_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = str(_file(tmp_path, "epe: {max: 0.85}\nfailed_bags: {max: 1}"))
    assert main(["report", str(run_folder), "--thresholds", rules]) == 0
    assert "thresholds: 2 hold, 0 violated" in capsys.readouterr().out
    page = read_page((run_folder / "report.html").read_text(encoding="utf-8"))
    assert "2 thresholds hold" in page.all("div", "verdict")[0].text

    both = ["report", str(run_folder), str(worse_folder)]
    assert main([*both, "--thresholds", rules]) == 1
    out = capsys.readouterr().out
    assert "FAIL epe is 0.9038, max 0.8500" in out
    page = read_page((worse_folder / "compare.html").read_text(encoding="utf-8"))
    assert "1 of 2 thresholds violated" in page.all("div", "verdict")[0].text

    assert main(both) == 0  # a comparison alone judges nothing
    assert main([*both, "--thresholds", str(tmp_path / "none.yaml")]) == 2
    assert main(["report", str(tmp_path / "nothing")]) == 2
    assert "no run of zeroco replay" in capsys.readouterr().err


def test_json_of_the_command(
    tmp_path: Path, run_folder: Path, worse_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = str(_file(tmp_path, "epe: {max_relative_increase: 0.05}"))
    out = tmp_path / "sub" / "page.html"
    both = ["report", str(run_folder), str(worse_folder), "-o", str(out), "--json"]
    assert main([*both, "--thresholds", rules]) == 1
    values = json.loads(capsys.readouterr().out)
    assert values["metrics"]["epe"]["word"] == "worse"
    assert values["metrics"]["epe"]["paired"]["frames"] == 78
    assert values["thresholds"]["passed"] is False
    assert values["thresholds"]["rules"][0]["found"] == pytest.approx(0.1244, abs=1e-4)
    assert values["page"] == str(out)
    assert out.is_file()
    assert main(["report", str(run_folder), "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["metrics"]["latency_ms"] == {"value": 98.0, "unit": "ms", "better": "lower"}
    assert values["bags"]["broken"]["status"] == "failed"


def test_the_table_of_the_command(
    run_folder: Path, worse_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # a run may be named by its files
    assert main(["report", str(run_folder / "metrics.json"), str(worse_folder)]) == 0
    out = capsys.readouterr().out
    line = next(one for one in out.splitlines() if one.startswith("epe "))
    assert line.split()[:4] == ["epe", "0.8038", "0.9038", "+0.100"]
    assert line.endswith("worse")
    assert "80 frames in both" in out
