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
import pytest

from zeroco_ros.errors import ConfigError, ImageError
from zeroco_ros.evaluation.datasets import find_sets
from zeroco_ros.evaluation.flow_correspondence import read_homography
from zeroco_ros.evaluation.flow_set import fewer
from zeroco_ros.media.flow_files import write_flo
from zeroco_ros.media.images import write_image
from zeroco_ros.media.panels import warped

EXPECTED = {
    "hololens": (7, (360, 540)),
    "redkitchen": (4, (480, 640)),
    "FlyingChairs": (5, (384, 512)),
    "graf": (3, (640, 800)),
    "graf-wide": (2, (640, 800)),
    "stereo": (3, (375, 450)),
}


def _gray_difference(first: np.ndarray, second: np.ndarray, where: np.ndarray) -> float:
    return float(np.abs(first.mean(axis=-1) - second.mean(axis=-1))[where].mean())


def test_all_shared_sets_are_found_with_their_sizes(shared_data: Path) -> None:
    sets = {flow_set.name: flow_set for flow_set in find_sets(shared_data)}
    assert {name: len(flow_set) for name, flow_set in sets.items()} == {
        name: count for name, (count, _) in EXPECTED.items()
    }
    for name, (_, shape) in EXPECTED.items():
        assert next(iter(sets[name])).target.shape[:2] == shape


@pytest.mark.parametrize("name", EXPECTED)
def test_ground_truth_warps_the_source_onto_the_target(name: str, shared_data: Path) -> None:
    """The direction and the unit of every loader, judged by the images themselves."""
    (flow_set,) = find_sets(shared_data, [name])
    pair = flow_set.loaders[0]()
    assert pair.flow.shape == (*pair.target.shape[:2], 2) and pair.flow.dtype == np.float32
    assert pair.valid.shape == pair.target.shape[:2] and pair.valid.mean() > 0.1
    assert np.isfinite(pair.flow[pair.valid]).all()
    aligned = _gray_difference(pair.target, warped(pair.source, pair.flow), pair.valid)
    opposite = _gray_difference(pair.target, warped(pair.source, -pair.flow), pair.valid)
    unmoved = _gray_difference(pair.target, pair.source, pair.valid)
    assert aligned < 0.7 * unmoved and aligned < 0.7 * opposite


@pytest.fixture
def own_data(tmp_path: Path) -> Path:
    """Return a user's folder: two pairs, one of them with a mask."""
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        image = random.integers(0, 256, (20, 30, 3), dtype=np.uint8)
        write_image(tmp_path / f"{name}_img1.png", image)
        write_image(tmp_path / f"{name}_img2.png", np.roll(image, 3, axis=1))
        flow = np.tile(np.float32([3, 0]), (20, 30, 1))
        flow[0] = np.nan
        write_flo(tmp_path / f"{name}_flow.flo", flow)
    mask = np.full((20, 30), 255, dtype=np.uint8)
    mask[:, 15:] = 128
    write_image(tmp_path / "b_visible.png", mask)
    return tmp_path


def test_a_users_folder_is_a_set(own_data: Path) -> None:
    (flow_set,) = find_sets(own_data)
    first, second = flow_set
    assert flow_set.name == own_data.name and (first.name, second.name) == ("a", "b")
    assert first.valid.sum() == 19 * 30 and second.valid.sum() == 19 * 15
    assert np.array_equal(warped(first.source, first.flow)[1:, :27], first.target[1:, :27])


def test_hpatches_layout_is_found_in_both_sizes(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    scene = tmp_path / "v_wall"
    for k in range(1, 7):
        write_image(scene / f"{k}.ppm", np.roll(image, k - 1, axis=1))
        if k > 1:
            matrix = np.array([[1, 0, k - 1], [0, 1, 0], [0, 0, 1]])
            np.savetxt(scene / f"H_1_{k}", matrix)
    sets = {flow_set.name: flow_set for flow_set in find_sets(tmp_path)}
    numerals = ("I", "II", "III", "IV", "V")
    assert set(sets) == {f"hpatches{size}-{n}" for size in ("", "-240") for n in numerals}
    pair = sets["hpatches-III"].loaders[0]()
    assert np.allclose(pair.flow, (-3, 0)) and pair.valid.sum() == 30 * 37
    small = sets["hpatches-240-III"].loaders[0]()
    assert small.target.shape == (240, 240, 3) and np.allclose(small.flow, (-18, 0), atol=1e-4)
    assert {flow_set.part_of for flow_set in sets.values()} == {"hpatches", "hpatches-240"}
    for kind in ("hpatches", "hpatches-240"):
        assert [one.part_of for one in find_sets(tmp_path, dataset=kind)] == [kind] * 5
    with pytest.raises(ConfigError, match=r"no flow data .*info_ETH3D_files"):
        find_sets(tmp_path, dataset="eth3d")


def test_fewer_pairs_are_spread_over_the_set(own_data: Path) -> None:
    (flow_set,) = find_sets(own_data)
    assert fewer(flow_set, None) is flow_set and fewer(flow_set, 2) is flow_set
    one = fewer(flow_set, 1)
    assert [pair.name for pair in one] == ["a"] and "1 of 2 pairs" in one.about


def test_wrong_folders_and_names_are_told(tmp_path: Path, own_data: Path) -> None:
    with pytest.raises(ConfigError, match="not a folder"):
        find_sets(tmp_path / "nowhere")
    (tmp_path / "void").mkdir()
    with pytest.raises(ConfigError, match="no flow data"):
        find_sets(tmp_path / "void")
    with pytest.raises(ConfigError, match=f"unknown set x: .* has {own_data.name}"):
        find_sets(own_data, ["x"])


def test_broken_pairs_are_told(own_data: Path) -> None:
    write_flo(own_data / "a_flow.flo", np.zeros((5, 5, 2)))
    (flow_set,) = find_sets(own_data)
    with pytest.raises(ImageError, match="a_flow"):
        flow_set.loaders[0]()
    for text in ("1 2 3", "1 0 0 0 1 0 0 0 x", "1 0 0 0 1 0 0 0 nan"):
        (own_data / "H").write_text(text)
        with pytest.raises(ImageError, match="H"):
            read_homography(own_data / "H")
