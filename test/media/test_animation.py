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

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence
import pytest

from zeroco_ros.errors import ImageError
from zeroco_ros.media.animation import write_animation
from zeroco_ros.media.color import wheel_legend


def test_frames_timing_and_colors_survive(tmp_path: Path) -> None:
    wheel = wheel_legend(96)
    frames = [np.roll(wheel, shift, axis=1) for shift in (0, 20, 40)]
    write_animation(tmp_path / "a.gif", iter(frames), fps=8)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 3
        assert gif.info["loop"] == 0
        for frame, original in zip(ImageSequence.Iterator(gif), frames, strict=True):
            assert frame.info["duration"] == 120
            shown = np.asarray(frame.convert("RGB")).astype(int)
            assert np.abs(shown - original).mean() < 6


def test_wide_frames_are_reduced(tmp_path: Path) -> None:
    frames = [np.full((100, 400, 3), level, dtype=np.uint8) for level in (0, 255)]
    write_animation(tmp_path / "a.gif", frames, max_width=200)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.size == (200, 50)


def test_what_cannot_be_an_animation_is_refused(tmp_path: Path) -> None:
    frame = np.zeros((8, 8, 3), dtype=np.uint8)
    with pytest.raises(ImageError, match="no frame"):
        write_animation(tmp_path / "a.gif", [])
    with pytest.raises(ImageError, match="size"):
        write_animation(tmp_path / "a.gif", [frame, frame[:4]])
    with pytest.raises(ImageError, match=r"\.gif"):
        write_animation(tmp_path / "a.mp4", [frame])
    with pytest.raises(ImageError, match="fps"):
        write_animation(tmp_path / "a.gif", [frame], fps=0)
    assert list(tmp_path.iterdir()) == []
