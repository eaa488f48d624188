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

"""The record of a run as files."""

from __future__ import annotations

from dataclasses import replace
import json
from pathlib import Path

import pytest

from zeroco_ros.errors import ConfigError
from zeroco_ros.replay.record import METRICS, metrics_schema, ReplayRun, TIMING


def test_a_record_comes_back_as_it_was(record: ReplayRun, tmp_path: Path) -> None:
    record.save(tmp_path)
    assert ReplayRun.load(tmp_path) == record
    (tmp_path / TIMING).unlink()
    assert ReplayRun.load(tmp_path).timing is None


def test_numbers_that_are_not_finite_are_not_known(record: ReplayRun, tmp_path: Path) -> None:
    odd = replace(record.metrics, summary={"epe": float("nan"), "ate": 0.1 + 0.2})
    ReplayRun(odd).save(tmp_path)
    assert ReplayRun.load(tmp_path).metrics.summary == {"epe": None, "ate": 0.1 + 0.2}


def test_every_metric_is_explained_and_every_column_has_a_value_per_frame(
    record: ReplayRun,
) -> None:
    metrics = record.metrics
    (bag,) = metrics.bags
    assert set(metrics.summary) == set(metrics.metrics)
    assert set(bag.frames.values) <= set(metrics.metrics)
    assert {len(column) for column in bag.frames.values.values()} == {len(bag.frames.stamp)}
    assert all(m.meaning and m.title for m in metrics.metrics.values())
    assert record.timing is not None
    (timing,) = record.timing.bags
    assert len(timing.columns["latency_ms"]) == len(bag.frames.stamp)
    assert {"decode", "flow", "depth", "metrics", "write"} == set(timing.stages)


def test_nothing_of_the_clock_or_of_where_it_was_written_is_in_the_metrics(
    first_run: Path, record: ReplayRun
) -> None:
    text = (first_run / METRICS).read_text(encoding="utf-8")
    assert record.timing is not None
    assert str(first_run) not in text and record.timing.created not in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "is no run of zeroco replay"),
        ("{", "it is not JSON"),
        ("[]", "not an object"),
        ("{}", "schema is missing"),
    ],
)
def test_what_is_no_run_is_one_line(tmp_path: Path, content: str | None, words: str) -> None:
    if content is not None:
        (tmp_path / METRICS).write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        ReplayRun.load(tmp_path)


def test_a_wrong_type_and_another_schema_are_named(first_run: Path, tmp_path: Path) -> None:
    content = json.loads((first_run / METRICS).read_text(encoding="utf-8"))
    content["bags"][0]["frames"]["stamp"][2] = "soon"
    (tmp_path / METRICS).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"bags\[0\]\.frames\.stamp\[2\] is \"soon\""):
        ReplayRun.load(tmp_path)
    content["bags"][0]["frames"]["stamp"][2] = 1
    content["schema"] = 99
    (tmp_path / METRICS).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ConfigError, match="schema 99"):
        ReplayRun.load(tmp_path)


def test_the_schema_describes_the_file(first_run: Path) -> None:
    """By a checker of its own: every object has what is required and nothing unknown."""
    jsonschema = pytest.importorskip("jsonschema")
    content = json.loads((first_run / METRICS).read_text(encoding="utf-8"))
    jsonschema.validate(content, metrics_schema())
    del content["bags"][0]["frames"]["stamp"]
    content["bags"][0]["name"] = 3
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, metrics_schema())
