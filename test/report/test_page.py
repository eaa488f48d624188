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

"""The report of a run: one well-formed file that fetches nothing and shows everything."""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import replace
import hashlib
import math
from pathlib import Path
import re

from html_reader import Element, read_page
import pytest
from run_fixture import make_run, renamed, write_run

from zeroco_ros.errors import ConfigError
from zeroco_ros.replay.record import ReplayRun, WorstFrame
from zeroco_ros.report import write_report
from zeroco_ros.report.document import asset
from zeroco_ros.report.number_text import number
from zeroco_ros.report.summary import pooled
from zeroco_ros.report.tracks import catalog

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202egab\x1b[31m"


def _page(folder: Path) -> Element:
    return read_page(write_report(folder).read_text(encoding="utf-8"))


def _css_hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_one_file_that_fetches_nothing(run_folder: Path) -> None:
    text = write_report(run_folder).read_text(encoding="utf-8")
    page = read_page(text)
    without_policy = re.sub(r"data:image/[a-z]+;base64,[A-Za-z0-9+/=]+", "", text)
    without_namespace = without_policy.replace("http://www.w3.org/2000/svg", "")
    for outside in ("http:", "https:", "//cdn", 'src="//', 'href="//', "@import", "url("):
        assert outside not in without_namespace, outside
    for element in page.all():
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            value = element.attributes.get(name)
            assert value is None or value.startswith(("data:image/", "#")), (element.name, value)
    assert not {"link", "iframe", "object", "embed", "form", "base"} & {
        element.name for element in page.all()
    }


def test_the_policy_allows_this_pages_own_style_and_script_only(run_folder: Path) -> None:
    page = _page(run_folder)
    (policy,) = (
        meta.attributes["content"]
        for meta in page.all("meta")
        if meta.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    (style,) = page.all("style")
    (script,) = (one for one in page.all("script") if "type" not in one.attributes)
    assert rules["default-src"] == "'none'"
    assert rules["style-src"] == _css_hash(style.text)
    assert rules["script-src"] == _css_hash(script.text)
    assert rules["img-src"] == "data:"
    assert "unsafe" not in policy
    # neither would run under this policy
    for element in page.all():
        assert "style" not in element.attributes
        assert not [name for name in element.attributes if name.startswith("on")]


def test_a_hostile_bag_name_is_text(tmp_path: Path) -> None:
    run = renamed(make_run(), HOSTILE)
    folder = write_run(tmp_path / "run", run)
    text = write_report(folder).read_text(encoding="utf-8")
    page = read_page(text)
    scripts = [one for one in page.all("script") if "type" not in one.attributes]
    assert len(scripts) == 1
    assert "alert" not in scripts[0].text
    assert "<script>alert" not in text
    assert "\u202e" not in text
    assert "\x1b" not in text
    shown = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\\u202egab\\x1b[31m"
    assert shown in page.text
    assert all("onerror" not in image.attributes for image in page.all("img"))


def test_every_metric_is_shown_with_unit_and_meaning(run_folder: Path) -> None:
    page = _page(run_folder)
    run = ReplayRun.load(run_folder)
    table = next(one for one in page.all("table") if one.all("caption")[0].text == "All metrics")
    rows = {row.all("code")[0].text: row.text for row in table.all("tr") if row.all("code")}
    metrics = catalog(run)
    assert set(metrics) == {*run.metrics.metrics, *run.timing.metrics}
    assert set(rows) == set(metrics)
    for name, metric in metrics.items():
        assert number(pooled(run)[name]) in rows[name]
        assert metric.title in rows[name]
        assert metric.unit in rows[name]
        assert metric.meaning[1:] in rows[name]


def test_every_column_has_its_curve_with_stamps(run_folder: Path) -> None:
    page = _page(run_folder)
    run = ReplayRun.load(run_folder)
    drawn = {figure.all("h3")[0].text for figure in page.all("figure")}
    for name in run.metrics.bags[0].frames.values:
        if not name.startswith("confidence_p"):  # these are the band of `confidence`
            assert run.metrics.metrics[name].title in drawn
    assert "Latency" in drawn
    assert f'"start":"{run.metrics.bags[0].frames.stamp[0]}"' in page.text


def test_failed_bags_events_configuration_and_hashes_are_told(run_folder: Path) -> None:
    text = _page(run_folder).text
    for told in (
        "1 of 3 bags failed",
        "broken.mcap is cut off after 12 messages",
        "1.2 s without a frame",
        "1700000000.500000000",
        "12 messages of /tf were left out",
        "zeroco replay drive_a drive_b -o run",
        "ab" * 32,
        "00" * 32,
        "flow_head",
        "/camera/flow_truth",
        "Linux x86_64",
    ):
        assert told in text, told


def test_a_failed_bag_has_its_row_with_the_reason(run_folder: Path) -> None:
    page = _page(run_folder)
    table = next(t for t in page.all("table") if t.all("caption")[0].text == "What was played")
    row = next(row for row in table.all("tr") if row.text.startswith("broken"))
    assert "failed" in row.text
    assert "broken.mcap is cut off after 12 messages" in row.text


def test_the_worst_bag_of_each_headline_is_marked(run_folder: Path) -> None:
    page = _page(run_folder)
    run = ReplayRun.load(run_folder)
    table = next(t for t in page.all("table") if "by bag" in t.all("caption")[0].text)
    worst = max(run.ok, key=lambda bag: bag.summary["epe"] or 0.0)
    for row in table.all("tbody")[0].all("tr"):
        name, error = row.all("th")[0].text, row.all("td")[0].text
        assert error.startswith("\u25bc ") == (name == worst.name)


def test_pictures_are_inside_and_described(run_folder: Path) -> None:
    page = _page(run_folder)
    images = [
        one for one in page.all("img") if one.attributes["src"].startswith("data:image/webp")
    ]
    assert len(images) == 2
    for image in images:
        assert "End-point error" in image.attributes["alt"]
        assert base64.b64decode(image.attributes["src"].partition(",")[2])[8:12] == b"WEBP"


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        ("../outside.png", "outside of the run"),
        ("/etc/hostname", "outside of the run"),
        ("frames/missing.png", "No such file"),
        ("metrics.json", "cannot identify"),
    ],
)
def test_a_picture_that_cannot_be_used_is_a_sentence(
    tmp_path: Path, picture: str, reason: str
) -> None:
    (tmp_path / "outside.png").write_bytes(b"secret")
    run = make_run()
    bag = replace(run.metrics.bags[0], worst=[WorstFrame(1, 0, "epe", 1.0, picture, "")])
    folder = tmp_path / "run"
    replace(run, metrics=replace(run.metrics, bags=[bag])).save(folder)
    page = _page(folder)
    assert reason in page.text
    assert not [one for one in page.all("img") if "webp" in one.attributes["src"]]


def test_tables_and_figures_can_be_read_without_seeing(run_folder: Path) -> None:
    page = _page(run_folder)
    assert page.attributes["lang"] == "en"
    for table in page.all("table"):
        assert table.all("caption")[0].text
        assert all(head.attributes["scope"] == "col" for head in table.all("thead")[0].all("th"))
        assert all(row.all("th") for row in table.all("tbody")[0].all("tr"))
    for drawing in page.all("svg", "drawing"):
        assert drawing.attributes["role"] == "img"
        assert drawing.attributes["aria-label"]
    assert all("alt" in image.attributes for image in page.all("img"))
    (viewport,) = (m for m in page.all("meta") if m.attributes.get("name") == "viewport")
    assert "width=device-width" in viewport.attributes["content"]
    ids = Counter(one.attributes["id"] for one in page.all() if "id" in one.attributes)
    assert set(ids.values()) == {1}
    links = {one.attributes["href"][1:] for one in page.all("a")}
    assert links <= set(ids)


def test_colors_have_contrast_in_light_and_dark() -> None:
    """Hold the colors to WCAG 2.1: 4.5 to 1 for text, 3 to 1 for what is drawn."""
    for block in re.findall(r":root[^{]*\{([^}]*)\}", asset("style.css")):
        colors = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", block))
        for ground in ("page", "card"):
            for ink in ("ink", "quiet", "accent", "good", "bad", "warn"):
                assert _contrast(colors[ink], colors[ground]) >= 4.5, (ink, ground)
            for slot in range(8):
                assert _contrast(colors[f"s{slot}"], colors[ground]) >= 3, (slot, ground)
        for level in ("good", "bad", "warn"):
            assert _contrast(colors["ink"], colors[f"{level}-tint"]) >= 4.5
            assert _contrast(colors[level], colors[f"{level}-tint"]) >= 4.5


def _contrast(one: str, other: str) -> float:
    lights = sorted((_luminance(one), _luminance(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_same_run_gives_the_same_page(run_folder: Path) -> None:
    first = write_report(run_folder).read_bytes()
    assert write_report(run_folder).read_bytes() == first


def test_a_run_without_timing_reference_or_frames_has_a_page(tmp_path: Path) -> None:
    run = make_run(bags=("only",))
    bag = replace(
        run.metrics.bags[0], frames=type(run.metrics.bags[0].frames)(), worst=[], events=[]
    )
    empty = type(run.metrics.calibration)()
    metrics = replace(run.metrics, bags=[bag], calibration=empty, histograms={}, counters={})
    replace(run, metrics=metrics, timing=None).save(tmp_path / "run")
    page = _page(tmp_path / "run")
    assert {one.attributes["id"] for one in page.all("section")} == {
        "summary",
        "metrics",
        "bags",
        "faults",
        "configuration",
    }


def test_columns_that_do_not_fit_and_numbers_that_are_none_are_left_out(tmp_path: Path) -> None:
    run = make_run(bags=("only",))
    run.metrics.bags[0].frames.values["epe"][5] = math.inf
    run.timing.bags[0].columns["latency_ms"].append(1.0)
    folder = write_run(tmp_path / "run", run)
    text = (folder / "metrics.json").read_text(encoding="utf-8")
    column = run.metrics.bags[0].frames.values["flow_coverage"][7]
    assert repr(column) in text
    (folder / "metrics.json").write_text(text.replace(repr(column), "NaN"), encoding="utf-8")
    drawn = {figure.all("h3")[0].text for figure in _page(folder).all("figure")}
    assert "Coverage of flow" in drawn
    assert "Latency" not in drawn


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run of zeroco replay"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()
