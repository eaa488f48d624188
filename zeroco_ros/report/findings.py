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

"""The section of thresholds: each rule, what was found, whether it holds."""

from __future__ import annotations

from collections.abc import Sequence

from zeroco_ros.report.document import section
from zeroco_ros.report.markup import element, Markup
from zeroco_ros.report.number_text import number
from zeroco_ros.report.tables import Column, table
from zeroco_ros.report.thresholds import Finding


def findings_section(findings: Sequence[Finding] | None) -> Markup | None:
    """Return the rules of a threshold file and what became of them; None without a file."""
    if findings is None:
        return None
    heads = [
        Column("Metric"),
        Column("Rule"),
        Column("Limit", "num"),
        Column("Found", "num"),
        Column("Bag", "anywhere"),
        Column("Holds"),
    ]
    rows = [
        [
            element("code", one.rule.metric),
            one.rule.kind.replace("_", " "),
            number(one.rule.limit, 4),
            number(one.value, 4),
            one.bag or "all",
            element("span", "\u2713 yes", class_="good-text")
            if one.passed
            else element("span", "\u2717 no", class_="bad-text"),
        ]
        for one in sorted(findings, key=lambda one: one.passed)
    ]
    return section("thresholds", "Thresholds", table("Rules of the file", heads, rows, stack=True))
