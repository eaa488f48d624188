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

"""Key frames: by parallax and not by count, bounded, forgotten on request."""

from __future__ import annotations

import math

import pytest

from zeroco_ros.errors import ConfigError
from zeroco_ros.stream import KeyframeWindow


def test_first_frame_is_a_key_frame_whatever_its_parallax() -> None:
    window: KeyframeWindow[str] = KeyframeWindow()
    assert window.newest is None
    assert window.push("a", math.nan)
    assert window.newest == "a" and window.frames == ("a",)


def test_a_standing_camera_adds_nothing_however_long_it_stands() -> None:
    window: KeyframeWindow[int] = KeyframeWindow(min_parallax=10, weak_parallax=1)
    window.push(0, 0.0)
    assert not any(window.push(i, 0.3, overlap=1.0) for i in range(1, 500))
    assert window.frames == (0,) and window.added == 1


def test_parallax_decides_not_the_count() -> None:
    window: KeyframeWindow[int] = KeyframeWindow(min_parallax=10, weak_parallax=1)
    assert [window.push(i, p) for i, p in enumerate([0, 4, 9.9, 10, 3, 11])] == [
        True, False, False, True, False, True,
    ]  # fmt: skip
    assert window.frames == (0, 3, 5)


def test_little_overlap_needs_less_parallax_but_some() -> None:
    window: KeyframeWindow[int] = KeyframeWindow(min_parallax=10, min_overlap=0.5, weak_parallax=2)
    window.push(0, 0)
    assert not window.wants(1.9, overlap=0.1)  # a rotation: a new view without a new place
    assert window.wants(2.1, overlap=0.1)
    assert not window.wants(2.1, overlap=0.5)
    assert window.wants(2.1, overlap=math.nan)
    assert not window.wants(math.nan, overlap=0.0)


def test_holds_at_most_its_size_and_drops_the_oldest() -> None:
    window: KeyframeWindow[int] = KeyframeWindow(size=3)
    for i in range(10):
        window.add(i)
    assert len(window) == 3 and list(window) == [7, 8, 9]
    assert window.added == 10 and window.size == 3


def test_clear_starts_anew() -> None:
    window: KeyframeWindow[int] = KeyframeWindow()
    window.push(1, 0)
    window.clear()
    assert len(window) == 0 and window.wants(0.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 1}, "from 2 to 32"),
        ({"size": True}, "from 2 to 32"),
        ({"min_parallax": 0}, "above 0"),
        ({"min_parallax": math.nan}, "above 0"),
        ({"min_overlap": 1.5}, "from 0 to 1"),
        ({"weak_parallax": 100}, "min_parallax"),
    ],
)
def test_refuses_what_cannot_work(options: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        KeyframeWindow(**options)  # type: ignore[arg-type]
