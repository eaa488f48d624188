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

import cv2
import numpy as np
import pytest

from zeroco_ros.errors import ImageError
from zeroco_ros.media.depth_files import read_depth_png, write_array, write_depth_png

DEPTH = np.array([[np.nan, 0.0, -1.0, 0.0002], [0.5004, 1.2346, 65.534, 65.6]], dtype=np.float32)


def test_millimeters_of_16_bits(tmp_path: Path) -> None:
    path = tmp_path / "new" / "depth.png"
    write_depth_png(path, DEPTH)
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.uint16
    assert stored.tolist() == [[0, 0, 0, 1], [500, 1235, 65534, 0]]
    back = read_depth_png(path)
    assert back.dtype == np.float32
    np.testing.assert_allclose(
        back, [[np.nan] * 3 + [0.001], [0.5, 1.235, 65.534, np.nan]], rtol=1e-6
    )


def test_arrays_keep_everything(tmp_path: Path) -> None:
    write_array(tmp_path / "depth.npy", DEPTH)
    np.testing.assert_array_equal(np.load(tmp_path / "depth.npy"), DEPTH)


def test_what_cannot_be_written_or_read(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"expected depth \(H, W\)"):
        write_depth_png(tmp_path / "a.png", np.zeros((2, 2, 3)))
    with pytest.raises(ImageError, match=r"is \.npy"):
        write_array(tmp_path / "a.npz", DEPTH)
    with pytest.raises(ImageError, match="cannot read"):
        read_depth_png(tmp_path / "missing.png")
    cv2.imwrite(str(tmp_path / "gray.png"), np.zeros((4, 4), np.uint8))
    write_depth_png(tmp_path / "cut.png", np.ones((50, 50)))
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:-8])
    for name in ("gray.png", "cut.png"):
        with pytest.raises(ImageError, match=f"{name} is not a depth picture"):
            read_depth_png(tmp_path / name)
