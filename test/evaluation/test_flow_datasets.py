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

"""The public flow data sets, as small files in their real layouts and formats."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from zeroco_ros.demo.synthetic import write_synthetic_bag
from zeroco_ros.errors import BagError, ConfigError, ImageError
from zeroco_ros.evaluation.datasets import find_sets, FLOW_DATASETS
from zeroco_ros.evaluation.flow_middlebury import stereo_sets
from zeroco_ros.evaluation.protocols import FlowPair
from zeroco_ros.media.flow_files import write_flo, write_kitti_flow
from zeroco_ros.media.images import write_image
from zeroco_ros.media.panels import warped

HEIGHT, WIDTH, SHIFT = 20, 32, 3


@pytest.fixture(scope="module")
def images() -> tuple[np.ndarray, np.ndarray]:
    """Return a picture, and the one to which everything has moved SHIFT pixels to the right."""
    first = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    return first, np.roll(first, SHIFT, axis=1)


def _flow(unknown: bool = False) -> np.ndarray:
    flow = np.tile(np.float32([SHIFT, 0]), (HEIGHT, WIDTH, 1))
    flow[:, WIDTH - SHIFT :] = np.nan if unknown else flow[0, 0]
    return flow


def _matches(pair: FlowPair) -> bool:
    inside = pair.valid.copy()
    inside[:, WIDTH - SHIFT :] = False
    there = warped(pair.source, np.nan_to_num(pair.flow))
    return bool(inside.any() and (there[inside] == pair.target[inside]).all())


@pytest.mark.parametrize(("folder", "year"), [("image_2", 2015), ("colored_0", 2012)])
def test_kitti_flow(tmp_path: Path, images: tuple, folder: str, year: int) -> None:
    place = tmp_path / "training"
    for number in ("000000", "000007"):
        for name, image in zip(("10", "11"), images, strict=True):
            write_image(place / folder / f"{number}_{name}.png", image)
        for truth, unknown in (("flow_occ", False), ("flow_noc", True)):
            (place / truth).mkdir(exist_ok=True)
            write_kitti_flow(place / truth / f"{number}_10.png", _flow(unknown))
    for root in (tmp_path, place):
        every, visible = find_sets(root, dataset="kitti-flow")
        assert (every.name, visible.name) == (f"kitti-{year}-all", f"kitti-{year}-noc")
        assert [pair.name for pair in every] == ["000000", "000007"]
        first, second = next(iter(every)), next(iter(visible))
        assert _matches(first) and first.valid.all()
        assert second.valid[:, : WIDTH - SHIFT].all() and not second.valid[:, -SHIFT:].any()
    write_image(place / folder / "000000_10.png", images[0][:-1])
    with pytest.raises(ImageError, match=r"000000_10\.png is \(20, 32\), its image is \(19, 32\)"):
        next(iter(find_sets(tmp_path, dataset="kitti-flow")[0]))


def test_sintel(tmp_path: Path, images: tuple) -> None:
    place = tmp_path / "training"
    for scene in ("alley_1", "cave_2"):
        for kind in ("clean", "final"):
            for number, image in ((1, images[0]), (2, images[1]), (3, images[0])):
                write_image(place / kind / scene / f"frame_{number:04d}.png", image)
        for number in (1, 2):
            (place / "flow" / scene).mkdir(parents=True, exist_ok=True)
            write_flo(place / "flow" / scene / f"frame_{number:04d}.flo", _flow())
        masks = {"invalid": slice(0, 2), "occlusions": slice(WIDTH - SHIFT, WIDTH)}
        for name, columns in masks.items():
            mask = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
            mask[:, columns] = 255
            write_image(place / name / scene / "frame_0001.png", mask)
    sets = {one.name: one for one in find_sets(tmp_path, dataset="sintel")}
    assert list(sets) == ["sintel-clean", "sintel-clean-noc", "sintel-final", "sintel-final-noc"]
    assert [len(one) for one in sets.values()] == [4] * 4
    first, second = list(sets["sintel-clean"])[:2]
    assert first.name == "alley_1/frame_0001" and _matches(first)
    assert not first.valid[:, :2].any() and first.valid[:, 2:].all()
    assert second.valid.all()  # it has no mask
    visible = next(iter(sets["sintel-final-noc"]))
    assert not visible.valid[:, -SHIFT:].any() and visible.valid[:, 2:-SHIFT].all()


@pytest.mark.parametrize("beside", [True, False])
def test_middlebury_flow(tmp_path: Path, images: tuple, beside: bool) -> None:
    pictures = tmp_path / ("other-data" if beside else "") / "RubberWhale"
    truth = tmp_path / ("other-gt-flow" if beside else "") / "RubberWhale"
    truth.mkdir(parents=True)
    for name, image in zip(("frame10", "frame11"), images, strict=True):
        write_image(pictures / f"{name}.png", image)
    write_flo(truth / "flow10.flo", _flow(unknown=True))
    (flow_set,) = find_sets(tmp_path, dataset="middlebury")
    (pair,) = flow_set
    assert (flow_set.name, pair.name) == ("middlebury", "RubberWhale") and _matches(pair)
    assert not pair.valid[:, -SHIFT:].any()


@pytest.mark.parametrize(
    ("names", "width", "scale"),
    [
        (("im0.png", "im1.png", "disp0.pfm"), 64, 1),
        (("im2.ppm", "im6.ppm", "disp2.pgm"), 434, 8),  # 2001
        (("im2.png", "im6.png", "disp2.png"), 450, 4),  # 2003, quarter size
        (("im2.png", "im6.png", "disp2.png"), 900, 2),
        (("view1.png", "view5.png", "disp1.png"), 413, 3),  # 2006, third size
        (("view1.png", "view5.png", "disp1.png"), 620, 2),
        (("view1.png", "view5.png", "disp1.png"), 1240, 1),
    ],
)
def test_middlebury_stereo(
    tmp_path: Path, names: tuple[str, str, str], width: int, scale: int
) -> None:
    left = np.random.default_rng(1).integers(0, 256, (6, width, 3), dtype=np.uint8)
    place = tmp_path / "Venus"
    place.mkdir()
    for name, image in zip(names, (left, np.roll(left, -5, axis=1)), strict=False):
        cv2.imwrite(str(place / name), np.ascontiguousarray(image[..., ::-1]))
    disparity = np.full((6, width), 5.0, np.float32)
    disparity[:, 20:30] = np.inf if scale == 1 and names[2].endswith("pfm") else 0
    stored = disparity if names[2].endswith("pfm") else (disparity * scale).astype(np.uint8)
    cv2.imwrite(str(place / names[2]), stored)
    (flow_set,) = find_sets(tmp_path, dataset="middlebury-stereo")
    (pair,) = flow_set
    assert (flow_set.name, pair.name) == ("middlebury-stereo", "Venus")
    assert (pair.flow[pair.valid] == (-5, 0)).all()
    assert not pair.valid[:, :5].any() and not pair.valid[:, 20:30].any()
    assert pair.valid[:, 30:].all()
    there = warped(pair.source, np.nan_to_num(pair.flow))
    assert (there[pair.valid] == pair.target[pair.valid]).all()


def test_a_damaged_disparity_map(tmp_path: Path) -> None:
    place = tmp_path / "Venus"
    for name in ("im0.png", "im1.png"):
        write_image(place / name, np.zeros((4, 5, 3), np.uint8))
    (place / "disp0.pfm").write_text("no map")
    (flow_set,) = stereo_sets(tmp_path)
    with pytest.raises(ImageError, match=r"disp0\.pfm is not a disparity map"):
        next(iter(flow_set))


def test_flying_chairs_as_distributed(tmp_path: Path, images: tuple) -> None:
    place = tmp_path / "data"
    for name, image in zip(("img1", "img2"), images, strict=True):
        place.mkdir(exist_ok=True)
        cv2.imwrite(str(place / f"00001_{name}.ppm"), np.ascontiguousarray(image[..., ::-1]))
    write_flo(place / "00001_flow.flo", _flow())
    (flow_set,) = find_sets(tmp_path, dataset="chairs")
    (pair,) = flow_set
    assert _matches(pair) and pair.name == "00001"
    assert not pair.valid[:, -SHIFT:].any()  # leads out of the picture


def test_a_bag_with_true_flow(tmp_path: Path) -> None:
    write_synthetic_bag(tmp_path / "drive", frames=5, size=(48, 64), progress=False)
    (tmp_path / "metadata_only").mkdir()
    (flow_set,) = find_sets(tmp_path, dataset="bag")
    assert flow_set.name == "drive" and "/camera/flow_truth" in flow_set.about
    pairs = list(flow_set)
    assert len(pairs) == 4
    for pair in pairs:
        there = warped(pair.source, np.nan_to_num(pair.flow)).astype(int)
        moved = np.abs(there - pair.target)[pair.valid].mean()
        unmoved = np.abs(pair.source.astype(int) - pair.target)[pair.valid].mean()
        assert moved < 0.5 * unmoved
    backwards = [load() for load in reversed(flow_set.loaders)]
    for one, other in zip(pairs, reversed(backwards), strict=True):
        np.testing.assert_array_equal(one.target, other.target)
        np.testing.assert_array_equal(one.flow, other.flow)
    with pytest.raises(BagError, match="/nothing"):
        find_sets(tmp_path / "drive", dataset="bag", topic="/nothing")


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown data set 'kitty': use one of auto, hpatches"):
        find_sets(tmp_path, dataset="kitty")
    for name, one in FLOW_DATASETS.items():
        with pytest.raises(ConfigError, match="holds no flow data") as caught:
            find_sets(tmp_path, dataset=name)
        assert one.expected in str(caught.value)
