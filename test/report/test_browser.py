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

"""The pages in a real headless browser, as wide as a desk's and as narrow as a telephone's."""

from __future__ import annotations

from typing import Any

from browser import browser, Visit, visit
import pytest
from run_fixture import make_run, write_run

from zeroco_ros.cli import main
from zeroco_ros.report import write_report

PAGES = {"desk": 1200, "phone": 390, "comparison": 390}


@pytest.fixture(scope="module")
def visited(tmp_path_factory: pytest.TempPathFactory) -> Visit:
    """Return what a report at both widths and a comparison showed."""
    browser()
    folder = tmp_path_factory.mktemp("pages")
    before = write_run(folder / "before", make_run())
    after = write_run(folder / "after", make_run(worse=0.1))
    assert main(["report", str(before), str(after)]) == 0
    report = write_report(before)
    pages = {"desk": report, "phone": report, "comparison": after / "compare.html"}
    return visit({name: (path, PAGES[name]) for name, path in pages.items()}, folder)


@pytest.fixture(params=PAGES)
def found(visited: Visit, request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return what one of the pages showed."""
    return {"wanted": PAGES[request.param], **visited.found[request.param]}


def test_the_console_stays_empty(visited: Visit) -> None:
    assert set(visited.found) == set(PAGES)
    assert visited.console == []


def test_nothing_fails_and_nothing_breaks_the_policy(found: dict[str, Any]) -> None:
    assert found["errors"] == found["violations"] == []


def test_a_page_is_as_wide_as_its_window_and_its_letters_stay_large(
    found: dict[str, Any],
) -> None:
    assert found["width"] == found["wanted"]
    assert found["scroll"] <= found["wanted"]
    assert found["small"] == 0
    assert found["cut"] == 0  # a table that is wider can be scrolled


def test_light_and_dark(found: dict[str, Any]) -> None:
    assert {found["theme"], found["otherTheme"]} == {"light", "dark"}


def test_a_curve_tells_its_values_and_marks_their_time_in_the_others(
    found: dict[str, Any],
) -> None:
    assert found["plots"] == found["tips"] > 0
    assert "drive_a" in found["tip"]
    assert "stamp 170000000" in found["tip"]
    assert found["next"] != found["tip"]
    assert found["crosses"] > 1


def test_one_bag_can_be_picked(found: dict[str, Any]) -> None:
    assert 0 < found["picked"] < found["lines"]


def test_a_picture_opens_at_full_size(visited: Visit) -> None:
    assert visited.found["phone"]["dialog"]
    assert visited.found["phone"]["picture"] > 0
