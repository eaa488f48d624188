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

from dataclasses import dataclass
from pathlib import Path
import struct

import cv2
import numpy as np
import pytest

from zeroco_ros.errors import ImageError
from zeroco_ros.media.color import flow_to_color
from zeroco_ros.media.flow_files import (
    read_flo,
    read_kitti_flow,
    write_flo,
    write_flow,
    write_kitti_flow,
)
from zeroco_ros.media.images import read_image


@dataclass(frozen=True)
class Arrays:
    flow: np.ndarray
    confidence: np.ndarray
    occluded: np.ndarray
    coarse: np.ndarray
    forward_backward_error: np.ndarray


@pytest.fixture
def flow() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 30, (7, 9, 2)).astype(np.float32)


@pytest.fixture
def arrays(flow: np.ndarray) -> Arrays:
    random = np.random.default_rng(1)
    return Arrays(
        flow,
        random.random((7, 9), dtype=np.float32),
        random.random((7, 9)) > 0.5,
        random.normal(size=(2, 3, 2)).astype(np.float32),
        np.full((7, 9), np.inf, dtype=np.float32),
    )


def test_flo_is_readable_by_opencv_and_back(tmp_path: Path, flow: np.ndarray) -> None:
    write_flo(tmp_path / "a.flo", flow)
    assert np.array_equal(cv2.readOpticalFlow(str(tmp_path / "a.flo")), flow)
    assert np.array_equal(read_flo(tmp_path / "a.flo"), flow)


def test_unknown_flow_is_nan_in_memory_and_large_on_disk(tmp_path: Path, flow: np.ndarray) -> None:
    flow[1, 2] = np.nan
    flow[3, 4, 1] = np.inf
    write_flo(tmp_path / "a.flo", flow)
    stored = cv2.readOpticalFlow(str(tmp_path / "a.flo"))
    assert (stored[1, 2] > 1e9).all() and (stored[3, 4] > 1e9).all()
    unknown = np.isnan(read_flo(tmp_path / "a.flo")).any(axis=-1)
    assert sorted(map(tuple, np.argwhere(unknown))) == [(1, 2), (3, 4)]


def test_damaged_flo_files_are_refused(tmp_path: Path, flow: np.ndarray) -> None:
    write_flo(tmp_path / "a.flo", flow)
    content = (tmp_path / "a.flo").read_bytes()
    bad = {
        "cut": content[:-4],
        "longer": content + b"1234",
        "magic": b"\0\0\0\0" + content[4:],
        "size": content[:4] + struct.pack("<ii", -1, 7) + content[12:],
        "empty": b"",
    }
    for name, bytes_ in bad.items():
        path = tmp_path / f"{name}.flo"
        path.write_bytes(bytes_)
        with pytest.raises(ImageError, match=name):
            read_flo(path)
    with pytest.raises(ImageError, match="missing"):
        read_flo(tmp_path / "missing.flo")


def test_kitti_round_trip_within_its_step(tmp_path: Path, flow: np.ndarray) -> None:
    flow[0, 0] = np.nan
    flow[0, 1] = 600  # beyond what the format holds
    write_kitti_flow(tmp_path / "k.png", flow)
    back = read_kitti_flow(tmp_path / "k.png")
    assert np.isnan(back[0, :2]).all()
    rest = np.ones((7, 9), dtype=bool)
    rest[0, :2] = False
    assert np.abs(back - flow)[rest].max() <= 0.5 / 64 + 1e-6


def test_kitti_layout_is_the_published_one(tmp_path: Path) -> None:
    write_kitti_flow(tmp_path / "k.png", np.array([[[2.0, -3.0]]]))
    blue, green, red = cv2.imread(str(tmp_path / "k.png"), cv2.IMREAD_UNCHANGED)[0, 0]
    assert (red, green, blue) == (32768 + 128, 32768 - 192, 1)


def test_other_files_are_no_kitti_flow(
    tmp_path: Path, flow: np.ndarray, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.png").write_text("no")
    cv2.imwrite(str(tmp_path / "eight.png"), np.zeros((4, 4, 3), np.uint8))
    write_kitti_flow(tmp_path / "whole.png", flow)
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:80])
    for name in ("text.png", "eight.png", "cut.png", "missing.png"):
        with pytest.raises(ImageError, match=name):
            read_kitti_flow(tmp_path / name)
    assert capfd.readouterr().err == ""


def test_npz_holds_all_arrays_in_the_stated_types(tmp_path: Path, arrays: Arrays) -> None:
    write_flow(tmp_path / "r.npz", arrays)
    with np.load(tmp_path / "r.npz") as stored:
        content = {name: stored[name] for name in stored.files}
    assert set(content) == {
        "flow",
        "confidence",
        "occluded",
        "coarse",
        "forward_backward_error",
    }
    assert content["occluded"].dtype == np.bool_
    for name, value in content.items():
        assert np.array_equal(value, getattr(arrays, name)), name
        assert name == "occluded" or value.dtype == np.float32


def test_png_is_the_color_picture(tmp_path: Path, arrays: Arrays) -> None:
    write_flow(tmp_path / "r.png", arrays)
    assert np.array_equal(read_image(tmp_path / "r.png"), flow_to_color(arrays.flow))


def test_other_extensions_and_shapes_are_refused(tmp_path: Path, arrays: Arrays) -> None:
    with pytest.raises(ImageError, match=r"\.flo, \.npz, \.png"):
        write_flow(tmp_path / "r.tif", arrays)
    with pytest.raises(ImageError, match=r"\(H, W, 2\)"):
        write_flo(tmp_path / "r.flo", np.zeros((3, 4)))
    assert list(tmp_path.iterdir()) == []
