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

"""Charts: round ticks, gaps that are seen, peaks that survive thinning."""

from __future__ import annotations

import json
import math
import re

from html_reader import Element, Reader
import pytest

from zeroco_ros.report.axes import fitting, inside, linear, logarithmic, Scale
from zeroco_ros.report.chart import Chart, json_block, Line
from zeroco_ros.report.number_text import number, percent, seconds, signed, ticks
from zeroco_ros.report.tracks import thinned


def _read(text: str) -> Element:
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader.root


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, (0, 0.25, 0.5, 0.75, 1)),
        (0, 0.83, (0, 0.25, 0.5, 0.75, 1)),
        (0, 130, (0, 50, 100, 150)),
        (-3, 3, (-4, -2, 0, 2, 4)),
        (0, 0, (-1, -0.5, 0, 0.5, 1)),
    ],
)
def test_ticks_are_round_and_hold_the_data(
    low: float, high: float, expected: tuple[float, ...]
) -> None:
    scale = linear(low, high)
    assert scale.ticks == pytest.approx(expected)
    assert scale.low <= low
    assert scale.high >= high


def test_an_axis_of_time_ends_with_the_data() -> None:
    scale = inside(0, 3.9)
    assert (scale.low, scale.high) == (0, 3.9)
    assert scale.ticks == (0, 1, 2, 3)


def test_a_few_values_that_tower_make_the_axis_logarithmic() -> None:
    assert not fitting([1, 2, 3]).log
    scale = fitting([0.2, 0.3, 0.4, 200])
    assert scale.log
    assert scale.place(0.1) == 0
    assert scale.place(1000) == 1
    assert scale.place(10) == pytest.approx(0.5)
    assert logarithmic(0.01, 100).ticks == pytest.approx((0.01, 0.1, 1, 10, 100))


def test_a_share_is_drawn_up_to_one() -> None:
    assert fitting([0.7, 0.8], ceiling=1.0).high == 1
    assert fitting([0.01, 0.02], ceiling=1.0).high < 0.1


def test_a_line_breaks_where_values_are_unknown_or_time_is_missing() -> None:
    unit = Scale(0.0, 10.0, (0.0, 10.0))
    line = Line("a", 0, [0, 1, 2, 3, 9], [1.0, 2.0, None, 3.0, 4.0], cut=3.0)
    path = _read(Chart("alt", unit, unit, [line]).markup()).all("path", "line")[0]
    assert path.attributes["d"] == "M0 216h0L100 192M300 168h0M900 144h0"


def test_the_values_of_a_chart_come_with_it() -> None:
    unit = Scale(0.0, 10.0, (0.0, 10.0))
    line = Line("</script><b>", 3, [0, 1], [0.123456789, None], start=17)
    block = _read(Chart("alt", unit, unit, [line], unit="px").markup()).all("script")[0]
    values = json.loads(block.text)
    assert values["lines"] == [
        {"name": "</script><b>", "slot": 3, "group": 0, "x": [0], "y": [0.12346], "start": "17"}
    ]


def test_json_cannot_end_its_element() -> None:
    text = json_block({"name": "</script><!--"})
    assert "</script>" not in text[:-9]
    assert "<!--" not in text


def test_thinning_keeps_every_peak_and_gap() -> None:
    values: list[float | None] = [math.sin(i / 50) for i in range(10_000)]
    values[1234], values[7777] = 9.0, -9.0
    for row in range(5000, 5200):
        values[row] = None
    rows = thinned(values, 400)
    assert len(rows) <= 410
    assert rows == sorted(set(rows))
    kept = [values[row] for row in rows]
    assert {9.0, -9.0} <= set(kept)
    assert None in kept
    assert thinned(values, 20_000) == list(range(10_000))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.80382, "0.804"),
        (0.02, "0.0200"),
        (12345.6, "12346"),
        (7.0, "7"),
        (-1.5, "\u22121.50"),
        (2.5e7, "2.50e+07"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


def test_signs_shares_and_stamps() -> None:
    assert signed(0.5) == "+0.500"
    assert signed(0.0) == "0"
    assert percent(-0.0251) == "\u22122.5 %"
    assert percent(0.31) == "+31 %"
    assert seconds(1_700_000_000_123_456_789) == "1700000000.123456789"
    assert ticks([0.0, 0.25, 0.5]) == ["0.00", "0.25", "0.50"]
    assert ticks([0.01, 0.1, 1, 10]) == ["0.01", "0.1", "1", "10"]
    assert all(re.fullmatch(r"0|\d·10.+|10.+", one) for one in ticks([0, 2e6, 1e7]))
