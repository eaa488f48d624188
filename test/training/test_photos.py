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

"""`--textures DIR`: a folder of pictures, damaged ones among them."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

from zeroco_ros.cli import main
from zeroco_ros.errors import ConfigError
from zeroco_ros.training.photos import bundled_photos, Photographs
from zeroco_ros.training.textures import texture_pool

PURPLE = (180, 20, 160)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures of one color, in a JPEG and, below, a PNG; a damaged file; and another kind."""
    root = tmp_path / "textures"
    (root / "more").mkdir(parents=True)
    picture = np.full((60, 80, 3), PURPLE[::-1], np.uint8)
    assert cv2.imwrite(str(root / "b.jpg"), picture)
    assert cv2.imwrite(str(root / "more" / "c.PNG"), picture)
    (root / "a.png").write_bytes(b"not a picture")
    (root / "notes.txt").write_text("not a picture either")
    return root


def test_a_folder_joins_the_bundled_photographs(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    photos = Photographs(folder)
    own = len(bundled_photos())
    assert len(photos) == own + 3
    with caplog.at_level(logging.WARNING):
        pictures = [photos[k] for k in range(own, own + 3) for _ in range(2)]
    for picture in pictures:
        assert picture.shape == (60, 80, 3)
        np.testing.assert_allclose(picture.reshape(-1, 3).mean(0), PURPLE, atol=3)
    assert len(caplog.records) == 1 and "a.png is not a readable picture" in caplog.text
    assert np.array_equal(photos[-1], photos[own + 2]) and len(photos[:own]) == own
    with pytest.raises(IndexError):
        photos[own + 3]


def test_its_pictures_become_textures(folder: Path) -> None:
    plain, more = (texture_pool([1, 2], 60, Photographs(f), 1.0) for f in (None, folder))
    spread = [float(np.ptp(pool.mean.numpy(), axis=0).min()) for pool in (plain, more)]
    assert min(spread) > 0
    table = more.texels.view(more.count, -1)
    flat = sum(int(len(np.unique(row[:512].numpy())) == 1) for row in table)
    assert flat >= 3  # about 60 * 3 / 18 are crops of a picture of one color


@pytest.mark.parametrize("make", [True, False])
def test_a_folder_without_pictures_is_refused(
    tmp_path: Path, make: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    if make:
        empty.mkdir()
    message = "no picture below" if make else "does not exist"
    with pytest.raises(ConfigError, match=message):
        Photographs(empty)
    command = ["train", "backbone", "--out", str(tmp_path / "run"), "--textures", str(empty)]
    assert main(command) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run" / "checkpoint.pt").exists()


def test_a_folder_of_damaged_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"not a picture")
    photos = Photographs(tmp_path)
    with pytest.raises(ConfigError, match="none of the 1 pictures"):
        photos[-1]
