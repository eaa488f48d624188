"""docs/REPORT.md: its threshold file works, its rules are all there are."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from zeroco_ros.replay.catalog import ALL, TIMES
from zeroco_ros.report.thresholds import BUILT_IN, FLAGS, PAIR, SINGLE, read_thresholds

PAGE = Path(__file__).resolve().parents[2] / "docs" / "REPORT.md"


def test_the_example_of_a_threshold_file_works(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(# limits\.yaml\n.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (block,) = blocks
    path = tmp_path / "limits.yaml"
    path.write_text(block, encoding="utf-8")
    rules = read_thresholds(path)
    assert {rule.metric for rule in rules} <= {*ALL, *TIMES, *BUILT_IN}
    assert len(rules) > len(yaml.safe_load(block))


def test_every_rule_is_documented() -> None:
    text = PAGE.read_text("utf-8")
    for name in (*SINGLE, *PAIR, *BUILT_IN):
        assert f"`{name}`" in text, name
    for flag in FLAGS:
        assert f"`{flag}: true`" in text
