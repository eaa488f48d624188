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

"""docs/REPORT.md: its threshold file works, its rules are all there are."""

from __future__ import annotations

from pathlib import Path
import re

import yaml

from zeroco_ros.replay.catalog import ALL, TIMES
from zeroco_ros.report.thresholds import BUILT_IN, FLAGS, PAIR, read_thresholds, SINGLE

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
