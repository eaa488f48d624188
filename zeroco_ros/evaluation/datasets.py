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

"""
Every data set with ground truth, behind one interface.

A data set is a kind of folder: it finds flow sets (pairs with true flow) or posed sequences
(frames with poses and measured depth) below the folder that a user names. What is found is read
when it is needed. `zeroco eval flow|depth --dataset NAME --data FOLDER` takes any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from zeroco_ros.errors import BagError, ConfigError
from zeroco_ros.evaluation.flow_bags import bag_sets
from zeroco_ros.evaluation.flow_benchmarks import kitti_flow_sets, sintel_sets
from zeroco_ros.evaluation.flow_correspondence import eth3d_sets, hpatches_sets
from zeroco_ros.evaluation.flow_folders import chairs_sets, own_sets
from zeroco_ros.evaluation.flow_middlebury import middlebury_sets, stereo_sets
from zeroco_ros.evaluation.flow_set import FlowSet
from zeroco_ros.evaluation.protocols import HPATCHES_SIDE
from zeroco_ros.evaluation.sequence_bags import bag_sequence, holds_bag
from zeroco_ros.evaluation.sequence_folders import (
    holds_pair,
    holds_scenes,
    pair_sequence,
    scenes_sequence,
)
from zeroco_ros.evaluation.sequence_kitti import (
    drive_sequence,
    holds_drive,
    holds_odometry,
    odometry_sequence,
)
from zeroco_ros.evaluation.sequence_sintel import holds_sintel, sintel_sequence
from zeroco_ros.evaluation.sequence_tum import (
    euroc_sequence,
    holds_euroc,
    holds_tum,
    tum_sequence,
)
from zeroco_ros.evaluation.sequences import PosedSequence

Item = TypeVar("Item", FlowSet, PosedSequence)
Discover = Callable[[Path], Iterable[Item]]


@dataclass(frozen=True)
class Dataset(Generic[Item]):
    """A kind of data. expected: what its folder holds, for a person; find: what is below one."""

    name: str
    expected: str
    find: Discover[Item]


@dataclass(frozen=True)
class Layout:
    """
    A folder that is one posed sequence.

    depth: how many folders deep below the data it may lie.
    """

    holds: Callable[[Path], bool]
    read: Callable[[Path], PosedSequence]
    depth: int = 1


def _own_flow(folder: Path) -> Iterator[FlowSet]:
    """Whatever is there, of what one look at the folder tells."""
    yield from own_sets(folder)
    yield from stereo_sets(folder)
    for find in (hpatches_240, hpatches, eth3d_sets, kitti_flow_sets, sintel_sets):
        yield from find(folder)
    yield from middlebury_sets(folder)


def hpatches(folder: Path) -> Iterator[FlowSet]:
    """Yield the sets at the original size."""
    return hpatches_sets(folder, None)


def hpatches_240(folder: Path) -> Iterator[FlowSet]:
    """Yield the sets of the reduced protocol."""
    return hpatches_sets(folder, HPATCHES_SIDE)


_HPATCHES = "HPatches' folders v_*/ with 1.ppm to 6.ppm and H_1_2 to H_1_6"
_FLOW: tuple[Dataset[FlowSet], ...] = (
    Dataset(
        "auto",
        "flow/, homography/ or stereo/ folders, NAME_img1.png with NAME_img2.png and "
        "NAME_flow.flo, or the folder of another data set (of bags and FlyingChairs only by "
        "--dataset bag and chairs)",
        _own_flow,
    ),
    Dataset("hpatches", _HPATCHES, hpatches),
    Dataset("hpatches-240", _HPATCHES, hpatches_240),
    Dataset(
        "eth3d",
        "info_ETH3D_files/lakeside_every_5_rate_of_3 and so on, beside multiview_testing/ and "
        "multiview_training/",
        eth3d_sets,
    ),
    Dataset(
        "kitti-flow",
        "training/ with image_2/ (2012: colored_0/ or image_0/), flow_occ/ and flow_noc/",
        kitti_flow_sets,
    ),
    Dataset("sintel", "training/ with clean/, final/, flow/ and occlusions/", sintel_sets),
    Dataset(
        "middlebury",
        "other-data/NAME/frame10.png and frame11.png with other-gt-flow/NAME/flow10.flo",
        middlebury_sets,
    ),
    Dataset(
        "middlebury-stereo",
        "folders NAME with im0.png, im1.png and disp0.pfm, or with im2, im6 and disp2, or with "
        "view1.png, view5.png and disp1.png",
        stereo_sets,
    ),
    Dataset("chairs", "data/ with NNNNN_flow.flo, _img1.ppm and _img2.ppm", chairs_sets),
    Dataset(
        "bag",
        "rosbag2 bags (or one bag) of a camera with true flow, or with depth, poses and "
        "calibration",
        bag_sets,
    ),
)
FLOW_DATASETS = {one.name: one for one in _FLOW}


def _below(folder: Path, layout: Layout) -> Iterator[Path]:
    """Yield the folder, and those in it and in its bags/ and rgbd/, as deep as the layout says."""
    patterns = ["/".join("*" * level) + "/" for level in range(1, layout.depth + 1)]
    places = {folder: None}  # each once, in this order
    for parent in (folder, folder / "bags", folder / "rgbd"):
        for pattern in patterns:
            places |= dict.fromkeys(sorted(p for p in parent.glob(pattern) if p.is_dir()))
    yield from places


def _sequences(*layouts: Layout) -> Discover[PosedSequence]:
    def find(folder: Path) -> Iterator[PosedSequence]:
        for layout in layouts:
            taken: list[Path] = []
            for place in _below(folder, layout):
                if layout.holds(place) and not any(one in place.parents for one in taken):
                    taken.append(place)
                    yield layout.read(place)

    return find


def bag_sequences(folder: Path, topic: str | None = None) -> Iterator[PosedSequence]:
    """Yield the bags that are posed sequences; the folder's own must be one."""
    for place in _below(folder, Layout(holds_bag, bag_sequence)):
        if holds_bag(place):
            try:
                yield bag_sequence(place, topic)
            except (BagError, ConfigError):  # any bag may lie around; one that is meant may not
                if place == folder:
                    raise


_SCENES = Layout(holds_scenes, scenes_sequence, 2)
_ODOMETRY = Layout(holds_odometry, odometry_sequence, 3)
_DRIVES = Layout(holds_drive, drive_sequence, 3)
_TUM = Layout(holds_tum, tum_sequence)
_EUROC = Layout(holds_euroc, euroc_sequence)
_PAIRS = Layout(holds_pair, pair_sequence)
_SINTEL = Layout(holds_sintel, sintel_sequence, 3)


def _own_sequences(folder: Path) -> Iterator[PosedSequence]:
    yield from _sequences(_SCENES, _ODOMETRY, _PAIRS, _TUM, _EUROC, _DRIVES)(folder)
    yield from bag_sequences(folder)


_DEPTH: tuple[Dataset[PosedSequence], ...] = (
    Dataset(
        "auto",
        "bags with a camera, camera_info and poses, 7-Scenes' frame-N.color.jpg, KITTI's image_l "
        "with poses.txt, RGB-D pairs, or the folder of another data set (Sintel only by --dataset "
        "sintel)",
        _own_sequences,
    ),
    Dataset("bag", "rosbag2 bags (or one bag) with camera_info and poses", bag_sequences),
    Dataset(
        "7scenes",
        "[SCENE/]seq-NN/ with frame-N.color.png (or .jpg), .depth.png and .pose.txt",
        _sequences(_SCENES),
    ),
    Dataset(
        "tum",
        "rgbd_dataset_freiburgK_NAME/ with rgb.txt, depth.txt and groundtruth.txt",
        _sequences(_TUM),
    ),
    Dataset(
        "euroc",
        "NAME/mav0/ with cam0/data.csv, cam0/sensor.yaml and state_groundtruth_estimate0/",
        _sequences(_EUROC),
    ),
    Dataset(
        "kitti-odometry",
        "sequences/NN/ with image_0/ and calib.txt, beside poses/NN.txt",
        _sequences(_ODOMETRY),
    ),
    Dataset(
        "kitti-eigen",
        "YYYY_MM_DD/YYYY_MM_DD_drive_NNNN_sync/ with image_02/data/ and oxts/, the date's "
        "calibration, and proj_depth/groundtruth/image_02/ in the drive or below "
        "data_depth_annotated/; eigen_test_files.txt if only its frames count",
        _sequences(_DRIVES),
    ),
    Dataset(
        "sintel",
        "training/ with clean/ or final/, depth/ and camdata_left/",
        _sequences(_SINTEL),
    ),
    Dataset("rgbd-pairs", "folders with pseudo_T_2_from_1.txt", _sequences(_PAIRS)),
)
DEPTH_DATASETS = {one.name: one for one in _DEPTH}


def find_sets(
    folder: str | Path,
    names: list[str] | None = None,
    dataset: str = "auto",
    topic: str | None = None,
) -> list[FlowSet]:
    """
    Return the flow sets below a folder, all or those named.

    dataset: one of `FLOW_DATASETS`; topic: of a bag's images, None for its first camera.
    Raises ConfigError if the folder is missing, holds none of them, or a name is not there, and
    ImageError or BagError if what is there cannot be read.
    """
    kind = _kind(FLOW_DATASETS, dataset)
    find = partial(bag_sets, topic=topic) if topic and dataset == "bag" else kind.find
    return _found(Path(folder), names, "flow data", kind.expected, find)


def find_sequences(
    folder: str | Path,
    names: list[str] | None = None,
    dataset: str = "auto",
    topic: str | None = None,
) -> list[PosedSequence]:
    """
    Return the posed sequences below a folder, all or those named; each named as its folder.

    dataset: one of `DEPTH_DATASETS`; topic: of a bag's images, None for its first camera. Raises
    errors as `find_sets`.
    """
    kind = _kind(DEPTH_DATASETS, dataset)
    find = partial(bag_sequences, topic=topic) if topic and dataset == "bag" else kind.find
    for name in names or []:  # what is meant has to be readable, not only to be passed over
        for place in (Path(folder), Path(folder) / name, Path(folder) / "bags" / name):
            if dataset in ("auto", "bag") and place.resolve().name == name and holds_bag(place):
                bag_sequence(place, topic)
    return _found(Path(folder), names, "posed sequence", kind.expected, find)


def _kind(known: dict[str, Dataset[Item]], name: str) -> Dataset[Item]:
    if name not in known:
        raise ConfigError(f"unknown data set {name!r}: use one of {', '.join(known)}")
    return known[name]


def _found(
    folder: Path, names: list[str] | None, what: str, expected: str, find: Discover[Item]
) -> list[Item]:
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder: give the folder of the evaluation data")
    found: dict[str, Item] = {}
    for one in find(folder):
        number = 2
        name = one.name
        while name in found:  # folders of one name in different places
            name, number = f"{one.name}-{number}", number + 1
        found[name] = one if name == one.name else replace(one, name=name)
    if not found:
        raise ConfigError(f"{folder} holds no {what} that is known here: expected {expected}")
    absent = [name for name in names or [] if name not in found]
    if absent:
        raise ConfigError(f"unknown set {', '.join(absent)}: {folder} has {', '.join(found)}")
    return [found[name] for name in names or found]
